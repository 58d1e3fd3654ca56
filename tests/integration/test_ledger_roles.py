"""What each role may do: a reader sees the five views and nothing else, a writer runs the projector end to end."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from itertools import count

import psycopg
import pytest

from adapters.embedded.postgres import EmbeddedPostgres
from adapters.ledger.admin import reset
from adapters.ledger.read import VIEWS, LedgerReader
from adapters.ledger.schema import check_schema, downgrade, migrate
from domain.errors import SchemaError
from tests.integration.scene import Scene
from tests.integration.stand import make_stand, simulated
from tests.integration.traffic import append_all, traffic

TABLES = ("rules", "position", "inquiry", "event", "sighting", "revision", "quarantined", "alembic_version")

_numbers = count()


@pytest.fixture
def log_in(postgres: EmbeddedPostgres) -> Iterator[Callable[[str, str], str]]:
    """Makes a user with one of our roles, and returns the URL with which it comes into a database."""
    made: list[str] = []

    def make(url: str, role: str) -> str:
        user, password = f"user_{next(_numbers)}", secrets.token_hex(8)
        made.append(user)
        admin.execute(f"CREATE ROLE {user} LOGIN PASSWORD '{password}' IN ROLE {role}")
        return f"postgresql://{user}:{password}@{url.split('@')[1]}"

    with psycopg.connect(postgres.url, autocommit=True) as admin:
        yield make
        for user in made:
            admin.execute(f"DROP ROLE {user}")


@pytest.fixture
def owned_database_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """An empty database whose owner may create no role."""
    owner, password, server = f"owner_{next(_numbers)}", secrets.token_hex(8), postgres.url.split("@")[1]
    with psycopg.connect(postgres.url, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {owner} LOGIN PASSWORD '{password}' NOCREATEROLE")
        admin.execute(f"CREATE DATABASE {owner} TEMPLATE template0 OWNER {owner}")
        yield f"postgresql://{owner}:{password}@{server.rsplit('/', 1)[0]}/{owner}"
        admin.execute(f"DROP DATABASE {owner} WITH (FORCE)")
        admin.execute(f"DROP ROLE {owner}")


def test_where_both_roles_exist_an_owner_who_may_create_none_migrates(owned_database_url: str) -> None:
    migrate(owned_database_url)
    downgrade(owned_database_url, "base")
    assert migrate(owned_database_url) == check_schema(owned_database_url)


def test_a_reader_sees_the_five_views(database_url: str, log_in: Callable[[str, str], str]) -> None:
    with LedgerReader(log_in(database_url, "ledger_reader")) as reader:
        assert [reader.view(view) for view in VIEWS] == [[]] * 5


@pytest.mark.parametrize("table", TABLES)
def test_a_reader_sees_no_table(database_url: str, log_in: Callable[[str, str], str], table: str) -> None:
    url = log_in(database_url, "ledger_reader")
    with psycopg.connect(url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(f"SELECT FROM ledger.{table}")


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM ledger.quarantine",
        "UPDATE ledger.books SET next_offset = 0",
        "TRUNCATE ledger.rules",
        "CREATE TABLE ledger.mine ()",
        "CREATE VIEW ledger.mine AS SELECT 1",
        "DROP VIEW ledger.books",
    ],
)
@pytest.mark.parametrize("role", ["ledger_reader", "ledger_writer"])
def test_nobody_changes_what_is_not_theirs(
    database_url: str, log_in: Callable[[str, str], str], role: str, statement: str
) -> None:
    if (role, statement) == ("ledger_writer", "TRUNCATE ledger.rules"):
        statement = "TRUNCATE ledger.alembic_version"
    url = log_in(database_url, role)
    with psycopg.connect(url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


def test_a_writer_runs_the_projector_from_end_to_end(scene: Scene, log_in: Callable[[str, str], str]) -> None:
    append_all(scene.bootstrap, scene.topic, traffic(8, 1_000))
    writer = scene._replace(url=log_in(scene.url, "ledger_writer"))
    check_schema(writer.url)
    writer.project(max_records=200)
    writer.check()
    reset(writer.url)
    assert scene.offsets() == {}
    writer.project()
    writer.check()


def test_a_writer_publishes(scene: Scene, log_in: Callable[[str, str], str]) -> None:
    stand = make_stand(scene)
    stand.write(simulated(9, 20))
    writer = stand._replace(scene=scene._replace(url=log_in(scene.url, "ledger_writer")))
    assert writer.publish().revisions == len(stand.revisions()) > 0


def test_a_reader_that_would_write_is_told_what_it_lacks(scene: Scene, log_in: Callable[[str, str], str]) -> None:
    reader = scene._replace(url=log_in(scene.url, "ledger_reader"))
    with pytest.raises(SchemaError, match="grant it ledger_writer"):
        reader.project()
