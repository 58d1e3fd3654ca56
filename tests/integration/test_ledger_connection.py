"""Connections that are lost, held, frozen or refused: each in the project's words, and each can be gone on from."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import psycopg
import pytest

from adapters.ledger import connection as connection_module
from adapters.ledger import write as write_module
from adapters.ledger.connection import connect
from adapters.ledger.read import LedgerReader
from adapters.ledger.write import PostgresLedger, PostgresTransaction
from consumers.batch import write_batch
from domain.errors import Contended, Fenced, LedgerUnavailable
from domain.event import Event, from_millis
from tests.integration.scene import wait_until
from tests.ledgers import RULES, Views, batch_of, begin, place, project

TOPIC = "events"

CREATED = Event("inq_1", "evt_1", "inquiry.created", from_millis(1000))
APPROVED = Event("inq_1", "evt_2", "inquiry.approved", from_millis(2000))

MOVE = {0: (1, 2)}


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time-outs of a connection, in tenths of a second."""
    options = connection_module.OPTIONS
    for name, hasty_ms in (("LOCK_TIMEOUT_MS", 200), ("IDLE_IN_TRANSACTION_TIMEOUT_MS", 400)):
        options = options.replace(f"={getattr(connection_module, name)}", f"={hasty_ms}")
    monkeypatch.setattr(connection_module, "OPTIONS", options)
    monkeypatch.setattr(write_module, "IDLE_IN_TRANSACTION_TIMEOUT_MS", 400)


@pytest.fixture
def views(database_url: str) -> Iterator[Views]:
    """A ledger that has read one record, after any time-outs of the test are set."""
    with closing(PostgresLedger(database_url, TOPIC)) as ledger, LedgerReader(database_url) as reader:
        yield project(Views(ledger, TOPIC, reader.view), [CREATED])


@pytest.fixture
def sql(database_url: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A connection beside those of the ledger."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


def write_next(views: Views) -> None:
    """The second record."""
    write_batch(views.ledger, batch_of(place([APPROVED], TOPIC, start=1)), RULES)


def end_sessions(sql: psycopg.Connection[tuple[object, ...]]) -> None:
    """What an administrator does."""
    sql.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'inquiry-ledger'")


@pytest.mark.parametrize("step", ["before", "inside", "at the end"])
def test_a_session_that_was_ended_leaves_nothing_and_the_next_call_has_another(
    views: Views, sql: psycopg.Connection[tuple[object, ...]], database_url: str, step: str
) -> None:
    before = views.rows()

    def lose_it() -> None:
        with views.ledger.begin(MOVE) as transaction:
            end_sessions(sql)
            if step == "inside":
                transaction.load(["inq_1"])

    if step == "before":
        end_sessions(sql)
    with pytest.raises(LedgerUnavailable):
        lose_it()
    with LedgerReader(database_url) as reader:
        again = views._replace(read=reader.view)
        assert again.rows() == before
        write_next(again)
        assert again.read("current_decision")[0]["decision"] == "approved"


@pytest.mark.usefixtures("hasty")
def test_whoever_waits_for_a_lock_is_told_and_may_try_again(views: Views, database_url: str) -> None:
    with closing(PostgresLedger(database_url, TOPIC)) as other:
        with other.begin(MOVE), pytest.raises(Contended):
            write_next(views)
        write_next(views)
    assert views.read("books")[0]["next_offset"] == 2


@contextmanager
def idle(transaction: PostgresTransaction) -> Iterator[None]:
    """Frozen between two statements."""
    yield


@contextmanager
def in_a_copy(transaction: PostgresTransaction) -> Iterator[None]:
    """Frozen while rows are sent: no time-out of Postgres ends that."""
    with transaction._cursor.copy("COPY ledger.quarantined FROM STDIN"):
        yield


@contextmanager
def in_a_result(transaction: PostgresTransaction) -> Iterator[None]:
    """Frozen while rows are received, more than fit on the way: no time-out of Postgres ends that either."""
    transaction._cursor.connection.pgconn.send_query(b"SELECT repeat('x', 1000) FROM generate_series(1, 100000)")
    yield


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("frozen", [idle, in_a_copy, in_a_result])
def test_a_frozen_writer_does_not_hold_its_successor(
    views: Views, database_url: str, frozen: Callable[[PostgresTransaction], Iterator[None]]
) -> None:
    attempts = itertools.count()

    def try_again() -> bool:
        try:
            write_next(views)
        except Contended:
            return next(attempts) < 0
        return True

    def freeze() -> None:
        with zombie.begin(MOVE) as transaction, frozen(transaction):  # type: ignore[attr-defined]
            wait_until(try_again, 20)

    with closing(PostgresLedger(database_url, TOPIC)) as zombie:
        with pytest.raises(LedgerUnavailable):
            freeze()
        assert next(attempts) > 0, "it was to meet the locks of the other"
        with pytest.raises(Fenced):
            write_next(views._replace(ledger=zombie))
    assert views.read("current_decision")[0]["decision"] == "approved"


@pytest.mark.usefixtures("hasty")
def test_a_writer_at_work_is_not_taken_for_a_frozen_one(views: Views, database_url: str) -> None:
    with (
        closing(PostgresLedger(database_url, TOPIC)) as busy,
        ThreadPoolExecutor(1) as pool,
        busy.begin(MOVE) as transaction,
    ):
        working = pool.submit(transaction._cursor.execute, "SELECT pg_sleep(1.5)")
        while not working.done():
            with pytest.raises(Contended):
                write_next(views)
        working.result()


def test_a_server_that_is_not_there_is_unavailable_and_no_secret_is_told() -> None:
    url = "postgresql://somebody:hunter2@127.0.0.1:1/ledger"
    with closing(PostgresLedger(url, TOPIC)) as ledger, pytest.raises(LedgerUnavailable) as caught:
        ledger.positions()
    assert "hunter2" not in str(caught.value)
    assert "somebody" not in str(caught.value)


def test_a_standby_is_unavailable(database_url: str, sql: psycopg.Connection[tuple[object, ...]]) -> None:
    name = database_url.rsplit("/", 1)[1]
    sql.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with closing(PostgresLedger(database_url, TOPIC)) as ledger, pytest.raises(LedgerUnavailable):
        begin(Views(ledger, TOPIC, lambda _: []))


def test_a_connection_says_who_it_is_and_keeps_time_in_utc(database_url: str) -> None:
    with connect(database_url) as connection:
        (row,) = connection.execute(
            "SELECT current_setting('application_name'), current_setting('timezone'), "
            "current_setting('lock_timeout'), current_setting('idle_in_transaction_session_timeout')"
        ).fetchall()
    assert row == ("inquiry-ledger", "UTC", "5s", "8s")
