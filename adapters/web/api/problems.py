"""Errors of the read API as problem documents (RFC 9457), whoever raises them. No text of a request is repeated."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from adapters.web.journal import Journal
from adapters.web.probes import as_response
from adapters.web.refusal import Disconnected
from adapters.web.reply import Problem, reply_problem
from domain.errors import LedgerError, Unavailable

_RETRY = ((b"retry-after", b"5"),)
_NO_STORE = (b"cache-control", b"no-store")

UNKNOWN_INQUIRY = Problem(404, "unknown_inquiry", "the ledger has no such inquiry")
NOTHING_KNOWN = Problem(404, "nothing_known", "nothing was known of this inquiry at that time")
NOT_FOUND = Problem(404, "not_found", "there is no such path")
NOT_REACHED = Problem(409, "not_reached", "the ledger has not read this offset yet", _RETRY)
BAD_BODY = Problem(400, "bad_body", "the body must be a JSON object")
UNAVAILABLE = Problem(503, "unavailable", "the ledger cannot be read now", _RETRY)

#: Nobody gets it: for the metrics, of a client that did not wait for its answer (as nginx counts it).
_GONE = 499

#: In the scope of a request: when it came, of `time.perf_counter`.
STARTED = "inquiry_ledger.started"

#: A parameter's name as ours are; another text is not repeated.
_NAME = re.compile(r"[A-Za-z][A-Za-z_-]{0,63}")


class ApiProblem(LedgerError):
    """An answer that is an error. Raised by endpoints."""

    def __init__(self, problem: Problem, **members: Any) -> None:
        """`members`: further members of the problem document."""
        super().__init__(problem.detail)
        self.problem = problem
        self.members = members


def bad_parameter(name: str, problem: str) -> ApiProblem:
    """400. `problem` begins with a verb: what is wrong with it, never its value."""
    if not _NAME.fullmatch(name):
        return ApiProblem(Problem(400, "bad_parameter", "there is a parameter that is not known here"))
    return ApiProblem(Problem(400, "bad_parameter", f"{name} {problem}"), parameter=name)


def add_handlers(app: FastAPI, journal: Journal) -> None:
    """Every error that an endpoint or the framework raises → a problem document."""

    def refuse(request: Request, problem: Problem, members: Mapping[str, Any]) -> Response:
        route = getattr(request.scope.get("route"), "path", "")
        journal.refused(request.scope, problem, request.scope.get(STARTED, time.perf_counter()), route)
        return as_response(reply_problem(problem, [_NO_STORE], **members))

    async def on_problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, ApiProblem)
        return refuse(request, error.problem, error.members)

    async def on_invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        described = describe_invalid(error.errors())
        return refuse(request, described.problem, described.members)

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return refuse(request, _of_framework(error), {})

    async def on_failure(request: Request, error: Exception) -> Response:
        detail = "it does not answer" if isinstance(error, Unavailable) else "it is not as this release needs it"
        return refuse(request, UNAVAILABLE._replace(detail=f"{UNAVAILABLE.detail}: {detail}"), {})

    async def on_disconnected(request: Request, error: Exception) -> Response:
        return Response(status_code=_GONE)

    app.add_exception_handler(Disconnected, on_disconnected)
    app.add_exception_handler(ApiProblem, on_problem)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(LedgerError, on_failure)


def describe_invalid(errors: Sequence[Any]) -> ApiProblem:
    """400: the first of the errors that pydantic found in a body or a query."""
    kind, where, message = errors[0]["type"], errors[0]["loc"], errors[0]["msg"]
    if where[0] == "body" and (kind == "json_invalid" or len(where) == 1):
        return ApiProblem(BAD_BODY)
    name = str(where[-1])
    if kind == "extra_forbidden":
        return bad_parameter(name, "is not a parameter of this path")
    return bad_parameter(name, message if kind.startswith("ledger_") else f"is wrong: {message}")


def _of_framework(error: HTTPException) -> Problem:
    if error.status_code == 404:
        return NOT_FOUND
    if error.status_code == 400:
        return BAD_BODY
    fields = tuple((name.lower().encode(), value.encode()) for name, value in (error.headers or {}).items())
    detail = "this path is not for this method" if error.status_code == 405 else "this request cannot be read"
    reason = "method" if error.status_code == 405 else HTTPStatus(error.status_code).name.lower()
    return Problem(error.status_code, reason, detail, fields)
