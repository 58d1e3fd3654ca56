"""Scenes for tests with a real Kafka and a real Postgres."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import count

import psycopg
import pytest

from adapters.embedded.kafka import EmbeddedKafka
from adapters.embedded.postgres import EmbeddedPostgres
from tests.integration.scene import Scene

_numbers = count()


@pytest.fixture
def scene(kafka: EmbeddedKafka, topic: str, database_url: str) -> Scene:
    """A new topic with six partitions, and a new database with the schema in it."""
    return Scene(kafka.bootstrap, topic, database_url)


@pytest.fixture
def copy_database(postgres: EmbeddedPostgres) -> Iterator[Callable[[str], str]]:
    """Makes a database that is a copy of the one named (nobody may be in that), and returns its URL."""
    made: list[str] = []
    server = postgres.url.rsplit("/", 1)[0]

    def copy(name: str) -> str:
        made.append(f"copy_{next(_numbers)}")
        connection.execute(f"CREATE DATABASE {made[-1]} TEMPLATE {name}")
        return f"{server}/{made[-1]}"

    with psycopg.connect(postgres.url, autocommit=True) as connection:
        yield copy
        for name in made:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def make_scene(
    kafka: EmbeddedKafka, make_topic: Callable[[int], str], copy_database: Callable[[str], str]
) -> Callable[[], Scene]:
    """Makes scenes, where a test needs several."""
    return lambda: Scene(kafka.bootstrap, make_topic(6), copy_database("template_ledger"))


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without workers, which take a second to start."""
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
