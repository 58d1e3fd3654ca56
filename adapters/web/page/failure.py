"""Errors of the page: HTML in the page's own tone, with the right status code."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import wraps
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from adapters.web.page.rendering import Renderer
from domain.errors import LedgerError, Unavailable

_RETRY_S = 5

Endpoint = Callable[[Request], Awaitable[Response]]


class Fault(NamedTuple):
    """What an error page says. Nothing that was sent is repeated."""

    status: int
    title: str
    detail: str


AWAY = Fault(
    503, "The ledger does not answer", "Its database cannot be reached now. Nothing is lost: try again in a moment."
)
OTHER_SCHEMA = Fault(
    503,
    "The ledger is not as this release needs it",
    "Its schema is older or newer. The command `inquiry-ledger doctor` says how to go on.",
)
UNKNOWN_INQUIRY = Fault(
    404,
    "The ledger has no such inquiry",
    "None of its events has been read. Where Persona has it, its webhook has not arrived yet, or its webhook is not "
    "subscribed to these events.",
)


class PageProblem(LedgerError):
    """A request that is answered with an error page."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.detail)
        self.fault = fault


def not_offered(name: str, choices: Iterable[str]) -> PageProblem:
    """400: a parameter that is none of the choices a page offers."""
    return PageProblem(Fault(400, "There is no such list", f"{name} must be one of: {', '.join(choices)}."))


def with_error_pages(endpoint: Endpoint, renderer: Renderer) -> Endpoint:
    """The endpoint, and a page for each error that is raised on purpose."""

    @wraps(endpoint)
    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except LedgerError as error:
            return _show(renderer, _fault(error))

    return answer


def _fault(error: LedgerError) -> Fault:
    if isinstance(error, PageProblem):
        return error.fault
    return AWAY if isinstance(error, Unavailable) else OTHER_SCHEMA


def _show(renderer: Renderer, fault: Fault) -> Response:
    retry = _RETRY_S if fault.status == 503 else None
    headers = {"retry-after": str(retry)} if retry else {}
    return renderer.answer(
        "problem.html", fault.status, headers, place="problem", title=fault.title, detail=fault.detail, retry=retry
    )
