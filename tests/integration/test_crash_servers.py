"""Kafka and Postgres are killed under load: the projector goes on by itself, and ends in the rows of a quiet run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.embedded.kafka import EmbeddedKafka
from adapters.embedded.postgres import EmbeddedPostgres
from adapters.kafka_log.topic import KafkaTopic
from adapters.ledger.schema import migrate
from tests.integration.scene import Running, Scene, running, wait_until
from tests.integration.traffic import load


def moves(scene: Scene) -> None:
    """Wait until the projector has written something."""
    before = scene.offsets()
    wait_until(lambda: scene.offsets() != before)


def test_postgres_is_killed_and_stopped_under_load(
    kafka: EmbeddedKafka, topic: str, data_dir: Path, request: pytest.FixtureRequest
) -> None:
    with EmbeddedPostgres(data_dir / request.node.name) as postgres:
        migrate(postgres.url)
        scene = Scene(kafka.bootstrap, topic, postgres.url)
        with running(scene, max_records=50) as projector:
            with load(scene.bootstrap, scene.topic, 5):
                for end in (postgres.kill, postgres.stop):
                    moves(scene)
                    interrupt(projector, end)
                    postgres.start()
                    moves(scene)
            wait_until(scene.is_at_end)
        scene.check()


def interrupt(projector: Running, end: Callable[[], None]) -> None:
    """End Postgres, and let the projector find out."""
    before = len(projector.meter.retries)
    end()
    wait_until(lambda: "unavailable" in projector.meter.retries[before:])


def test_kafka_is_killed_and_stopped_under_load(
    database_url: str, data_dir: Path, request: pytest.FixtureRequest
) -> None:
    with EmbeddedKafka(data_dir / request.node.name) as kafka:
        with KafkaTopic(kafka.bootstrap, "events") as log:
            log.create(6)
        scene = Scene(kafka.bootstrap, "events", database_url)
        with running(scene, max_records=50):
            with load(scene.bootstrap, scene.topic, 6):
                for end in (kafka.kill, kafka.stop):
                    moves(scene)
                    end()
                    kafka.start()
                    moves(scene)
            wait_until(scene.is_at_end)
        scene.check()
