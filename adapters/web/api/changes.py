"""`GET /v1/changes`: every revision once, in the order of its partition, by cursor; JSON or server-sent events."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI
from sse_starlette import EventSourceResponse
from sse_starlette.sse import AppStatus
from starlette.requests import Request
from starlette.responses import Response

from adapters.web.api import documents
from adapters.web.api.cursor import ChangeCursor, decode_changes, encode_changes, topic_id_of
from adapters.web.api.follow import Follower
from adapters.web.api.limits import stand_aside
from adapters.web.api.metrics import WAITED
from adapters.web.api.parameters import CURSOR_FORM, Since, read_parameters
from adapters.web.api.patience import within
from adapters.web.api.problems import bad_parameter
from adapters.web.api.service import Service

_PING_S = 15
_EVENTS = "text/event-stream"


class ChangeFeed:
    """The endpoint."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._query = service.parts.query
        self._tail = service.tail
        self._answers = service.answers
        AppStatus.enable_automatic_graceful_drain = False  # it would break streams off; `Tail.stop` lets them end

    def add_to(self, app: FastAPI) -> None:
        """Add its route."""
        app.add_api_route("/v1/changes", self.read, **documents.CHANGES)

    async def read(self, request: Request) -> Response:
        """The revisions that come next, and the cursor to go on from: there is always one, and it may be kept."""
        asked = read_parameters(Since, request)
        streams = _EVENTS in request.headers.get("accept", "")
        last_event_id = request.headers.get("last-event-id")
        if streams and last_event_id is not None:
            cursor = await self._check(_read_id(last_event_id), "Last-Event-ID")
        else:
            cursor = await self._check(asked.cursor, "cursor")
        return self._stream(cursor, request) if streams else await self._list(cursor, asked, request)

    async def _check(self, cursor: ChangeCursor | None, name: str) -> ChangeCursor:
        """The cursor, of this log; at its beginning where there is none. 400 for one of another log."""
        topic, topic_id = self._service.parts.topic, topic_id_of(await self._query.positions())
        if cursor is None:
            return ChangeCursor(topic, topic_id, {})
        if cursor.topic != topic:
            raise bad_parameter(name, "is of another topic")
        if cursor.topic_id not in ("", topic_id) and topic_id:
            raise bad_parameter(name, "is of a topic that was deleted and created again: begin without one")
        return cursor._replace(topic_id=topic_id or cursor.topic_id)

    async def _list(self, cursor: ChangeCursor, asked: Since, request: Request) -> Response:
        with self._tail.following() as inbox:
            page = await self._query.changes(cursor.offsets, asked.limit)
            if not page.rows and asked.wait:
                request.scope[WAITED] = True
                stand_aside(request.scope)
                await within(asyncio.ensure_future(inbox.wait()), asked.wait, request)
                page = await self._query.changes(cursor.offsets, asked.limit)
        following = encode_changes(cursor._replace(offsets=page.offsets))
        return self._answers.json({"items": page.rows, "cursor": following})

    def _stream(self, cursor: ChangeCursor, request: Request) -> Response:
        request.scope[WAITED] = True
        stand_aside(request.scope)
        lag = {name.decode(): value.decode() for name, value in self._answers.lag()}
        return EventSourceResponse(Follower(self._query, cursor).events(self._tail), ping=_PING_S, headers=lag)


def _read_id(last_event_id: str) -> ChangeCursor:
    try:
        return decode_changes(last_event_id)
    except ValueError as error:
        raise bad_parameter("Last-Event-ID", CURSOR_FORM) from error
