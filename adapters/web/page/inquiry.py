"""`/inquiries/{inquiry_id}`: what is decided, since when and why; its events; its way; the decision in two times."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from adapters.web.api.ports import ApiParts
from adapters.web.page.failure import UNKNOWN_INQUIRY, PageProblem
from adapters.web.page.frame import Frame
from adapters.web.page.timeline import lay_out
from adapters.web.page.two_times import Asked, Then, answer, read_form
from adapters.web.page.words import tell_decision
from domain.event import Sighting, is_text


class InquiryPage:
    """The endpoint."""

    def __init__(self, parts: ApiParts, frame: Frame) -> None:
        self._parts = parts
        self._frame = frame

    async def show(self, request: Request) -> Response:
        """The page; 404 for an inquiry that is not known, 400 where a time cannot be read."""
        inquiry_id = request.path_params["inquiry_id"]
        feed = await self._frame.feed()
        row = await self._parts.query.decision(inquiry_id) if is_text(inquiry_id) else None
        if row is None:
            raise PageProblem(UNKNOWN_INQUIRY)
        history = await self._parts.query.history(inquiry_id)
        records = await self._parts.query.records(inquiry_id)
        asked = read_form(request.query_params, self._frame.now())
        return await self._frame.answer(
            "inquiry.html",
            400 if asked.problems else 200,
            place="inquiry",
            feed=feed,
            inquiry_id=inquiry_id,
            row=row,
            why=tell_decision(row, history),
            items=lay_out(history, records),
            revisions=await self._parts.query.revisions(inquiry_id),
            picture=self._parts.draw_path(history),
            asked=asked,
            then=self._look_back(inquiry_id, records, asked),
            proof=f"/v1/inquiries/{quote(inquiry_id, safe='')}/explain",
        )

    def _look_back(self, inquiry_id: str, records: Sequence[Sighting], asked: Asked) -> Then | None:
        return answer(inquiry_id, records, asked, self._parts.rules) if asked.is_asked else None
