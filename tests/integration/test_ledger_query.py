"""Reading through the pool while connections end, and Postgres is stuck, frozen or stopped: LedgerUnavailable within
seconds, and right answers again as soon as it is back. Likewise for those who wait for notices."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from adapters.embedded.postgres import EmbeddedPostgres
from adapters.ledger import query as query_module
from adapters.ledger.query import LedgerQuery
from adapters.ledger.read import LedgerReader
from adapters.ledger.schema import migrate
from adapters.ledger.write import PostgresLedger
from consumers.cli import main
from domain.errors import LedgerUnavailable, SchemaError
from domain.event import Sighting
from domain.reading import Wanted
from tests.integration.notices_seen import TOPIC, Mover, listening, measure, until_listening
from tests.ledgers import Views, project
from tests.readers import happened

Question = Callable[[LedgerQuery], Awaitable[object]]

QUESTIONS: dict[str, Question] = {
    "decision": lambda query: query.decision("inq_1"),
    "decisions": lambda query: query.decisions(["inq_1"]),
    "find": lambda query: query.find(Wanted(), None, 1),
    "find_longest": lambda query: query.find_longest(Wanted(), 1),
    "history": lambda query: query.history("inq_1"),
    "revisions": lambda query: query.revisions("inq_1"),
    "records": lambda query: query.records("inq_1"),
    "changes": lambda query: query.changes({}, 1),
    "positions": lambda query: query.positions(),
    "books": lambda query: query.books(),
    "quarantine": lambda query: query.quarantine(),
    "counts": lambda query: query.counts(),
    "refused": lambda query: query.refused(),
}

#: Within which a call has to fail.
SECONDS = 6.0


def test_every_question_is_asked_here() -> None:
    public = {name for name in vars(LedgerQuery) if not name.startswith("_")}
    assert public - {"open", "close"} == set(QUESTIONS)


async def ask_all(query: LedgerQuery) -> list[object]:
    """Every question at once: the answers, and the errors in place of answers."""
    return await asyncio.gather(*(ask(query) for ask in QUESTIONS.values()), return_exceptions=True)


def failed(answers: list[object]) -> dict[str, str]:
    """Question → the class of its error, of those that failed."""
    return {
        name: type(answer).__name__
        for name, answer in zip(QUESTIONS, answers, strict=True)
        if isinstance(answer, BaseException)
    }


ALL_UNAVAILABLE = dict.fromkeys(QUESTIONS, LedgerUnavailable.__name__)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time-outs of a question, in tenths of a second."""
    options = query_module.CONNECTION["options"].replace(f"={query_module.STATEMENT_TIMEOUT_MS}", "=300")
    monkeypatch.setattr(query_module, "CONNECTION", {**query_module.CONNECTION, "options": options})
    monkeypatch.setattr(query_module, "ANSWER_WITHIN_S", 0.8)


@pytest.fixture(scope="module")
def own_postgres(data_dir: Path) -> Iterator[EmbeddedPostgres]:
    """A Postgres that tests stop and start again."""
    with EmbeddedPostgres(data_dir / "stopped") as server:
        migrate(server.url)
        with closing(Mover(server.url)):
            yield server


def test_every_question_fails_within_seconds_while_postgres_is_away_and_is_answered_when_it_is_back(
    own_postgres: EmbeddedPostgres,
) -> None:
    async def ask() -> None:
        async with LedgerQuery(own_postgres.url, TOPIC) as query:
            assert failed(await ask_all(query)) == {}
            own_postgres.stop()
            begun = time.monotonic()
            assert failed(await ask_all(query)) == ALL_UNAVAILABLE
            assert failed(await ask_all(query)) == ALL_UNAVAILABLE, "not only those that found a lost connection"
            assert time.monotonic() - begun < 2 * SECONDS
            await asyncio.to_thread(own_postgres.start)
            assert failed(await ask_all(query)) == {}

    asyncio.run(ask())


def test_a_restart_between_two_questions_is_not_noticed(own_postgres: EmbeddedPostgres) -> None:
    async def ask() -> None:
        async with LedgerQuery(own_postgres.url, TOPIC, min_size=4) as query:
            await ask_all(query)
            own_postgres.kill()
            own_postgres.start()
            assert failed(await ask_all(query)) == {}

    asyncio.run(ask())


def test_sessions_that_were_ended_while_idle_are_not_noticed(database_url: str) -> None:
    async def ask() -> None:
        async with LedgerQuery(database_url, TOPIC) as query:
            for _ in range(3):
                assert failed(await ask_all(query)) == {}
                with psycopg.connect(database_url) as admin:
                    admin.execute(f"SELECT pg_terminate_backend(pid, 5000) FROM ({_READERS}) AS r")

    asyncio.run(ask())


def test_a_server_that_comes_later_is_waited_for(own_postgres: EmbeddedPostgres) -> None:
    async def ask() -> None:
        own_postgres.stop()
        async with LedgerQuery(own_postgres.url, TOPIC) as query:
            with pytest.raises(LedgerUnavailable):
                await query.books()
            await asyncio.to_thread(own_postgres.start)
            assert len(await query.books()) == 1

    asyncio.run(ask())


def test_notices_go_on_while_postgres_is_away_and_tell_at_once_when_it_is_back(own_postgres: EmbeddedPostgres) -> None:
    async def listen() -> list[float]:
        async with listening(own_postgres.url) as seen:
            await until_listening(own_postgres.url)
            own_postgres.stop()
            stopped = await seen.wait()
            assert await seen.wait() - stopped < 2.0
            await asyncio.to_thread(own_postgres.start)
            await until_listening(own_postgres.url)
            with closing(Mover(own_postgres.url)) as mover:
                return await measure(seen, mover, 3)

    assert min(asyncio.run(listen())) < 0.1


@pytest.mark.usefixtures("hasty")
def test_a_question_that_waits_for_a_lock_fails_in_time(database_url: str) -> None:
    async def ask() -> None:
        async with LedgerQuery(database_url, TOPIC) as query:
            with psycopg.connect(database_url) as other:
                other.execute("LOCK TABLE ledger.inquiry IN ACCESS EXCLUSIVE MODE")
                with pytest.raises(LedgerUnavailable, match="QueryCanceled"):
                    await query.decision("inq_1")
            assert await query.decision("inq_1") is None

    asyncio.run(ask())


@pytest.mark.usefixtures("hasty")
def test_a_server_that_is_frozen_is_hung_up_on_and_another_session_answers(database_url: str) -> None:
    async def ask() -> float:
        async with LedgerQuery(database_url, TOPIC, min_size=1, max_size=1) as query:
            await query.books()
            with frozen(database_url):
                begun = time.monotonic()
                with pytest.raises(LedgerUnavailable):
                    await query.books()
                took = time.monotonic() - begun
                assert await query.books() == []
            return took

    assert asyncio.run(ask()) < 2.0


@contextmanager
def frozen(url: str) -> Iterator[None]:
    """The sessions of readers in a database, stopped while the block lasts."""
    with psycopg.connect(url) as connection:
        pids = [pid for (pid,) in connection.execute(_READERS)]
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


_READERS = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'inquiry-ledger-reader'
"""


def test_a_database_without_a_ledger_is_told_to_be_migrated(empty_database_url: str) -> None:
    async def ask() -> None:
        async with LedgerQuery(empty_database_url, TOPIC) as query:
            await query.books()

    with pytest.raises(SchemaError, match="migrate"):
        asyncio.run(ask())


def test_a_user_without_the_role_is_told_which_one_it_lacks(database_url: str, as_reader: Callable[[str], str]) -> None:
    name = psycopg.conninfo.conninfo_to_dict(as_reader(database_url))["user"]
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute(f"REVOKE ledger_reader FROM {name}")
        try:
            with pytest.raises(SchemaError, match="ledger_reader"):
                asyncio.run(_read_books(as_reader(database_url)))
        finally:
            admin.execute(f"GRANT ledger_reader TO {name}")


def test_the_commands_read_the_same_records_as_the_servers(database_url: str, as_reader: Callable[[str], str]) -> None:
    with closing(PostgresLedger(database_url, TOPIC)) as ledger, LedgerReader(as_reader(database_url)) as reader:
        said = [happened("created", reference_id="user-1"), happened("redacted", second=2)]
        project(Views(ledger, TOPIC, reader.view), said)
        assert reader.records("inq_1") == asyncio.run(_read_records(as_reader(database_url)))
        assert "user" not in repr(reader.records("inq_1"))


async def _read_records(url: str) -> Sequence[Sighting]:
    async with LedgerQuery(url, TOPIC) as query:
        return await query.records("inq_1")


async def _read_books(url: str) -> None:
    async with LedgerQuery(url, TOPIC) as query:
        await query.books()


def test_who_may_only_read_may_run_the_commands_that_only_read(
    database_url: str,
    as_reader: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LEDGER_DATABASE_URL", as_reader(database_url))
    ended = {}
    for command in (["history", "inq_1"], ["quarantine", "--json"]):
        monkeypatch.setattr(sys, "argv", ["inquiry-ledger", *command])
        with pytest.raises(SystemExit) as end:
            main()
        ended[command[0]] = (end.value.code, *capsys.readouterr())
    assert ended == {
        "history": (1, "", "inquiry-ledger: no such inquiry in the ledger\n"),
        "quarantine": (0, "[]\n", ""),
    }
