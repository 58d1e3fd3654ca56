"""What is around the content of each page: the state of the ledger, the clock, and where its live feed begins."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from adapters.web.api.cursor import cursor_at, encode_changes
from adapters.web.api.lag import Lag
from adapters.web.api.ports import ApiParts
from adapters.web.page.health import judge
from adapters.web.page.rendering import Renderer
from domain.books import Count


class Frame:
    """Draws a page's content into its frame."""

    def __init__(self, parts: ApiParts, lag: Lag, renderer: Renderer) -> None:
        self._parts = parts
        self._renderer = renderer
        self.lag = lag

    def now(self) -> datetime:
        """UTC, cut to milliseconds."""
        return datetime.fromtimestamp(int(self._parts.clock() * 1000) / 1000, UTC)

    async def feed(self) -> str:
        """Where the changes come from that this page may not show yet. To be asked before anything is read for the
        page, so that nothing falls in between."""
        cursor = cursor_at(self._parts.topic, await self._parts.query.positions())
        return f"/v1/changes?{urlencode({'cursor': encode_changes(cursor)})}"

    async def answer(self, template: str, status: int = 200, **values: Any) -> Response:
        """The page. `values`: what the template names, `place` and `feed` among them; besides these it is given `books`
        with their `total`."""
        books = await self._parts.query.books()
        total = {count.value: sum(row[count.value] for row in books) for count in Count}
        given: dict[str, Any] = {"books": books, "total": total, "health": judge(books, self.lag), "now": self.now()}
        return self._renderer.answer(template, status, **given, **values)
