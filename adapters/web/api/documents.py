"""What OpenAPI says of each path: its answers, each with a model and an example, and nothing that does not occur."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters.web.api import models
from adapters.web.api.answers import LAG_HEADER
from adapters.web.api.guard import FOREIGN, NO_TOKEN, TOO_MANY_WRONG
from adapters.web.api.limits import LATE
from adapters.web.api.parameters import Filters, Lookup, Since, describe_parameters
from adapters.web.api.problems import NOT_REACHED, UNKNOWN_INQUIRY, bad_parameter
from adapters.web.refusal import SLOW, TOO_LARGE
from adapters.web.reply import Problem
from domain.event import MAX_TEXT_BYTES

_LAG = {
    LAG_HEADER: {
        "description": "Every record appended longer ago than so many seconds is in the ledger; absent where unknown.",
        "schema": {"type": "integer", "minimum": 0},
    }
}
_ETAG = {"ETag": {"description": "Weak, of revision and rules.", "schema": {"type": "string"}}}
_PROBLEM = {"$ref": "#/components/schemas/Problem"}

_BAD = bad_parameter("timeout", "is wrong: Input should be a valid number")


def _problem(when: str, problem: Problem, **members: Any) -> dict[str, Any]:
    example = {
        "type": "about:blank",
        "title": when,
        "status": problem.status,
        "detail": problem.detail,
        "reason": problem.reason,
        **members,
    }
    return {"description": when, "content": {"application/problem+json": {"schema": _PROBLEM, "example": example}}}


_ANYWHERE: dict[int | str, dict[str, Any]] = {
    400: _problem("Bad Request", _BAD.problem, **_BAD.members),
    401: _problem("Unauthorized", NO_TOKEN),
    403: _problem("Forbidden", FOREIGN),
    429: _problem("Too Many Requests", TOO_MANY_WRONG),
    503: _problem("Service Unavailable", LATE),
}
_UNKNOWN: dict[int | str, dict[str, Any]] = {404: _problem("Not Found", UNKNOWN_INQUIRY)}


def _good(model: Any, what: str, headers: dict[str, Any] = _LAG) -> dict[int | str, dict[str, Any]]:
    return {200: {"model": model, "description": what, "headers": headers}}


def _operation(
    name: str, summary: str, *answers: dict[int | str, dict[str, Any]], parameters: Sequence[dict[str, Any]] = ()
) -> dict[str, Any]:
    """What `add_api_route` is told."""
    responses = {status: answer for answered in (*answers, _ANYWHERE) for status, answer in answered.items()}
    return {
        "operation_id": name,
        "summary": summary,
        "response_model": None,
        "responses": responses,
        "openapi_extra": {"parameters": [*parameters]},
    }


_ID = {
    "name": "inquiry_id",
    "in": "path",
    "required": True,
    "description": "The inquiry's id.",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_TEXT_BYTES},
    "example": "inq_7ZkSzV2tkMDMfyFTZxK8wL",
}


def _header(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "description": description, "schema": {"type": "string"}}


READ = _operation(
    "read_inquiry",
    "The decision of one inquiry, now or at any time",
    _good(models.CurrentDecision, "The row; with `ETag` unless a time is asked for", {**_LAG, **_ETAG}),
    {304: {"description": "The row is the one that `If-None-Match` names", "headers": {**_LAG, **_ETAG}}},
    _UNKNOWN,
    {409: _problem("Conflict", NOT_REACHED, position={"partition": 2, "next_offset": 1480})},
    parameters=[_ID, *describe_parameters(Lookup), _header("If-None-Match", "The ETag of the row the client has.")],
)
FIND = _operation(
    "find_inquiries",
    "Inquiries, filtered, page by page",
    _good(models.Decisions, "A page, by inquiry id"),
    parameters=describe_parameters(Filters),
)
HISTORY = _operation(
    "read_history",
    "Every event of one inquiry",
    _good(models.History, "All of it"),
    _UNKNOWN,
    parameters=[_ID],
)
EXPLAIN = _operation(
    "explain_inquiry",
    "The proof of a decision, down to the signed bytes",
    _good(dict[str, Any], "The proof"),
    _UNKNOWN,
    parameters=[_ID],
)
LIFECYCLE = _operation(
    "read_lifecycle", "The table that decides what is legal", _good(models.LifecycleTable, "The table")
)
CALLBACK = _operation(
    "compare_callback",
    "What an SDK callback says, compared with the ledger",
    _good(models.ComparedDecision, "The ledger's row"),
    _UNKNOWN,
    {408: _problem("Request Timeout", SLOW), 413: _problem("Content Too Large", TOO_LARGE)},
)
_EVENT_STREAM = {
    "schema": {"type": "string"},
    "example": 'id: WyJwZXJz…\r\nevent: revision\r\ndata: {"inquiry_id": "inq_1", …}\r\n\r\n',
}
CHANGES = _operation(
    "read_changes",
    "Every revision once, by cursor",
    {
        200: {
            **_good(models.Changes, "A page; or, where `Accept` says `text/event-stream`, events `revision`")[200],
            "content": {"text/event-stream": _EVENT_STREAM},
        }
    },
    parameters=[
        *describe_parameters(Since),
        _header("Last-Event-ID", "The `id` of the last event, instead of `cursor` (server-sent events only)."),
    ],
)
