"""`/ledger`: the books and the lag of each partition, and what did not get in: refused, quarantined, turned away."""

from __future__ import annotations

import asyncio
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from adapters.web.api.ports import ApiParts
from adapters.web.page.edge_figures import read_figures
from adapters.web.page.failure import not_offered
from adapters.web.page.frame import Frame
from adapters.web.page.health import behind
from adapters.web.page.words import QUARANTINE, tell_event
from domain.books import Count

_SHOWN = 50


class LedgerPage:
    """The endpoint."""

    def __init__(self, parts: ApiParts, frame: Frame) -> None:
        self._parts = parts
        self._frame = frame

    async def show(self, request: Request) -> Response:
        """The page; 400 for a reason that does not exist."""
        reason = request.query_params.get("reason") or None
        if reason is not None and reason not in QUARANTINE:
            raise not_offered("reason", QUARANTINE)
        feed = await self._frame.feed()
        query = self._parts.query
        return await self._frame.answer(
            "ledger.html",
            place="ledger",
            feed=feed,
            every=5,
            counts=[count.value for count in Count],
            behind=partial(behind, ends=self._frame.lag.ends),
            refused=[{**row, "text": tell_event(row)} for row in await query.refused(_SHOWN)],
            quarantined=await query.quarantine(reason, _SHOWN),
            reasons=QUARANTINE,
            reason=reason,
            shown=_SHOWN,
            figures=read_figures(await asyncio.to_thread(self._parts.read_edge)),
        )
