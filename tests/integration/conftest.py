"""Scenes for tests with a real Kafka and a real Postgres."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from adapters.embedded.kafka import EmbeddedKafka
from tests.integration.scene import Scene


@pytest.fixture
def scene(kafka: EmbeddedKafka, topic: str, database_url: str) -> Scene:
    """A new topic with six partitions, and a new database with the schema in it."""
    return Scene(kafka.bootstrap, topic, database_url)


@pytest.fixture
def small_scene(kafka: EmbeddedKafka, make_topic: Callable[[int], str], database_url: str) -> Scene:
    """The same with one partition."""
    return Scene(kafka.bootstrap, make_topic(1), database_url)
