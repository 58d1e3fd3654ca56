"""Whole responses as ASGI messages, and errors as problem documents (RFC 9457)."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

from pydantic_core import to_json
from starlette.types import Message, Send

JSON = b"application/json"
PROBLEM_JSON = b"application/problem+json"

Headers = Sequence[tuple[bytes, bytes]]


class Problem(NamedTuple):
    """An error as a client is told it. `reason` is for machines, one word of a fixed set; no text of a request."""

    status: int
    reason: str
    detail: str
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Reply(NamedTuple):
    """The two messages that send a whole response. Never changed, so it may be sent again."""

    start: Message
    body: Message


def reply(status: int, content: bytes, content_type: bytes = JSON, headers: Headers = ()) -> Reply:
    """A whole response."""
    fields = [(b"content-type", content_type), (b"content-length", b"%d" % len(content)), *headers]
    start = {"type": "http.response.start", "status": status, "headers": fields}
    return Reply(start, {"type": "http.response.body", "body": content})


def reply_json(status: int, document: Any, content_type: bytes = JSON, headers: Headers = ()) -> Reply:
    """A whole response with one JSON value."""
    return reply(status, to_json(document), content_type, headers)


def reply_problem(problem: Problem, headers: Headers = (), **members: Any) -> Reply:
    """A problem document. `reason` and `members` are its extension members (RFC 9457, 3.2)."""
    document = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "reason": problem.reason,
        **members,
    }
    return reply_json(problem.status, document, PROBLEM_JSON, (*problem.headers, *headers))


async def send_reply(send: Send, whole: Reply) -> None:
    """Send it."""
    await send(whole.start)
    await send(whole.body)
