"""`/v1/inquiries`: the decision of one, now or at two times; lists; history and proof."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from adapters.web.api import documents
from adapters.web.api.cursor import encode_inquiry
from adapters.web.api.parameters import Asked, Filters, Lookup, read_inquiry_id, read_parameters
from adapters.web.api.past import look_back
from adapters.web.api.problems import NOTHING_KNOWN, UNKNOWN_INQUIRY, ApiProblem, bad_parameter
from adapters.web.api.service import Service
from adapters.web.api.waiting import Waiting
from domain.reading import ViewRow, Wanted


class Inquiries:
    """The endpoints."""

    def __init__(self, service: Service) -> None:
        self._query = service.parts.query
        self._parts = service.parts
        self._service = service
        self._answers = service.answers
        self._waiting = Waiting(service)

    def add_to(self, app: FastAPI) -> None:
        """Add their routes; the one that is asked most is looked at first."""
        app.add_api_route("/v1/inquiries/{inquiry_id}", self.read, **documents.READ)
        app.add_api_route("/v1/inquiries", self.find, **documents.FIND)
        app.add_api_route("/v1/inquiries/{inquiry_id}/history", self.history, **documents.HISTORY)
        app.add_api_route("/v1/inquiries/{inquiry_id}/explain", self.explain, **documents.EXPLAIN)

    async def read(self, request: Request) -> Response:
        """The current decision; with `as_of` or `known_at` the one that held, or was known, at that time."""
        inquiry_id, asked = read_inquiry_id(request), read_parameters(Lookup, request)
        looks_back = asked.as_of is not None or asked.known_at is not None
        self._refuse_together(asked, looks_back)
        left_s = asked.timeout
        if asked.at_least:
            left_s = await self._waiting.until_read(asked.at_least, left_s, request)
        if looks_back:
            return self._answers.json(await self._look_back(inquiry_id, asked))
        if asked.wait:
            row = await self._waiting.until_decided(inquiry_id, left_s, request)
        else:
            row = await self._service.rows.read(inquiry_id)
        return self._answers.row(_known(row), request.headers.get("if-none-match"))

    def _refuse_together(self, asked: Lookup, looks_back: bool) -> None:
        if looks_back and asked.wait:
            raise bad_parameter("wait", "cannot be combined with as_of and known_at: the past does not change")
        if asked.known_at is not None and asked.known_at > self._now():
            raise bad_parameter("known_at", "is in the future: what will be known then is not known")

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._parts.clock(), UTC)

    async def _look_back(self, inquiry_id: str, asked: Lookup) -> ViewRow:
        records = await self._query.records(inquiry_id)
        row = look_back(records, inquiry_id, asked.as_of, asked.known_at, self._parts.rules)
        if row is None:
            raise ApiProblem(NOTHING_KNOWN if records else UNKNOWN_INQUIRY)
        return row

    async def find(self, request: Request) -> Response:
        """Current decisions by inquiry id, page by page: an inquiry that is there all the while comes exactly once."""
        asked = read_parameters(Filters, request)
        since = None if asked.stuck_for is None else self._now() - asked.stuck_for
        wanted = Wanted(asked.reference_id, asked.status, asked.decision, asked.template_id, since)
        rows = await self._query.find(wanted, asked.cursor, asked.limit + 1)
        page = rows[: asked.limit]
        cursor = encode_inquiry(page[-1]["inquiry_id"]) if len(rows) > asked.limit else None
        return self._answers.json({"items": page, "cursor": cursor})

    async def history(self, request: Request) -> Response:
        """Every event of the inquiry in canonical order, with its verdict."""
        read_parameters(Asked, request)
        rows = await self._query.history(read_inquiry_id(request))
        if not rows:
            raise ApiProblem(UNKNOWN_INQUIRY)
        return self._answers.json({"items": rows, "cursor": None})

    async def explain(self, request: Request) -> Response:
        """The proof: from the decision down to the signed bytes in the log, each step checked again."""
        read_parameters(Asked, request)
        return self._answers.json(_known(await self._service.explain(read_inquiry_id(request))))


def _known(row: ViewRow | None) -> ViewRow:
    if row is None:
        raise ApiProblem(UNKNOWN_INQUIRY)
    return row
