"""The partitions of the topic, read as one member of a consumer group.

Where to read from is the ledger's to say, on every assignment: neither the group's offsets nor a reset policy is ever
used, and a position that the log does not hold is refused, not moved.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from kafka import KafkaConsumer, TopicPartition, errors
from kafka.structs import MemberState, OffsetAndMetadata

from adapters.kafka_log.client import CLIENT_ID, RECONNECT_BACKOFF_MAX_MS, connect
from adapters.kafka_log.failure import Security, translated
from adapters.kafka_log.group import Move, Rebalances, StickyAssignor, join_in_time
from adapters.kafka_log.header_names import accept_any_names
from adapters.kafka_log.topic import KafkaTopic
from domain.errors import LogUnavailable, PositionError
from domain.event import Placement, Record, from_millis
from domain.ports import Slice

#: A member that is silent this long loses its partitions (design, section 6).
SESSION_TIMEOUT_MS = 10_000
HEARTBEAT_INTERVAL_MS = 3_000

#: So does one that does not poll for this long. The others wait for it as long when partitions move.
_POLL_INTERVAL_MS = 60_000

#: Bounds of what is held in memory: compressed bytes a fetch, and records a poll.
_PARTITION_FETCH_BYTES = 1_048_576
_FETCH_BYTES = 8 * 1_048_576
MAX_RECORDS = 5_000

#: How long a call may wait for a broker that does not answer.
_CONNECT_MS = 2_000
_CLOSE_MS = 3_000
_STEP_MS = 100

#: What `datetime` can say. Only a topic that is set otherwise than designed holds other times.
_MAX_MILLIS = 253_402_300_799_999

Assigned = Callable[[Collection[int]], Mapping[int, int]]
Revoked = Callable[[Collection[int]], None]


class KafkaFeed:
    """`domain.ports.Feed`: committed records only, of every codec Kafka has.

    Connects in the first `poll`. `poll` returns nothing while a broker that was there does not answer, and raises
    LogUnavailable where none can be reached at first; PositionError where the log does not hold the position;
    TopicError where we may not read, or the topic is another one by now.
    """

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
        self._moves: deque[Move] = deque()
        self._positions: dict[int, int] = {}
        self._member_id = ""

    def subscribe(self, assigned: Assigned, revoked: Revoked) -> None:
        """Join the group at the next `poll`, inside which both callbacks run; what they raise comes out of it."""
        self._assigned, self._revoked = assigned, revoked

    def poll(self, timeout_s: float) -> Mapping[int, Slice]:
        """The next records by partition; empty when there are none within `timeout_s`."""
        with translated(self._bootstrap, self._topic):
            consumer = self._join()
        try:
            with translated(self._bootstrap, self._topic):
                polled = self._wait(consumer, timeout_s)
        except PositionError:
            self._refuse_another_topic(consumer)  # its offsets are others: to say so tells more
            raise
        self._check_membership(consumer)
        if self._moves:
            self._seek(consumer, self._positions)  # what was read just now is read again: a callback may seek
            self._tell()
            return {}
        return self._cut(consumer, polled)

    def seek(self, offsets: Mapping[int, int]) -> None:
        """Read on from these offsets; partitions that are no longer assigned are passed over."""
        self._seek(self._consumer, {p: offset for p, offset in offsets.items() if p in self._positions})

    def commit(self, offsets: Mapping[int, int]) -> None:
        """Tell the group how far the ledger is, for lag tools only. Best effort: a failure is not an error."""
        told = {
            TopicPartition(self._topic, partition): OffsetAndMetadata(offset, "", -1)
            for partition, offset in offsets.items()
        }
        with suppress(errors.KafkaError):
            self._consumer.commit_async(told)

    def close(self) -> None:
        """Leave the group. `revoked` is told first, before others get the partitions."""
        self._log.close()
        if self._consumer is None:
            return
        try:
            if self._positions:
                self.lose(list(self._positions), self._revoked)
        finally:
            consumer, self._consumer = self._consumer, None
            with suppress(errors.KafkaError):
                consumer.close(autocommit=False, timeout_ms=_CLOSE_MS)

    def _join(self) -> Any:
        if self._consumer is None:
            assignor = StickyAssignor()  # type: ignore[no-untyped-call]
            consumer = connect(
                KafkaConsumer,
                self._bootstrap,
                client_id=CLIENT_ID,
                group_id=self._group,
                enable_auto_commit=False,
                auto_offset_reset="none",
                isolation_level="read_committed",
                allow_auto_create_topics=False,
                partition_assignment_strategy=[assignor],
                session_timeout_ms=SESSION_TIMEOUT_MS,
                heartbeat_interval_ms=HEARTBEAT_INTERVAL_MS,
                max_poll_interval_ms=_POLL_INTERVAL_MS,
                reconnect_backoff_max_ms=RECONNECT_BACKOFF_MAX_MS,
                bootstrap_timeout_ms=_CONNECT_MS,
                fetch_max_bytes=_FETCH_BYTES,
                max_partition_fetch_bytes=_PARTITION_FETCH_BYTES,
                max_poll_records=self._max_records,
                metrics_enabled=False,
                **self._security,
            )
            assignor.assignment = consumer.assignment
            accept_any_names(consumer)
            consumer.subscribe([self._topic], listener=Rebalances(consumer, self._moves))
            self._consumer = consumer
        return self._consumer

    def _wait(self, consumer: Any, timeout_s: float) -> Mapping[TopicPartition, Sequence[Any]]:
        """In short steps, so that a rebalance is told soon after it happened, and before the next one."""
        deadline = time.monotonic() + timeout_s
        while True:
            join_in_time(consumer)
            if self._moves:
                return {}
            left_ms = max(0, round((deadline - time.monotonic()) * 1000))
            polled: Mapping[TopicPartition, Sequence[Any]] = consumer.poll(timeout_ms=min(left_ms, _STEP_MS))
            if polled or self._moves or not left_ms:
                return polled

    def _check_membership(self, consumer: Any) -> None:
        """Others had the partitions of a member that the group dropped, also of those that it is given again: it
        comes as a new member, which kafka-python does not always tell."""
        member = consumer.group_metadata()
        if member.state is not MemberState.STABLE or member.member_id == self._member_id:
            return
        self._member_id = member.member_id
        kept = set(self._positions)
        for move in self._moves:
            kept -= set(move.partitions)
        if kept:
            self._moves += [Move(False, sorted(kept)), Move(True, sorted(kept))]

    def _tell(self) -> None:
        """Tell the callbacks what the group gave and took; again at the next poll where one of them raises."""
        while self._moves:
            move = self._moves[0]
            if move.is_gain:
                self.gain(move.partitions, self._assigned)
            else:
                self.lose(move.partitions, self._revoked)
            self._moves.popleft()

    def gain(self, partitions: Collection[int], assigned: Assigned) -> None:
        """New partitions: ask from where to read them. The topic's id is asked before the ledger's positions are
        checked against it, so that no other topic slips in between."""
        self._topic_id = self._topic_id or self._log.identify()
        offsets = assigned(partitions)
        still_ours = {partition.partition for partition in self._consumer.assignment()}
        gained = {partition: offsets[partition] for partition in partitions if partition in still_ours}
        self._seek(self._consumer, gained)
        self._consumer.resume(*self._named(gained))

    def lose(self, partitions: Collection[int], revoked: Revoked) -> None:
        """Partitions that go, or went: from here on there is nothing to seek in them."""
        for partition in partitions:
            self._positions.pop(partition, None)
        revoked(partitions)

    def _seek(self, consumer: Any, offsets: Mapping[int, int]) -> None:
        ours = consumer.assignment()
        for partition, offset in zip(self._named(offsets), offsets.values(), strict=True):
            if partition in ours:
                consumer.seek(partition, offset)
        self._positions.update(offsets)

    def _named(self, partitions: Iterable[int]) -> list[TopicPartition]:
        return [TopicPartition(self._topic, partition) for partition in partitions]

    def _cut(self, consumer: Any, polled: Mapping[TopicPartition, Sequence[Any]]) -> dict[int, Slice]:
        """What came, by partition. A position is past transaction markers and aborted records, and may move without a
        record."""
        reached = {
            named.partition: position
            for named, (position, *_) in consumer._subscription.all_consumed_offsets().items()
            if position != self._positions.get(named.partition, position)
        }
        if reached:
            self._refuse_another_topic(consumer)
        self._positions.update(reached)
        records = {named.partition: taken for named, taken in polled.items()}
        return {p: Slice(read_records(records.get(p, ())), position) for p, position in reached.items()}

    def _refuse_another_topic(self, consumer: Any) -> None:
        """Records are fetched by the topic's name. Asked after they came, its id tells of which topic they are."""
        try:
            topic_id = self._log.identify()
        except LogUnavailable:
            self._seek(consumer, self._positions)  # what came is read again, or it would look like a gap
            raise
        if topic_id != self._topic_id:
            raise PositionError(
                f"topic {self._topic} was recreated: its id was {self._topic_id}, now it is {topic_id}. Nothing of the "
                "new one was read: bring the old one back, or `reset` and make the ledger again"
            )


def read_records(records: Sequence[Any]) -> list[Record]:
    times = _Times()
    return [
        Record(
            Placement(record.topic, record.partition, record.offset, times[record.timestamp]),
            record.key,
            record.value,
            tuple(record.headers),
        )
        for record in records
    ]


class _Times(dict[int, datetime]):
    """Milliseconds → UTC. All records of a batch have the same append time."""

    def __missing__(self, millis: int) -> datetime:
        self[millis] = moment = from_millis(min(max(millis, 0), _MAX_MILLIS))
        return moment
