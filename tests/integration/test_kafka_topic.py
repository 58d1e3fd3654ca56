"""The topic on a real broker: made as designed, never altered, and what is said of one that is otherwise."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from uuid import UUID

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.structs import OffsetAndMetadata

from adapters.embedded.kafka import EmbeddedKafka
from adapters.kafka_log.topic import KafkaTopic
from domain.books import LogState
from domain.errors import LedgerError, LogUnavailable, TopicError
from tests.feeds import append, wait_for

MAX_BODY_BYTES = 2_000_000

DESIGNED = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "message.timestamp.type": "LogAppendTime",
    "max.message.bytes": "4194304",
}

MakeTopic = Callable[[int], str]

_numbers = itertools.count()


@pytest.fixture
def admin(kafka: EmbeddedKafka) -> Iterator[KafkaAdminClient]:
    with KafkaAdminClient(bootstrap_servers=kafka.bootstrap) as client:
        yield client


@pytest.fixture
def fresh(kafka: EmbeddedKafka) -> Iterator[KafkaTopic]:
    """A topic that is not there yet."""
    with KafkaTopic(kafka.bootstrap, f"fresh-{next(_numbers)}") as opened:
        yield opened


def test_a_topic_is_made_as_designed(fresh: KafkaTopic) -> None:
    assert fresh.create(6)
    assert fresh.problems(MAX_BODY_BYTES, 6) == []
    assert fresh.inspect().offsets == dict.fromkeys(range(6), (0, 0))


def test_a_topic_that_is_there_is_not_altered(fresh: KafkaTopic) -> None:
    fresh.create(2)
    before = fresh.inspect()
    assert not fresh.create(6)
    assert fresh.inspect() == before


def test_a_topic_says_where_it_begins_and_ends(kafka: EmbeddedKafka, topic: str, admin: KafkaAdminClient) -> None:
    (first, *_) = append(kafka, topic, [b"1", b"2", b"3"])
    with KafkaTopic(kafka.bootstrap, topic) as opened:
        state, ends = opened.inspect(), opened.ends()
    assert state.offsets == {partition: (0, 3 if partition == first.partition else 0) for partition in range(6)}
    assert ends == {partition: end for partition, (_, end) in state.offsets.items()}
    assert list(state.offsets) == list(range(6))
    assert UUID(state.topic_id)
    assert state.cluster_id == admin.describe_cluster()["cluster_id"]


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("cleanup.policy", "compact", "cleanup.policy is compact, not delete"),
        ("retention.ms", "604800000", "retention.ms is 604800000, not -1"),
        ("message.timestamp.type", "CreateTime", "message.timestamp.type is CreateTime, not LogAppendTime"),
        ("max.message.bytes", "3000000", "max.message.bytes is 3000000, less than the designed 4194304"),
    ],
)
def test_each_setting_that_differs_is_named(
    kafka: EmbeddedKafka, admin: KafkaAdminClient, name: str, value: str, problem: str
) -> None:
    topic = f"other-{next(_numbers)}"
    admin.create_topics({topic: {"num_partitions": 2, "configs": {**DESIGNED, name: value}}}, wait_for_metadata=True)
    with KafkaTopic(kafka.bootstrap, topic) as opened:
        assert opened.problems(MAX_BODY_BYTES) == [f"topic {topic}: {problem}"]


def test_a_topic_made_by_hand_has_every_problem_named(kafka: EmbeddedKafka, admin: KafkaAdminClient) -> None:
    topic = f"other-{next(_numbers)}"
    small = {"max.message.bytes": "1000000"}
    admin.create_topics({topic: {"num_partitions": 2, "configs": small}}, wait_for_metadata=True)
    with KafkaTopic(kafka.bootstrap, topic) as opened:
        problems = opened.problems(MAX_BODY_BYTES, 6)
    assert len(problems) == 5
    assert problems[-2].endswith("max.message.bytes is 1000000, LEDGER_MAX_BODY_BYTES and the headers need 2065536")
    assert "it has 2 partitions, the ledger was begun with 6" in problems[-1]


def test_a_topic_with_more_room_than_designed_has_no_problem(kafka: EmbeddedKafka, admin: KafkaAdminClient) -> None:
    topic = f"other-{next(_numbers)}"
    roomy = {**DESIGNED, "max.message.bytes": "8000000"}
    admin.create_topics({topic: {"num_partitions": 2, "configs": roomy}}, wait_for_metadata=True)
    with KafkaTopic(kafka.bootstrap, topic) as opened:
        assert opened.problems(6_000_000) == []


def test_a_group_says_what_it_has_committed_of_this_topic(kafka: EmbeddedKafka, make_topic: MakeTopic) -> None:
    topic, another, group = make_topic(2), make_topic(1), f"group-{next(_numbers)}"
    with KafkaConsumer(bootstrap_servers=kafka.bootstrap, group_id=group) as consumer:
        told = {TopicPartition(topic, 1): 7, TopicPartition(another, 0): 3}
        consumer.commit({named: OffsetAndMetadata(offset, "", -1) for named, offset in told.items()})
    with KafkaTopic(kafka.bootstrap, topic) as opened:
        assert opened.group_offsets(group) == {1: 7}
        assert opened.group_offsets("nobody") == {}


def test_a_topic_that_is_missing_is_refused_with_what_to_do(fresh: KafkaTopic) -> None:
    for ask in (fresh.inspect, fresh.identify, lambda: fresh.problems(MAX_BODY_BYTES)):
        with pytest.raises(TopicError, match="run `inquiry-ledger migrate`"):
            ask()


def test_a_name_that_no_topic_can_have_is_refused(kafka: EmbeddedKafka) -> None:
    with KafkaTopic(kafka.bootstrap, "no spaces") as opened, pytest.raises(TopicError, match="InvalidTopic"):
        opened.create(1)


def test_more_partitions_than_there_may_be_are_refused(fresh: KafkaTopic) -> None:
    with pytest.raises(TopicError, match="InvalidPartitions"):
        fresh.create(0)


def test_a_broker_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.kafka_log.topic._TIMEOUT_MS", 200)
    with KafkaTopic("127.0.0.1:1", "topic") as opened, pytest.raises(LogUnavailable, match="Kafka at 127"):
        opened.inspect()


def test_settings_for_security_reach_the_client(kafka: EmbeddedKafka, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that asks for no password does not take one."""
    monkeypatch.setattr("adapters.kafka_log.topic._TIMEOUT_MS", 500)
    security = {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": "ledger",
        "sasl_plain_password": "secret",
    }
    with KafkaTopic(kafka.bootstrap, "topic", security) as opened, pytest.raises(LedgerError) as refused:
        opened.inspect()
    assert "secret" not in str(refused.value)


def test_a_broker_that_comes_back_is_found_again(unsteady_kafka: EmbeddedKafka, unsteady_topic: str) -> None:
    with KafkaTopic(unsteady_kafka.bootstrap, unsteady_topic) as opened:
        assert opened.group_offsets("nobody") == {}
        before = opened.inspect()
        unsteady_kafka.kill()
        with pytest.raises(LogUnavailable):
            opened.inspect()
        unsteady_kafka.start()
        wait_for(lambda: ask(opened) == before, within_s=15)


def ask(topic: KafkaTopic) -> LogState | None:
    try:
        return topic.inspect()
    except LogUnavailable:
        return None
