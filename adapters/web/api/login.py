"""`/login` and `/logout`: a browser's way to show a token once. The form itself is drawn by the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from adapters.web.api.access import Access, drop_cookie, set_cookie
from adapters.web.api.guard import TOO_MANY_WRONG, WRONG_TOKEN
from adapters.web.api.origin import is_https, local_path
from adapters.web.reply import Problem

_NO_STORE = {"cache-control": "no-store"}


class Form(NamedTuple):
    """What the form shows. `next`: a path of this host, to go on to; `problem`: why the last token was refused."""

    next: str
    problem: Problem | None


ShowForm = Callable[[Request, Form], Response]
"""Draws the form: POST /login with the fields `token` and `next` (application/x-www-form-urlencoded)."""


def login_routes(access: Access, show: ShowForm) -> list[Route]:
    """Routes of GET and POST /login, and POST /logout. `guard` has refused what other sites post."""

    async def ask(request: Request) -> Response:
        wanted = local_path(request.query_params.get("next", "/"))
        return RedirectResponse(wanted, 303) if not access.needs_token else show(request, Form(wanted, None))

    async def log_in(request: Request) -> Response:
        said = parse_qs((await request.body()).decode("utf-8", "replace"))
        wanted = local_path(said.get("next", ["/"])[0])
        cookie = access.login(said.get("token", [""])[0].strip())
        if cookie is None:
            return _refuse(access, lambda problem: show(request, Form(wanted, problem)))
        headers = {**_NO_STORE, "set-cookie": set_cookie(cookie, is_secure=is_https(request.scope))}
        return RedirectResponse(wanted, 303, headers)

    async def log_out(request: Request) -> Response:
        headers = {**_NO_STORE, "set-cookie": drop_cookie(is_secure=is_https(request.scope))}
        return RedirectResponse("/login", 303, headers)

    return [
        Route("/login", ask, methods=["GET"]),
        Route("/login", log_in, methods=["POST"]),
        Route("/logout", log_out, methods=["POST"]),
    ]


def _refuse(access: Access, show: Callable[[Problem], Response]) -> Response:
    problem = WRONG_TOKEN if access.attempts.count() else TOO_MANY_WRONG
    response = show(problem)
    response.status_code = problem.status
    for name, value in problem.headers:
        response.headers[name.decode()] = value.decode()
    return response
