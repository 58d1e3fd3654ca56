"""The ledgers that every behaviour suite runs on, and their readers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing

import psycopg
import pytest

from adapters.ledger.query import LedgerQuery
from adapters.ledger.read import LedgerReader
from adapters.ledger.write import PostgresLedger
from adapters.memory import MemoryLedger
from adapters.memory.reading import MemoryQuery
from tests.ledgers import Views
from tests.readers import Readable

#: Like `reset`, which truncates: on a handful of rows this takes a tenth of its time.
_EMPTY = "; ".join(
    f"DELETE FROM ledger.{table}"
    for table in ("rules", "position", "inquiry", "event", "sighting", "revision", "quarantined")
)


@pytest.fixture(params=["memory", "postgres"])
def views(request: pytest.FixtureRequest) -> Iterator[Callable[[], Views]]:
    """Makes a ledger that nothing was written to, as often as it is called (the one before is then gone)."""
    if request.param == "memory":
        yield _memory
        return
    url: str = request.getfixturevalue("database_url")
    ledger = PostgresLedger(url, "topic")
    with LedgerReader(url) as reader, psycopg.connect(url, autocommit=True) as connection:

        def empty() -> Views:
            connection.execute(_EMPTY)
            return Views(ledger, "topic", reader.view)

        yield empty
    ledger.close()


def _memory() -> Views:
    ledger = MemoryLedger("topic")
    return Views(ledger, "topic", ledger.view)


@pytest.fixture(params=["memory", "postgres"])
def readable(request: pytest.FixtureRequest) -> Callable[[], Readable]:
    """Makes an empty ledger of topic `topic` with its reader, as often as it is called (the last one is then gone)."""
    make: Callable[[], Readable] = request.getfixturevalue(f"{request.param}_readable")
    return make


@pytest.fixture
def memory_readable() -> Iterator[Callable[[], Readable]]:
    """In memory."""
    with asyncio.Runner() as runner:

        def make() -> Readable:
            ledger = MemoryLedger("topic")
            return Readable(Views(ledger, "topic", ledger.view), MemoryQuery(ledger), runner.run)

        yield make


@pytest.fixture(scope="session")
def postgres_readable(kept_database_url: str, as_reader: Callable[[str], str]) -> Iterator[Callable[[], Readable]]:
    """On Postgres. The reader's user has the role `ledger_reader`, so whatever passes here needs no other."""
    url, query = kept_database_url, LedgerQuery(as_reader(kept_database_url), "topic", min_size=1, max_size=2)
    with (
        asyncio.Runner() as runner,
        closing(PostgresLedger(url, "topic")) as ledger,
        LedgerReader(url) as reader,
        psycopg.connect(url, autocommit=True) as connection,
    ):

        def empty() -> Readable:
            connection.execute(_EMPTY)
            return Readable(Views(ledger, "topic", reader.view), query, runner.run)

        runner.run(query.open())
        yield empty
        runner.run(query.close())
