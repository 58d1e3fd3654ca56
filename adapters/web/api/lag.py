"""How far the ledger is behind its log, in time: what readers are told with every answer.

The end of the log is looked at twice a second. What was there at one look is in the ledger once the positions have
passed it, so "every record appended until then is in the ledger" is known, not estimated. Where the log does not
answer, the number grows: then nothing newer is known.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple

from domain.errors import LedgerError
from domain.reading import Offsets

_LOOK_EVERY_S = 0.5

#: Looks that are kept while the ledger is behind. Beyond that every second one goes.
_MAX_LOOKS = 1_000


class _Look(NamedTuple):
    at: float
    ends: Mapping[int, int]


class Lag:
    """Compares where the log ended with how far the ledger is."""

    def __init__(self, log_ends: Callable[[], Mapping[int, int]], clock: Callable[[], float] = time.monotonic) -> None:
        """`log_ends`: asked in a thread. `clock`: seconds, of any beginning."""
        self._log_ends = log_ends
        self._clock = clock
        self._looks: deque[_Look] = deque()
        self._offsets: Offsets = {}
        self._complete_at: float | None = None
        #: Partition → the end at the last look; empty before the first.
        self.ends: Mapping[int, int] = {}

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(_LOOK_EVERY_S)

    async def look(self) -> None:
        """Look where the log ends."""
        at = self._clock()
        try:
            ends = await asyncio.to_thread(self._log_ends)
        except LedgerError:
            return
        if any(end < self.ends.get(partition, 0) for partition, end in ends.items()):
            self._looks.clear()  # another log
        self.ends = ends
        self._looks.append(_Look(at, ends))
        if len(self._looks) > _MAX_LOOKS:
            self._looks = deque([*self._looks][::2])
        self._settle()

    def move(self, offsets: Offsets, is_anew: bool) -> None:
        """The ledger is that far; `is_anew`: it was emptied before."""
        self._offsets = offsets
        if is_anew:
            self._complete_at = None
        self._settle()

    def seconds(self) -> int | None:
        """Whole seconds, rounded up (0: under one); every record appended longer ago than that is in the ledger. None
        where nothing is known yet."""
        if self._complete_at is None:
            return None
        behind = self._clock() - self._complete_at
        return 0 if behind < 1 else math.ceil(behind)

    def _settle(self) -> None:
        while self._looks and self._has_reached(self._looks[0].ends):
            self._complete_at = self._looks.popleft().at

    def _has_reached(self, ends: Mapping[int, int]) -> bool:
        return all(self._offsets.get(partition, 0) >= end for partition, end in ends.items())
