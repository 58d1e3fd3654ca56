"""`/livez`, `/readyz`, `/metrics`, and a problem document for every other path. The same for each HTTP process."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters.web.journal import Journal
from adapters.web.readiness import Readiness
from adapters.web.refusal import NOT_FOUND, OUT_OF_SERVICE
from adapters.web.reply import Problem, Reply, reply_problem

Endpoint = Callable[[Request], Awaitable[Response]]


def build_probes(
    find_problems: Callable[[], Sequence[str]], registry: CollectorRegistry, journal: Journal
) -> Starlette:
    """An application of these paths alone."""
    endpoints = probe_endpoints(find_problems, registry, journal)

    async def refuse(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        problem = _problem(error)
        path = request.scope["path"]  # `request.url` decodes the query, and fails where that is not ASCII
        route = path if path in endpoints else ""
        journal.refused(request.scope, problem, time.perf_counter(), route)
        return as_response(reply_problem(problem))

    routes = [Route(path, endpoint) for path, endpoint in endpoints.items()]
    probes = Starlette(routes=routes, exception_handlers={HTTPException: refuse})
    probes.router.redirect_slashes = False
    return probes


def probe_endpoints(
    find_problems: Callable[[], Sequence[str]], registry: CollectorRegistry, journal: Journal
) -> Mapping[str, Endpoint]:
    """Path → endpoint, for GET. `find_problems` may go over the network: it is asked in a thread."""
    readiness = Readiness(find_problems)

    async def live(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def ready(request: Request) -> Response:
        started = time.perf_counter()
        problems = await readiness.problems()
        if not problems:
            return JSONResponse({"status": "ready", "problems": []})
        journal.refused(request.scope, OUT_OF_SERVICE, started, "/readyz")
        return as_response(reply_problem(OUT_OF_SERVICE, problems=problems))

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return {"/livez": live, "/readyz": ready, "/metrics": metrics}


def as_response(whole: Reply) -> Response:
    """For Starlette's endpoints."""
    response = Response(whole.body["body"], whole.start["status"])
    response.raw_headers = list(whole.start["headers"])
    return response


def _problem(error: HTTPException) -> Problem:
    """Of Starlette's own refusals: no such path, or another method (its `Allow` is kept)."""
    if error.status_code == 404:
        return NOT_FOUND
    fields = tuple((name.lower().encode(), value.encode()) for name, value in (error.headers or {}).items())
    return Problem(error.status_code, "method", "this path is not for this method", fields)
