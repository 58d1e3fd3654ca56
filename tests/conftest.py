"""Servers and databases for the tests: one Kafka and one Postgres a session, started when first asked for."""

from __future__ import annotations

import itertools
import logging
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest
import structlog
from hypothesis import HealthCheck, settings

from adapters.embedded.kafka import EmbeddedKafka
from adapters.embedded.postgres import EmbeddedPostgres
from adapters.kafka_log.topic import KafkaTopic
from adapters.ledger.schema import migrate

settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
settings.register_profile("ci", settings.get_profile("default"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")

_numbers = itertools.count()


@pytest.fixture(autouse=True)
def _fresh_logs() -> Iterator[None]:
    """What one test made of the process's logs is not the next one's."""
    before = logging.getLogger().handlers[:]
    yield
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = before


@pytest.fixture(scope="session")
def data_dir() -> Iterator[Path]:
    """A folder for servers' data, gone afterwards (Postgres must be able to enter it, which pytest's do not allow)."""
    folder = Path(tempfile.mkdtemp(prefix="inquiry-ledger-tests-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def kafka(data_dir: Path) -> Iterator[EmbeddedKafka]:
    """The session's broker. Tests that stop or kill one take the other."""
    with EmbeddedKafka(data_dir / "kafka") as server:
        yield server


@pytest.fixture(scope="session")
def _other_kafka(data_dir: Path) -> Iterator[EmbeddedKafka]:
    with EmbeddedKafka(data_dir / "unsteady-kafka") as server:
        yield server


@pytest.fixture
def unsteady_kafka(_other_kafka: EmbeddedKafka) -> Iterator[EmbeddedKafka]:
    """A broker that a test may stop and kill, and that the next one finds running."""
    yield _other_kafka
    if not _other_kafka.is_running:
        _other_kafka.start()


@pytest.fixture
def unsteady_topic(unsteady_kafka: EmbeddedKafka) -> str:
    """A new topic of that broker, with six partitions."""
    return _make_topic(unsteady_kafka)


@pytest.fixture(scope="session")
def postgres(data_dir: Path) -> Iterator[EmbeddedPostgres]:
    """The session's Postgres, with a migrated database `template` to copy."""
    with EmbeddedPostgres(data_dir / "postgres") as server:
        _execute(server.url, "CREATE DATABASE template_ledger")
        migrate(_in_database(server.url, "template_ledger"))
        yield server


@pytest.fixture
def make_topic(kafka: EmbeddedKafka) -> Callable[[int], str]:
    """Makes a new topic with so many partitions."""

    return partial(_make_topic, kafka)


def _make_topic(kafka: EmbeddedKafka, partitions: int = 6) -> str:
    name = f"events-{next(_numbers)}"
    with KafkaTopic(kafka.bootstrap, name) as topic:
        topic.create(partitions)
    return name


@pytest.fixture
def topic(make_topic: Callable[[int], str]) -> str:
    """A new topic with six partitions."""
    return make_topic(6)


@pytest.fixture
def empty_database_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A new database with nothing in it."""
    yield from _database(postgres.url, "template0")


@pytest.fixture
def database_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A new database with the schema in it."""
    yield from _database(postgres.url, "template_ledger")


@pytest.fixture(scope="session")
def kept_database_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """One database with the schema in it, for tests that empty it themselves."""
    yield from _database(postgres.url, "template_ledger")


@pytest.fixture(scope="session")
def as_reader(postgres: EmbeddedPostgres) -> Iterator[Callable[[str], str]]:
    """Turns the URL of a database into that of a user who has the role `ledger_reader` and nothing else."""
    user, password = "only_reads", secrets.token_hex(8)
    _execute(postgres.url, f"CREATE ROLE {user} LOGIN PASSWORD '{password}' IN ROLE ledger_reader")
    yield lambda url: f"postgresql://{user}:{password}@{url.split('@')[1]}"
    _execute(postgres.url, f"DROP ROLE {user}")


def _database(url: str, template: str) -> Iterator[str]:
    name = f"ledger_{next(_numbers)}"
    _execute(url, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield _in_database(url, name)
    _execute(url, f"DROP DATABASE {name} WITH (FORCE)")


def _execute(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


def _in_database(url: str, name: str) -> str:
    return url.rsplit("/", 1)[0] + f"/{name}"
