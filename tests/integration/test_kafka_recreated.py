"""A topic that goes, or comes back as another one under the same name: the ledger takes nothing of the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from kafka import KafkaAdminClient

from adapters.kafka_log.topic import KafkaTopic
from domain.errors import LogUnavailable, PositionError, TopicError
from tests.integration.scene import Scene, running, wait_until
from tests.integration.traffic import append_all, traffic


@pytest.fixture
def projected(scene: Scene) -> Scene:
    """A scene whose ledger has read all of the topic."""
    append_all(scene.bootstrap, scene.topic, traffic(11, 300))
    scene.project()
    return scene


@pytest.fixture
def delete(projected: Scene) -> Iterator[Callable[[], None]]:
    """Deletes the topic."""
    with KafkaAdminClient(bootstrap_servers=projected.bootstrap) as admin:
        yield lambda: admin.delete_topics([projected.topic])


@pytest.fixture
def recreate(projected: Scene, delete: Callable[[], None]) -> Callable[[], None]:
    """Deletes it and makes another of its name, with more records than the first had."""

    def is_made() -> bool:
        with KafkaTopic(projected.bootstrap, projected.topic) as log:
            try:
                return log.create(6)
            except LogUnavailable:
                return False

    def make() -> None:
        delete()
        wait_until(is_made)
        append_all(projected.bootstrap, projected.topic, traffic(12, 900))

    return make


def test_a_recreated_topic_is_refused_at_the_start(projected: Scene, recreate: Callable[[], None]) -> None:
    before = projected.rows()
    recreate()
    with pytest.raises(PositionError, match="another or a recreated topic"):
        projected.project()
    assert projected.rows() == before


def run_through(scene: Scene, change: Callable[[], None]) -> None:
    """A projector at work while the topic changes; raises what it ends with."""
    with running(scene) as projector:
        wait_until(lambda: projector.feed.held == frozenset(range(6)))
        change()
        wait_until(lambda: bool(projector.ended))


def test_a_topic_recreated_under_a_running_projector_ends_it(projected: Scene, recreate: Callable[[], None]) -> None:
    before = projected.rows()
    with pytest.raises(PositionError, match="recreated"):
        run_through(projected, recreate)
    assert projected.rows() == before


def test_a_topic_deleted_under_a_running_projector_ends_it(projected: Scene, delete: Callable[[], None]) -> None:
    with pytest.raises(TopicError, match="run `inquiry-ledger migrate`"):
        run_through(projected, delete)


def test_a_missing_topic_is_refused_at_the_start(scene: Scene) -> None:
    with pytest.raises(TopicError, match="topic nowhere does not exist: run `inquiry-ledger migrate`"):
        scene._replace(topic="nowhere").project()
