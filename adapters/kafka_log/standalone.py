"""A reader outside every consumer group, that passes over damage.

kafka-python stops in front of a damaged batch for good, since a consumer must not lose records. Whoever proves a log
wants to know where the damage lies, and what comes behind it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from kafka import KafkaConsumer, TopicPartition, errors
from kafka.consumer.fetcher import Fetcher
from kafka.record.memory_records import MemoryRecords

from adapters.kafka_log.client import CLIENT_ID, RECONNECT_BACKOFF_MAX_MS, connect
from adapters.kafka_log.failure import Security
from adapters.kafka_log.header_names import AnyNames
from domain.proof import Damage, Lost

_CONNECT_MS = 5_000
_CLOSE_MS = 1_000

#: A broker that cannot find an offset in a damaged segment waits so long for more to come, offset by offset.
_MAX_WAIT_MS = 20


class StandaloneReader:
    """Committed records of one partition at a time; joins no group, and commits nothing. Not thread-safe. KafkaError.

    What is damaged between the position and `end` is passed over, and told by `take_damage`.
    """

    def __init__(self, bootstrap: str, security: Security, **bounds: int) -> None:
        """Connects. `bounds`: of what is fetched, keywords of `KafkaConsumer`."""
        self._consumer = connect(
            KafkaConsumer,
            bootstrap,
            client_id=CLIENT_ID,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            allow_auto_create_topics=False,
            reconnect_backoff_max_ms=RECONNECT_BACKOFF_MAX_MS,
            bootstrap_timeout_ms=_CONNECT_MS,
            fetch_max_wait_ms=_MAX_WAIT_MS,
            enable_incremental_fetch_sessions=False,  # in a session an answer without records is none at all
            metrics_enabled=False,
            **bounds,
            **security,
        )
        self._consumer._fetcher.PartitionRecords = partial(_PatientRecords, self)
        self._named = TopicPartition("", 0)
        self.end = 0
        self.damage: list[Damage] = []

    def close(self) -> None:
        """Close the connection."""
        self._consumer.close(autocommit=False, timeout_ms=_CLOSE_MS)

    def begin(self, named: TopicPartition, offset: int, end: int) -> None:
        """Read on from here. `end` is not behind the end of the log."""
        self._named, self.end = named, end
        self.damage.clear()
        self._consumer.assign([named])
        self._consumer.seek(named, offset)

    def poll(self, timeout_ms: int) -> Sequence[Any]:
        """The next records of kafka-python; none within `timeout_ms`, or where there was only damage."""
        try:
            polled: Sequence[Any] = self._consumer.poll(timeout_ms=timeout_ms).get(self._named, ())
        except errors.CorruptRecordError:  # the broker's own word
            at = self.position
            self.damage.append(Damage(Lost.DAMAGED, at, at + 1))
            self._consumer.seek(self._named, at + 1)
            return ()
        return polled

    @property
    def position(self) -> int:
        """From where the next poll reads on: past transaction markers and aborted records."""
        return int(self._consumer._subscription.assignment[self._named].position.offset)

    def skip_to(self, offset: int) -> None:
        """Read on from there: records before it are gone."""
        self.damage.append(Damage(Lost.GONE, self.position, offset))
        self._consumer.seek(self._named, offset)

    def take_damage(self) -> list[Damage]:
        """What was passed over since the last time."""
        taken, self.damage[:] = list(self.damage), []
        return taken

    def offsets(self) -> tuple[int, int]:
        """The log's first offset, and its end for a reader of what is committed."""
        first = self._consumer.beginning_offsets([self._named])[self._named]
        end = self._consumer.end_offsets([self._named])[self._named]
        return int(first), int(end)


class _PatientRecords(Fetcher.PartitionRecords):
    """The records of one answer of the broker."""

    def __init__(self, reader: StandaloneReader, *arguments: Any, **said: Any) -> None:
        self._reader = reader
        super().__init__(*arguments, **said)  # type: ignore[no-untyped-call]

    def _unpack_records(self, named: Any, records: MemoryRecords, *deserializers: Any) -> Iterator[Any]:
        batches = _Batches(records, self.fetch_offset)
        while not batches.are_read:
            try:
                yield from super()._unpack_records(named, batches, *deserializers)  # type: ignore[no-untyped-call]
            except errors.CorruptRecordError:
                self._pass_over(batches.pass_over())
        if self.next_fetch_offset == self.fetch_offset < self._reader.end:
            self._pass_over(self.fetch_offset + 1)  # there is something, and the broker does not find it
        self.drain()  # type: ignore[no-untyped-call]

    def _pass_over(self, following: int) -> None:
        """What was read before the damage stays read."""
        first, self.next_fetch_offset = self.next_fetch_offset, max(following, self.next_fetch_offset + 1)
        self._reader.damage.append(Damage(Lost.DAMAGED, first, self.next_fetch_offset))


class _Batches:
    """The batches of an answer, one after the other, each where its neighbours say it must be: an offset is not covered
    by the CRC."""

    def __init__(self, records: MemoryRecords, fetch_offset: int) -> None:
        self._records = AnyNames(records)
        self._last: Any = None
        self._next = self._take()
        self._expected = fetch_offset if self._next is None else min(fetch_offset, self._next.base_offset)
        self.are_read = False

    def next_batch(self) -> Any:
        """The next batch; None at the end, or where what follows cannot be cut into batches. CorruptRecordError."""
        if self._next is None:
            self.are_read = True
            return None
        self._last, self._next = self._next, self._take()
        if self._is_misplaced():
            raise errors.CorruptRecordError("a batch lies where others are")
        self._expected = self._last.last_offset + 1
        return self._last

    def pass_over(self) -> int:
        """The offset behind the last batch, whose own fields may be what is damaged: where the next one begins, else
        what two of its fields agree in, else just behind its beginning."""
        batch = self._last
        is_whole = batch.magic >= 2 and batch.last_offset_delta == batch.records_count - 1
        following = batch.base_offset + (batch.records_count if is_whole else 1)
        self._expected = int(following if self._next is None else self._next.base_offset)
        return self._expected

    def _is_misplaced(self) -> bool:
        """It begins among the records before it, or behind a hole and ends among those after it."""
        begins, following = self._last.base_offset, self._next
        overlaps = following is not None and self._last.last_offset >= following.base_offset
        return bool(begins < self._expected or (begins > self._expected and overlaps))

    def _take(self) -> Any:
        try:
            return self._records.next_batch()
        except errors.CorruptRecordError:
            return None
