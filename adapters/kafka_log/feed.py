"""The partitions of the topic, read as one member of a consumer group.

Where to read from is the ledger's to say, on every assignment: neither the group's offsets nor a reset policy is ever
used, and a position that the log does not hold is refused, not moved.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition, errors
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.structs import OffsetAndMetadata

from adapters.kafka_log.client import connect
from adapters.kafka_log.failure import Security, translated
from adapters.kafka_log.topic import KafkaTopic
from domain.errors import LedgerError, LogUnavailable, PositionError
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
        self._log = KafkaTopic(bootstrap, topic, security)
        self._topic_id: str | None = None
        self._consumer: Any = None
        self._positions: dict[int, int] = {}
        self._raised: LedgerError | None = None

    def subscribe(self, assigned: Assigned, revoked: Revoked) -> None:
        """Join the group. Both callbacks run inside `poll`; what they raise comes out of it. LogUnavailable."""
        with translated(self._bootstrap, self._topic):
            self._consumer = connect(
                KafkaConsumer,
                self._bootstrap,
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
        does not hold the position, or is another one under the same name; LogUnavailable."""
        with translated(self._bootstrap, self._topic):
            polled = self._take(timeout_s)
            try:
                reached = self._reached()
                if reached:
                    self._refuse_another_topic()
            except BaseException:
                self.seek(dict(self._positions))  # what was taken is read again, or it would look like a gap
                raise
        self._positions.update(reached)
        records = {partition.partition: taken for partition, taken in polled.items()}
        return {partition: Slice(self._read(records.get(partition, ())), reached[partition]) for partition in reached}

    def _take(self, timeout_s: float) -> Mapping[Any, Sequence[Any]]:
        try:
            polled: Mapping[Any, Sequence[Any]] = self._consumer.poll(timeout_ms=int(timeout_s * 1000))
        except (errors.OffsetOutOfRangeError, errors.LogTruncationError) as error:
            raise PositionError(
                f"topic {self._topic}: the log no longer holds the ledger's position: records were removed, or the "
                "log was restored from an older copy. Nothing is skipped: bring the records back, or `reset`"
            ) from error
        finally:
            raised, self._raised = self._raised, None
            if raised is not None:
                raise raised
        return polled

    def _reached(self) -> dict[int, int]:
        """The partitions that moved. A position is past transaction markers and aborted records, and may move without
        a record."""
        reached = {}
        for partition, before in self._positions.items():
            position = self._consumer.position(TopicPartition(self._topic, partition), timeout_ms=0)
            if position is not None and position > before:
                reached[partition] = position
        return reached

    def _refuse_another_topic(self) -> None:
        """Records are fetched by the topic's name. Asked after they came, its id tells of which topic they are."""
        topic_id = self._log.identify()
        if topic_id != self._topic_id:
            raise PositionError(
                f"topic {self._topic} was recreated: its id was {self._topic_id}, now it is {topic_id}. Nothing of the "
                "new one was read: bring the old one back, or `reset` and make the ledger again"
            )

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
        """New partitions: ask from where to read them, before the first fetch. The topic's id is asked before the
        ledger's positions are checked against it, so that no other can slip in between."""
        with self._keep_error():
            self._topic_id = self._topic_id or self._log.identify()
            for partition, offset in assigned(partitions).items():
                self._seek(partition, offset)

    def lose(self, partitions: Collection[int], revoked: Revoked) -> None:
        """Partitions that go, or went: from here on there is nothing to seek in them."""
        for partition in partitions:
            self._positions.pop(partition, None)
        with self._keep_error():
            revoked(partitions)

    @contextmanager
    def _keep_error(self) -> Iterator[None]:
        """For `poll` to raise: kafka-python would log it with its traceback, and wrap it."""
        try:
            yield
        except LedgerError as error:
            self._raised = error

    def commit(self, offsets: Mapping[int, int]) -> None:
        """Tell the group how far the ledger is, for lag tools only. Best effort: a failure is not an error."""
        known = {
            TopicPartition(self._topic, partition): OffsetAndMetadata(offset, "", -1)
            for partition, offset in offsets.items()
        }
        self._consumer.commit_async(known, callback=_note)

    def close(self) -> None:
        """Leave the group."""
        self._log.close()
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
