"""A database brought back from a backup: the projector reads on from its older positions, and ends in the same rows."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator

import psycopg
import pytest

from adapters.embedded.postgres import bin_dir
from adapters.ledger.admin import reset
from consumers import projector as projector_module
from domain.errors import PositionError
from tests.integration.scene import PATIENCE_S, Scene, differences, running, wait_until
from tests.integration.traffic import append_all, traffic


@pytest.fixture
def halfway(scene: Scene) -> Scene:
    """A scene whose ledger has read half of the topic."""
    sent = traffic(9, 2_000)
    append_all(scene.bootstrap, scene.topic, sent[:1_000])
    scene.project(max_records=100)
    append_all(scene.bootstrap, scene.topic, sent[1_000:])
    return scene


def test_a_restored_database_ends_in_the_same_rows(
    halfway: Scene, copy_database: Callable[[str], str], backup: bytes, empty_database_url: str
) -> None:
    """From a copy of the files, and from a dump; both of a time when half of the topic was read."""
    copied = halfway._replace(url=copy_database(halfway.url.rsplit("/", 1)[1]))
    run("pg_restore", "--dbname", empty_database_url, "--exit-on-error", given=backup)
    dumped = halfway._replace(url=empty_database_url)
    halfway.project()
    for restored in (copied, dumped):
        assert sum(restored.offsets().values()) < sum(halfway.offsets().values())
        restored.project(max_records=70)
        restored.check()
        assert differences(restored.rows(), halfway.rows()) == []


@pytest.fixture
def backup(halfway: Scene) -> bytes:
    """A dump of that ledger."""
    return run("pg_dump", "--format", "custom", halfway.url)


def run(program: str, *arguments: str, given: bytes = b"") -> bytes:
    """One of Postgres's own programs."""
    command = [str(bin_dir() / program), *arguments]
    return subprocess.run(command, check=True, input=given, capture_output=True).stdout


def test_a_database_restored_under_a_running_projector_is_read_on_from(
    halfway: Scene, old_tables: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projector_module, "INSPECT_EVERY_S", PATIENCE_S)  # the next batch finds it first
    with running(halfway, max_records=100) as projector:
        wait_until(halfway.is_at_end)
        old_tables()
        append_all(halfway.bootstrap, halfway.topic, traffic(10, 200))
        wait_until(halfway.is_at_end)
        assert "fenced" in projector.meter.retries
    halfway.check()


def test_a_ledger_restored_or_emptied_under_a_projector_of_a_quiet_topic_is_brought_up_again(
    halfway: Scene, old_tables: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projector_module, "INSPECT_EVERY_S", 0.1)
    with running(halfway) as projector:
        for disturb in (old_tables, lambda: reset(halfway.url)):
            wait_until(halfway.is_at_end)
            before = projector.meter.batches
            disturb()
            wait_until(lambda before=before: projector.meter.batches > before)  # type: ignore[misc]
        wait_until(halfway.is_at_end)
        assert projector.meter.retries == []
    halfway.check()


TABLES = ("rules", "position", "inquiry", "event", "sighting", "revision", "quarantined")


@pytest.fixture
def old_tables(halfway: Scene) -> Iterator[Callable[[], None]]:
    """Puts back what the tables hold now."""
    with psycopg.connect(halfway.url, autocommit=True) as connection:
        for table in TABLES:
            connection.execute(f"CREATE TABLE old_{table} AS TABLE ledger.{table}")

        def put_back() -> None:
            with connection.transaction():
                for table in TABLES:
                    connection.execute(f"TRUNCATE ledger.{table}")
                    connection.execute(f"INSERT INTO ledger.{table} TABLE old_{table}")

        yield put_back


def test_a_database_newer_than_the_log_is_refused(halfway: Scene) -> None:
    """The log, not the database, was brought back from a backup."""
    halfway.project()
    before = halfway.rows()
    with psycopg.connect(halfway.url, autocommit=True) as connection:
        connection.execute("UPDATE ledger.position SET next_offset = next_offset + 5, gaps = gaps + 5")
    with pytest.raises(PositionError, match="the log was restored from an older copy"):
        halfway.project()
    assert halfway.rows()["current_decision"] == before["current_decision"]
