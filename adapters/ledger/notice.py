"""Being told that positions moved: one LISTEN connection for a whole process.

A notice says that there may be something new, never what: whoever is woken reads the rows again. So none has to be
kept, several may be one, and one lost with its connection is made good by the one that every new connection brings.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress

import psycopg

from adapters.ledger.connection import CONNECT_TIMEOUT_S, translated
from domain.errors import LedgerUnavailable

CHANNEL = "ledger_position"

#: At least as often is whoever listens woken, whatever happens.
EVERY_S = 1.0

#: Between attempts to connect: the first pause, doubled up to the last.
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.1, 5.0


async def notices(url: str) -> AsyncGenerator[None, None]:
    """Yields at the start, after each connecting, after each commit that moved a position (several may be one), and at
    least once a second. It never ends, and Postgres may come and go meanwhile. To be closed with `aclose`."""
    news = asyncio.Event()
    news.set()
    listening = asyncio.create_task(_listen(url, news))
    try:
        while not listening.done():
            with suppress(TimeoutError):
                async with asyncio.timeout(EVERY_S):
                    await news.wait()
            news.clear()
            yield
        await listening
    finally:
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening


async def _listen(url: str, news: asyncio.Event) -> None:
    pause = _FIRST_PAUSE_S
    while True:
        with suppress(LedgerUnavailable), translated():
            async with await _connect(url) as connection:
                news.set()
                pause = _FIRST_PAUSE_S
                async for _ in connection.notifies():
                    news.set()
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LAST_PAUSE_S)


async def _connect(url: str) -> psycopg.AsyncConnection[tuple[object, ...]]:
    connection = await psycopg.AsyncConnection.connect(
        url,
        autocommit=True,
        connect_timeout=CONNECT_TIMEOUT_S,
        application_name="inquiry-ledger-notices",
        keepalives_idle=10,  # a line that went dead in silence is found within half a minute
        keepalives_interval=5,
        keepalives_count=4,
    )
    try:
        await connection.execute(f"LISTEN {CHANNEL}")
    except BaseException:
        await connection.close()
        raise
    return connection
