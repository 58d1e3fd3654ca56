"""Listening for notices in tests: when each came."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress

import psycopg

from adapters.ledger.notice import notices
from adapters.ledger.write import PostgresLedger
from consumers.batch import Batch, write_batch
from domain.books import Position
from tests.ledgers import RULES

TOPIC = "events"


class Seen:
    """The times at which notices came, by the loop's clock, in seconds."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self._came = asyncio.Event()

    async def collect(self, url: str) -> None:
        """For ever."""
        async with aclosing(notices(url)) as coming:
            async for _ in coming:
                self.times.append(asyncio.get_running_loop().time())
                self._came.set()

    async def wait(self, timeout_s: float = 20.0) -> float:
        """The time of the next notice."""
        self._came.clear()
        async with asyncio.timeout(timeout_s):
            await self._came.wait()
        return self.times[-1]


@asynccontextmanager
async def listening(url: str) -> AsyncIterator[Seen]:
    """Notices while the block lasts; whatever their iterator raises fails the test."""
    seen = Seen()
    task = asyncio.create_task(seen.collect(url))
    try:
        yield seen
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def count_listeners(url: str) -> int:
    """How many connections listen in the database of `url`."""
    with psycopg.connect(url) as connection:
        row = connection.execute(_LISTENERS).fetchone()
    assert row is not None
    return int(row[0])


_LISTENERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'inquiry-ledger-notices' AND query LIKE 'LISTEN%'
"""


async def until_listening(url: str, expected: int = 1) -> None:
    """Look until so many connections listen."""
    async with asyncio.timeout(20):
        while await asyncio.to_thread(count_listeners, url) != expected:
            await asyncio.sleep(0.02)


class Mover:
    """Moves a position, as a projector does."""

    def __init__(self, url: str) -> None:
        self._ledger = PostgresLedger(url, TOPIC)
        self._ledger.agree(RULES.versions)
        self._ledger.open([Position(0, "cluster", "topic", 0, 0)])
        self.close = self._ledger.close

    def move(self) -> None:
        """One offset on, committed."""
        (position,) = self._ledger.positions().values()
        write_batch(self._ledger, Batch(moves={0: (position.next_offset, position.next_offset + 1)}), RULES)


async def measure(seen: Seen, mover: Mover, times: int = 5) -> list[float]:
    """Seconds from commits (told to their writer) to their notices."""
    await seen.wait()  # whenever one came, what comes once a second is a second away
    delays = []
    for _ in range(times):
        coming = asyncio.create_task(seen.wait())
        await asyncio.sleep(0)
        await asyncio.to_thread(mover.move)
        committed = asyncio.get_running_loop().time()
        delays.append(await coming - committed)
    return delays
