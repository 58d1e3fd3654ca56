"""The partition of a key: Java's, kafka-python's and ours are the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner.default import DefaultPartitioner
from kafka.partitioner.default import murmur2 as kafka_murmur2

from adapters.kafka_log.partitioner import KeyPartitioner, murmur2


class Cluster:
    """What a producer knows of its topics."""

    def __init__(self, partitions: int) -> None:
        self._partitions = set(range(partitions))

    def topics(self) -> set[str]:
        return {"topic"}

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return self._partitions if topic == "topic" else None

    available_partitions_for_topic = partitions_for_topic


@given(st.binary(max_size=70))
def test_the_hash_is_kafka_pythons(key: bytes) -> None:
    assert murmur2(key) == kafka_murmur2(key)


@given(st.binary(max_size=70), st.integers(1, 50))
def test_the_partition_is_kafka_pythons(key: bytes, partitions: int) -> None:
    given_to = ("topic", key, key, b"{}", b"{}", Cluster(partitions))
    assert KeyPartitioner().partition(*given_to) == DefaultPartitioner().partition(*given_to)


def test_a_topic_that_is_gone_has_no_partition() -> None:
    with pytest.raises(ValueError, match="no partitions"):
        KeyPartitioner().partition("gone", b"key", b"key", b"{}", b"{}", Cluster(6))
