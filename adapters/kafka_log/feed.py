"""The partitions of the topic, read as one member of a consumer group.

Where to read from is the ledger's to say, on every assignment: neither the group's offsets nor a reset policy is ever
used, and a position that the log does not hold is refused, not moved.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition, errors
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.structs import OffsetAndMetadata

from adapters.kafka_log.failure import Security, translated
from domain.errors import LogUnavailable, PositionError
from domain.event import Placement, Record, from_millis
from domain.ports import Slice

#: A member that is silent this long loses its partitions (design, section 6).
SESSION_TIMEOUT_MS = 10_000
HEARTBEAT_INTERVAL_MS = 3_000

#: Bounds of what is held in memory: compressed bytes a fetch, and records a poll.
_PARTITION_FETCH_BYTES = 1_048_576
_FETCH_BYTES = 8 * 1_048_576
MAX_RECORDS = 5_000

_log = logging.getLogger(__name__)

Assigned = Callable[[Collection[int]], Mapping[int, int]]
Revoked = Callable[[Collection[int]], None]


class KafkaFeed:
    """`domain.ports.Feed`. Connects in `subscribe`. Reads committed records only, of every codec Kafka has."""

    def __init__(
        self, bootstrap: str, topic: str, group: str, security: Security | None = None, max_records: int = MAX_RECORDS
    ) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._group = group
        self._security = security or {}
        self._max_records = max_records
        self._consumer: Any = None
        self._positions: dict[int, int] = {}

    def subscribe(self, assigned: Assigned, revoked: Revoked) -> None:
        """Join the group. Both callbacks run inside `poll`; what they raise comes out of it."""
        with translated(self._bootstrap, self._topic):
            self._consumer = KafkaConsumer(
                bootstrap_servers=self._bootstrap.split(","),
                client_id="inquiry-ledger",
                group_id=self._group,
                enable_auto_commit=False,
                auto_offset_reset="none",
                isolation_level="read_committed",
                allow_auto_create_topics=False,
                partition_assignment_strategy=[CooperativeStickyAssignor],
                session_timeout_ms=SESSION_TIMEOUT_MS,
                heartbeat_interval_ms=HEARTBEAT_INTERVAL_MS,
                fetch_max_bytes=_FETCH_BYTES,
                max_partition_fetch_bytes=_PARTITION_FETCH_BYTES,
                max_poll_records=self._max_records,
                metrics_enabled=False,
                **self._security,
            )
            self._consumer.subscribe([self._topic], listener=_Listener(self, assigned, revoked))

    def poll(self, timeout_s: float) -> Mapping[int, Slice]:
        """The next records by partition; empty when there are none within `timeout_s`. PositionError where the log
        does not hold the position; LogUnavailable."""
        with translated(self._bootstrap, self._topic):
            try:
                polled = self._consumer.poll(timeout_ms=int(timeout_s * 1000))
            except errors.OffsetOutOfRangeError as error:
                raise PositionError(
                    f"topic {self._topic}: the log no longer holds the ledger's position: records were removed, or the "
                    "log was restored from an older copy. Nothing is skipped: bring the records back, or `reset`"
                ) from error
            return self._slice({partition.partition: records for partition, records in polled.items()})

    def _slice(self, polled: Mapping[int, Sequence[Any]]) -> dict[int, Slice]:
        """The position after a poll is past transaction markers and aborted records, and may move without records."""
        slices = {}
        for partition, before in list(self._positions.items()):
            position = self._consumer.position(TopicPartition(self._topic, partition), timeout_ms=0)
            if position is not None and position > before:
                self._positions[partition] = position
                slices[partition] = Slice(self._read(polled.get(partition, ())), position)
        return slices

    def _read(self, records: Sequence[Any]) -> list[Record]:
        topic = self._topic
        return [
            Record(
                Placement(topic, record.partition, record.offset, from_millis(record.timestamp)),
                record.key,
                record.value,
                tuple(record.headers),
            )
            for record in records
        ]

    def seek(self, offsets: Mapping[int, int]) -> None:
        """Read on from these offsets; partitions that are no longer assigned are passed over."""
        for partition, offset in offsets.items():
            if partition in self._positions:
                self._seek(partition, offset)

    def _seek(self, partition: int, offset: int) -> None:
        self._consumer.seek(TopicPartition(self._topic, partition), offset)
        self._positions[partition] = offset

    def gain(self, partitions: Collection[int], assigned: Assigned) -> None:
        """New partitions: ask from where to read them, before the first fetch."""
        for partition, offset in assigned(partitions).items():
            self._seek(partition, offset)

    def lose(self, partitions: Collection[int], revoked: Revoked) -> None:
        """Partitions that go, or went."""
        revoked(partitions)
        for partition in partitions:
            self._positions.pop(partition, None)

    def commit(self, offsets: Mapping[int, int]) -> None:
        """Tell the group how far the ledger is, for lag tools only. Best effort: a failure is not an error."""
        known = {
            TopicPartition(self._topic, partition): OffsetAndMetadata(offset, "", -1)
            for partition, offset in offsets.items()
        }
        self._consumer.commit_async(known, callback=_note)

    def close(self) -> None:
        """Leave the group."""
        if self._consumer is None:
            return
        try:
            with translated(self._bootstrap, self._topic):
                self._consumer.close(autocommit=False, timeout_ms=5_000)
        except LogUnavailable as error:
            _log.info("left the group without saying so: %s", error)


class _Listener(ConsumerRebalanceListener):
    """From kafka-python's rebalances to partition numbers."""

    def __init__(self, feed: KafkaFeed, assigned: Assigned, revoked: Revoked) -> None:
        self._feed = feed
        self._assigned = assigned
        self._revoked = revoked

    def on_partitions_assigned(self, assigned: Collection[Any]) -> None:
        self._feed.gain([partition.partition for partition in assigned], self._assigned)

    def on_partitions_revoked(self, revoked: Collection[Any]) -> None:
        self._feed.lose([partition.partition for partition in revoked], self._revoked)

    def on_partitions_lost(self, lost: Collection[Any]) -> None:
        self._feed.lose([partition.partition for partition in lost], self._revoked)


def _note(offsets: object, outcome: object) -> None:
    if isinstance(outcome, Exception):
        _log.debug("the group was not told: %s", type(outcome).__name__)
