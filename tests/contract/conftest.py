"""The ledgers that every behaviour suite runs on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest

from adapters.ledger.read import LedgerReader
from adapters.ledger.write import PostgresLedger
from adapters.memory import MemoryLedger
from tests.ledgers import Views

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
