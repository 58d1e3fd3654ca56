"""Kafka and Postgres are killed under load: the projector goes on by itself, and ends in the rows of a quiet run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.embedded.kafka import EmbeddedKafka
from adapters.embedded.postgres import EmbeddedPostgres
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
    unsteady_kafka: EmbeddedKafka, unsteady_topic: str, database_url: str
) -> None:
    scene = Scene(unsteady_kafka.bootstrap, unsteady_topic, database_url)
    with running(scene, max_records=50):
        with load(scene.bootstrap, scene.topic, 6):
            for end in (unsteady_kafka.kill, unsteady_kafka.stop):
                moves(scene)
                end()
                unsteady_kafka.start()
                moves(scene)
        wait_until(scene.is_at_end)
    scene.check()
