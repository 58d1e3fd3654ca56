"""The page's paths."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from adapters.web.api.lag import Lag
from adapters.web.api.login import Form, login_routes
from adapters.web.api.ports import ApiParts
from adapters.web.page.failure import Endpoint, with_error_pages
from adapters.web.page.frame import Frame
from adapters.web.page.inquiry import InquiryPage
from adapters.web.page.ledger_page import LedgerPage
from adapters.web.page.overview import Overview
from adapters.web.page.rendering import FOLDER, HEADERS, Renderer

_TYPES: Mapping[str, str] = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


def build_page(parts: ApiParts, lag: Lag) -> list[BaseRoute]:
    """The routes of the page, its files and its login, for an application that also has `/v1`."""
    renderer = Renderer(can_log_out=parts.access.needs_token)
    frame = Frame(parts, lag, renderer)
    pages: Mapping[str, Endpoint] = {
        "/": Overview(parts, frame).show,
        "/inquiries/{inquiry_id:path}": InquiryPage(parts, frame).show,
        "/ledger": LedgerPage(parts, frame).show,
    }

    def show_login(_: Request, form: Form) -> Response:
        return renderer.answer("login.html", wanted=form.next, problem=form.problem)

    return [
        *(Route(path, with_error_pages(endpoint, renderer), methods=["GET"]) for path, endpoint in pages.items()),
        *login_routes(parts.access, show_login),
        *(Route(f"/static/{name}", _serve(name, kind), methods=["GET"]) for name, kind in _TYPES.items()),
    ]


def _serve(name: str, media_type: str) -> Endpoint:
    """One file, which browsers keep, and ask about each time."""
    content = (FOLDER / "static" / name).read_bytes()
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    headers = {**HEADERS, "cache-control": "no-cache", "etag": tag}

    async def answer(request: Request) -> Response:
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=media_type, headers=headers)

    return answer
