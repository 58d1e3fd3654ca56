"""`/`: search, how many inquiries are decided how, and which of them wait the longest."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from adapters.web.api.ports import ApiParts
from adapters.web.page.failure import not_offered
from adapters.web.page.frame import Frame
from adapters.web.page.rendering import EVERY_S, HEADERS, NO_STORE
from adapters.web.page.words import DECISIONS, STATUSES
from domain.errors import LedgerUnavailable
from domain.event import is_text
from domain.reading import OPEN_DECISIONS, ViewRow, Wanted

_SHOWN = 100

#: What "stuck for" offers.
SPANS: Mapping[str, tuple[str, timedelta]] = {
    "1h": ("1 hour", timedelta(hours=1)),
    "1d": ("1 day", timedelta(days=1)),
    "3d": ("3 days", timedelta(days=3)),
    "7d": ("7 days", timedelta(days=7)),
    "30d": ("30 days", timedelta(days=30)),
}

#: Counting reads every row: after it comes a rest of so many times as long as it took.
_REST_TIMES = 20
_SOON_S = 0.1


class Filter(NamedTuple):
    """What the list is of. Without any, all that somebody may still be waiting for."""

    status: str | None
    decision: str | None
    stuck_for: str | None

    def wanted(self, now: datetime) -> Wanted:
        """For the query."""
        is_any = any(self)
        span = SPANS[self.stuck_for][1] if self.stuck_for else timedelta(0)
        unmoved_since = now - span if self.stuck_for or not is_any else None
        return Wanted(status=self.status, decision=self.decision, unmoved_since=unmoved_since)

    @property
    def title(self) -> str:
        """What is listed, for a heading."""
        words = [STATUSES[self.status]] if self.status else []
        words += [DECISIONS[self.decision]] if self.decision else []
        words += [f"waiting for at least {SPANS[self.stuck_for][0]}"] if self.stuck_for else []
        return ", ".join(words) if words else "Waiting for a decision"


def read_filter(query: Mapping[str, str]) -> Filter:
    """A page of 400 for a value that is not offered."""
    offered: Mapping[str, Mapping[str, Any]] = {"status": STATUSES, "decision": DECISIONS, "stuck_for": SPANS}
    chosen: dict[str, str | None] = {}
    for name, choices in offered.items():
        value = query.get(name) or None
        if value is not None and value not in choices:
            raise not_offered(name, choices)
        chosen[name] = value
    return Filter(**chosen)


class Overview:
    """The endpoint."""

    def __init__(self, parts: ApiParts, frame: Frame) -> None:
        self._parts = parts
        self._frame = frame
        self._counts = _Counts(parts)

    async def show(self, request: Request) -> Response:
        """The page, or the way to the one inquiry that was searched for."""
        searched = request.query_params.get("q", "").strip()
        chosen = read_filter(request.query_params)
        feed = await self._frame.feed()
        rows: Sequence[ViewRow] = await self._search(searched) if searched else await self._list(chosen)
        if searched and len(rows) == 1:
            return RedirectResponse(f"/inquiries/{quote(rows[0]['inquiry_id'], safe='')}", 303, {**HEADERS, **NO_STORE})
        return await self._frame.answer(
            "overview.html",
            place="inquiries",
            feed=feed,
            searched=searched,
            chosen=chosen,
            rows=rows,
            shown=_SHOWN,
            spans={key: text for key, (text, _) in SPANS.items()},
            decisions=DECISIONS,
            statuses=STATUSES,
            open_decisions=OPEN_DECISIONS,
            **await self._counts.read(feed),
        )

    async def _search(self, text: str) -> Sequence[ViewRow]:
        """By inquiry id, else by reference id; the exact text."""
        if not is_text(text):
            return []
        row = await self._parts.query.decision(text)
        return [row] if row else await self._parts.query.find(Wanted(reference_id=text), None, _SHOWN)

    async def _list(self, chosen: Filter) -> Sequence[ViewRow]:
        return await self._parts.query.find_longest(chosen.wanted(self._frame.now()), _SHOWN)


class _Counts:
    """How many inquiries have each decision and status. Counted again when the ledger has moved, but not more of the
    time than it is worth."""

    def __init__(self, parts: ApiParts) -> None:
        self._parts = parts
        self._one_at_a_time = asyncio.Lock()
        self._known: Mapping[str, Any] = {}
        self._feed = ""
        self._rests_until = 0.0

    async def read(self, feed: str) -> Mapping[str, Any]:
        """`by_decision` and `by_status`: term → inquiries; None in a ledger too large to count. `every`: after how many
        seconds it is worth to ask again. `feed`: how far the ledger is."""
        async with self._one_at_a_time:
            began = time.monotonic()
            if feed != self._feed and began >= self._rests_until:
                self._known, self._feed = await self._count(), feed
                took = time.monotonic() - began
                self._rests_until = began + took * _REST_TIMES
            is_of_now = feed == self._feed
            return {**self._known, "every": EVERY_S if is_of_now else self._rests_until - began + _SOON_S}

    async def _count(self) -> Mapping[str, Any]:
        try:
            rows = await self._parts.query.counts()
        except LedgerUnavailable:
            return {"by_decision": None, "by_status": None}
        by_decision: Counter[str] = Counter()
        by_status: Counter[str] = Counter()
        for row in rows:
            by_decision[row["decision"]] += row["inquiries"]
            by_status[row["status"]] += row["inquiries"]
        return {"by_decision": by_decision, "by_status": by_status}
