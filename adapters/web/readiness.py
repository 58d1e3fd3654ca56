"""Whether this process can do its work, asked at most once a second however many ask."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from domain.errors import LedgerError

_FRESH_S = 1.0
_TIMEOUT_S = 5.0


class Readiness:
    """Asks `find_problems` in a thread, since it may go over the network; one question at a time."""

    def __init__(self, find_problems: Callable[[], Sequence[str]]) -> None:
        self._find_problems = find_problems
        self._question: asyncio.Future[Sequence[str]] | None = None
        self._asked_at = 0.0

    async def problems(self) -> Sequence[str]:
        """What keeps this process from its work, for people. Nothing personal: of LedgerError only the message."""
        question = self._question
        if question is None or (question.done() and time.monotonic() - self._asked_at > _FRESH_S):
            self._asked_at = time.monotonic()
            question = self._question = asyncio.ensure_future(asyncio.to_thread(self._find))
        try:
            return await asyncio.wait_for(asyncio.shield(question), _TIMEOUT_S)
        except TimeoutError:
            return [f"the question whether all is well was not answered within {_TIMEOUT_S:.0f} s"]

    def _find(self) -> Sequence[str]:
        try:
            return list(self._find_problems())
        except LedgerError as error:
            return [str(error)]
