"""The read API, the page and the probes as one application (design, section 7). What it works with is given."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI, Request
from starlette.responses import Response

from adapters.web.api import documents
from adapters.web.api.callbacks import Callbacks
from adapters.web.api.changes import ChangeFeed
from adapters.web.api.guard import Guard
from adapters.web.api.inquiries import Inquiries
from adapters.web.api.limits import Limiter
from adapters.web.api.metrics import Measured
from adapters.web.api.openapi import describe
from adapters.web.api.parameters import Asked, read_parameters
from adapters.web.api.ports import ApiParts
from adapters.web.api.problems import add_handlers
from adapters.web.api.service import Service
from adapters.web.journal import Journal
from adapters.web.page.routes import build_page
from adapters.web.probes import probe_endpoints


class Api(FastAPI):
    """The application. Its lifespan opens what `parts.connect` says, and runs the tail of changes."""

    def __init__(self, service: Service) -> None:
        @asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncIterator[None]:
            async with service.running():
                yield

        super().__init__(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url="/v1/openapi.json")
        self.router.redirect_slashes = False
        self._service = service

    def openapi(self) -> dict[str, object]:
        """The OpenAPI document."""
        return describe(self)

    def stop(self) -> None:
        """The server is about to stop: let those go who wait. In the event loop."""
        self._service.tail.stop()


def build_api(parts: ApiParts) -> Api:
    """The application of these parts."""
    service = Service(parts)
    app, journal = Api(service), Journal(structlog.get_logger("api"))
    add_handlers(app, journal)
    for endpoints in (Inquiries(service), ChangeFeed(service), Callbacks(service)):
        endpoints.add_to(app)
    _add_lifecycle(app, service)
    for path, endpoint in probe_endpoints(service.find_problems, parts.registry, journal).items():
        app.add_route(path, endpoint)
    app.router.routes.extend(build_page(parts, service.lag))
    # The last is the outermost.
    app.add_middleware(Limiter, limits=parts.limits)
    app.add_middleware(Guard, access=parts.access, journal=journal)
    app.add_middleware(Measured, metrics=service.metrics)
    return app


def _add_lifecycle(app: Api, service: Service) -> None:
    async def read_lifecycle(request: Request) -> Response:
        """Every status × event: what it does, or why it is refused."""
        read_parameters(Asked, request)
        return service.answers.json(service.parts.lifecycle)

    app.add_api_route("/v1/lifecycle", read_lifecycle, **documents.LIFECYCLE)
