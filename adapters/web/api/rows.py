"""Reading one row each for many requests at once: those that come while a query is under way share the next one.

One query costs an event loop about as much as all else of a request; a thousand waiters that come back at once would
queue for the pool's connections, and lose patience. A request never shares a query that began before it came.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from itertools import islice
from typing import Protocol

from domain.errors import LedgerError
from domain.reading import ViewRow

#: Queries under way at most, and inquiries in one of them.
_MAX_QUERIES = 2
_MAX_BATCH = 1_000

Answer = asyncio.Future[ViewRow | None]


class RowsReader(Protocol):
    """What is read. LedgerUnavailable, SchemaError."""

    async def decisions(self, inquiry_ids: Collection[str]) -> Sequence[ViewRow]:
        """Rows of `current_decision`, of those inquiries that are known."""


class Rows:
    """Rows of `current_decision`. For one event loop."""

    def __init__(self, query: RowsReader) -> None:
        self._query = query
        self._wanted: dict[str, list[Answer]] = {}
        self._queries: set[asyncio.Task[None]] = set()

    async def read(self, inquiry_id: str) -> ViewRow | None:
        """The row; None where the inquiry is unknown. LedgerUnavailable, SchemaError."""
        answer: Answer = asyncio.get_running_loop().create_future()
        self._wanted.setdefault(inquiry_id, []).append(answer)
        if len(self._queries) < _MAX_QUERIES:
            task = asyncio.create_task(self._ask())
            self._queries.add(task)
            task.add_done_callback(self._queries.discard)
        return await answer

    async def _ask(self) -> None:
        while self._wanted:
            batch = {inquiry_id: self._wanted.pop(inquiry_id) for inquiry_id in list(islice(self._wanted, _MAX_BATCH))}
            try:
                rows = {row["inquiry_id"]: row for row in await self._query.decisions(batch)}
            except LedgerError as error:
                _fail(batch, error)
            else:
                for inquiry_id, answers in batch.items():
                    _settle(answers, rows.get(inquiry_id))
            finally:
                _drop(batch)


def _settle(answers: list[Answer], row: ViewRow | None) -> None:
    for answer in answers:
        if not answer.done():
            answer.set_result(row)


def _fail(batch: dict[str, list[Answer]], error: LedgerError) -> None:
    for answer in [answer for answers in batch.values() for answer in answers if not answer.done()]:
        answer.set_exception(error)


def _drop(batch: dict[str, list[Answer]]) -> None:
    """Who is not answered by now never will be: there was an error that nobody meant."""
    for answers in batch.values():
        for answer in answers:
            answer.cancel()
