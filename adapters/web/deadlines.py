"""Time-outs of one length: they end in the order in which they began, so one timer serves all of them.

A timer for each (`asyncio.timeout`, `call_later`) costs a request about a twentieth of all it costs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Deadlines(Generic[T]):
    """Of things that are under way in one event loop; a new loop begins without those of the one before."""

    def __init__(self, timeout_s: float, expire: Callable[[T], None]) -> None:
        """`expire` is called, in the loop, for what has not ended in time."""
        self._timeout_s = timeout_s
        self._expire = expire
        self._ends: dict[T, float] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_watching = False

    def begin(self, thing: T) -> None:
        """From now on."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._is_watching = loop, False
            self._ends.clear()
        self._ends[thing] = loop.time() + self._timeout_s
        if not self._is_watching:
            self._is_watching = True
            loop.call_later(self._timeout_s, self._look, loop)

    def end(self, thing: T) -> None:
        """In time, or too late: then nothing happens."""
        self._ends.pop(thing, None)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._ends:
            thing, end = next(iter(self._ends.items()))
            if end > loop.time():
                loop.call_at(end, self._look, loop)
                return
            del self._ends[thing]
            self._expire(thing)
        self._is_watching = False
