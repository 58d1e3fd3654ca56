"""The pages that one follower of the changes has not taken yet."""

from __future__ import annotations

import asyncio
from collections import deque

from domain.reading import ChangePage

#: Pages that a follower may be behind. Beyond that it reads the ledger for itself, from where it stands.
_MAX_PAGES = 64


class Inbox:
    """Of one follower. Pages follow each other, unless `is_overrun` says that some are missing."""

    def __init__(self) -> None:
        self._pages: deque[ChangePage] = deque()
        self._news = asyncio.Event()
        self.is_overrun = False
        self.is_closed = False

    def put(self, page: ChangePage) -> None:
        """The next page."""
        if len(self._pages) >= _MAX_PAGES:
            self.overrun()
        elif not self.is_overrun:
            self._pages.append(page)
            self._news.set()

    def overrun(self) -> None:
        """What comes next does not follow what came before."""
        self._pages.clear()
        self.is_overrun = True
        self._news.set()

    def close(self) -> None:
        """Nothing comes any more."""
        self.is_closed = True
        self._news.set()

    async def wait(self) -> None:
        """Until there is something to take, or it is overrun or closed."""
        await self._news.wait()

    def take(self) -> list[ChangePage]:
        """The pages since the last time."""
        pages = list(self._pages)
        self._pages.clear()
        if not self.is_closed:
            self._news.clear()
        return pages

    def restart(self) -> None:
        """The follower reads for itself now, and wants what comes from here on."""
        self.is_overrun = False
        self.take()
