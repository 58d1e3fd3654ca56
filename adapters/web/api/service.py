"""What the endpoints share: the collaborators, the one tail of changes, and how answers are made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import Any

from adapters.web.api.answers import Answers
from adapters.web.api.lag import Lag
from adapters.web.api.metrics import ApiMetrics
from adapters.web.api.ports import ApiParts
from adapters.web.api.rows import Rows
from adapters.web.api.tail import Tail

#: Readiness fails beyond it.
MAX_LAG_S = 60


class Service:
    """One application's."""

    def __init__(self, parts: ApiParts) -> None:
        self.parts = parts
        self.rows = Rows(parts.query)
        self.tail = Tail(parts.query, parts.notices)
        self.lag = Lag(parts.log_ends)
        self.tail.on_move = self.lag.move
        self.answers = Answers(self.lag)
        self.metrics = ApiMetrics(parts.registry, self.tail, self.lag)
        #: Proofs read the log, one at a time; and they must not keep the other threads busy.
        self._prover = ThreadPoolExecutor(1, thread_name_prefix="explain")
        self._tasks: list[asyncio.Task[None]] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While the application runs."""
        async with self.parts.connect():
            self._tasks = [asyncio.create_task(self.tail.run()), asyncio.create_task(self.lag.run())]
            try:
                yield
            finally:
                await self._end()

    async def _end(self) -> None:
        self.tail.stop()
        self._prover.shutdown(wait=False, cancel_futures=True)
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def explain(self, inquiry_id: str) -> Any:
        """The proof of an inquiry; None where it is unknown."""
        return await asyncio.get_running_loop().run_in_executor(self._prover, self.parts.explain, inquiry_id)

    def find_problems(self) -> list[str]:
        """What keeps this process from its work. Asked in a thread."""
        return [*self.parts.find_problems(), *self._lag_problems(), *self._task_problems()]

    def _lag_problems(self) -> list[str]:
        behind = self.lag.seconds()
        if behind is None:
            return ["it is not known yet how far the ledger is behind the log"]
        return [f"the ledger is {behind} s behind the log"] if behind > MAX_LAG_S else []

    def _task_problems(self) -> list[str]:
        return ["a task of this process has ended: start it again"] if any(task.done() for task in self._tasks) else []
