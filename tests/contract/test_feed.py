"""What every feed does: where it reads from, what it returns, whom it tells."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Protocol

import pytest
from kafka import KafkaProducer

from adapters.kafka_log.feed import KafkaFeed
from adapters.kafka_log.topic import KafkaTopic
from adapters.memory import MemoryFeed, MemoryLog
from domain.errors import LedgerUnavailable
from domain.event import Placement, Record, from_millis
from domain.ports import Feed, Log
from tests.integration.traffic import leave_gaps

WITHIN_S = 60.0
BOTH = {0, 1}


class FilledLog(Protocol):
    """A log of two partitions that tests fill."""

    @property
    def log(self) -> Log:
        """What it says of itself."""

    def append(self, partition: int, values: Sequence[bytes]) -> None:
        """Add records."""

    def leave_gap(self, partition: int) -> None:
        """Add two offsets that hold no record for a reader."""

    def feed(self) -> Feed:
        """A new member of a new group."""


class FilledMemory:
    """In memory."""

    def __init__(self) -> None:
        self.log = MemoryLog("topic", 2)

    def append(self, partition: int, values: Sequence[bytes]) -> None:
        for value in values:
            offset = len(self.log.records[partition])
            placement = Placement("topic", partition, offset, from_millis(offset))
            self.log.append(partition, Record(placement, b"key", value, (("header", b"\xff"),)))

    def leave_gap(self, partition: int) -> None:
        for _ in range(2):
            self.log.append(partition, None)

    def feed(self) -> Feed:
        return MemoryFeed(self.log, max_records=3)


class FilledKafka:
    """On a broker."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self.log = KafkaTopic(bootstrap, topic)
        self._bootstrap = bootstrap
        self._topic = topic
        self._groups = iter(range(100))

    def append(self, partition: int, values: Sequence[bytes]) -> None:
        producer = KafkaProducer(bootstrap_servers=self._bootstrap, acks="all", metrics_enabled=False)
        for value in values:
            producer.send(self._topic, value, b"key", [("header", b"\xff")], partition)
        producer.flush(WITHIN_S)
        producer.close()

    def leave_gap(self, partition: int) -> None:
        leave_gaps(self._bootstrap, self._topic, [partition], abort=True)

    def feed(self) -> Feed:
        return KafkaFeed(self._bootstrap, self._topic, f"{self._topic}-{next(self._groups)}", max_records=3)


@pytest.fixture(params=["memory", "kafka"])
def filled(request: pytest.FixtureRequest) -> Iterator[FilledLog]:
    """An empty log of two partitions."""
    if request.param == "memory":
        yield FilledMemory()
        return
    kafka, make_topic = request.getfixturevalue("kafka"), request.getfixturevalue("make_topic")
    filled = FilledKafka(kafka.bootstrap, make_topic(2))
    yield filled
    filled.log.close()


class Reader:
    """Reads a feed from where it is told to, and keeps what it was told."""

    def __init__(self, feed: Feed, positions: Mapping[int, int] | None = None) -> None:
        self.feed = feed
        self.positions = dict(positions or {})
        self.values: dict[int, list[bytes | None]] = {0: [], 1: []}
        self.records: list[Record] = []
        self.gaps = 0
        self.assigned: set[int] = set()
        self.revoked: set[int] = set()
        feed.subscribe(self.on_assigned, self.on_revoked)

    def on_assigned(self, partitions: Collection[int]) -> Mapping[int, int]:
        self.assigned |= set(partitions)
        return {partition: self.positions.setdefault(partition, 0) for partition in partitions}

    def on_revoked(self, partitions: Collection[int]) -> None:
        self.revoked |= set(partitions)

    def poll(self) -> None:
        """Poll once: what comes follows on what came."""
        for partition, piece in self.feed.poll(0.2).items():
            offsets = [record.placement.offset for record in piece.records]
            assert offsets == sorted(set(offsets))
            assert all(self.positions[partition] <= offset < piece.next_offset for offset in offsets)
            self.gaps += piece.next_offset - self.positions[partition] - len(offsets)
            self.positions[partition] = piece.next_offset
            self.values[partition] += [record.value for record in piece.records]
            self.records += piece.records

    def poll_until(self, is_so: Callable[[], bool]) -> None:
        """Poll until it is so."""
        deadline = time.monotonic() + WITHIN_S
        while not is_so():
            assert time.monotonic() < deadline
            self.poll()

    def read_to(self, end_of_0: int, end_of_1: int) -> None:
        """Poll until the positions are there, and no further."""
        self.poll_until(lambda: self.positions == {0: end_of_0, 1: end_of_1})


@pytest.fixture
def read(filled: FilledLog) -> Iterator[Callable[..., Reader]]:
    """Makes readers; all of them leave at the end."""
    readers: list[Reader] = []

    def make(positions: Mapping[int, int] | None = None) -> Reader:
        readers.append(Reader(filled.feed(), positions))
        return readers[-1]

    yield make
    for reader in readers:
        reader.feed.close()


def number(first: int, last: int) -> list[bytes]:
    return [b"%d" % n for n in range(first, last)]


def test_a_member_alone_gets_every_partition_and_every_record_in_order(
    filled: FilledLog, read: Callable[..., Reader]
) -> None:
    filled.append(0, number(0, 10))
    filled.append(1, number(10, 14))
    reader = read()
    reader.read_to(10, 4)
    assert reader.values == {0: number(0, 10), 1: number(10, 14)}
    assert (reader.assigned, reader.gaps) == (BOTH, 0)


def test_a_record_comes_whole_and_says_where_it_lies(filled: FilledLog, read: Callable[..., Reader]) -> None:
    filled.append(1, [b"\x00\xff"])
    reader = read()
    reader.read_to(0, 1)
    (record,) = reader.records
    assert (record.key, record.value, record.headers) == (b"key", b"\x00\xff", (("header", b"\xff"),))
    assert record.placement[1:3] == (1, 0)


def test_it_is_read_from_where_the_one_who_asks_stands(filled: FilledLog, read: Callable[..., Reader]) -> None:
    filled.append(0, number(0, 10))
    filled.append(1, number(0, 10))
    reader = read({0: 7, 1: 10})
    reader.read_to(10, 10)
    assert reader.values == {0: number(7, 10), 1: []}


def test_offsets_without_a_record_are_passed_over_also_at_the_end(
    filled: FilledLog, read: Callable[..., Reader]
) -> None:
    filled.append(0, number(0, 2))
    filled.leave_gap(0)
    filled.append(0, number(2, 3))
    filled.leave_gap(0)
    filled.leave_gap(1)
    reader = read()
    reader.read_to(7, 2)
    assert reader.values == {0: number(0, 3), 1: []}
    assert reader.gaps == 6
    assert {p: end for p, (_, end) in filled.log.inspect().offsets.items()} == reader.positions


def test_after_a_seek_it_is_read_on_from_there(filled: FilledLog, read: Callable[..., Reader]) -> None:
    filled.append(0, number(0, 10))
    reader = read()
    reader.poll_until(lambda: len(reader.values[0]) >= 3)
    reader.positions[0] = 1
    reader.feed.seek({0: 1, 7: 3})
    reader.values[0].clear()
    reader.poll_until(lambda: reader.positions[0] == 10)
    assert reader.values[0] == number(1, 10)


def test_telling_the_group_moves_nothing(filled: FilledLog, read: Callable[..., Reader]) -> None:
    filled.append(0, number(0, 10))
    reader = read()
    reader.poll_until(lambda: len(reader.values[0]) >= 3)
    reader.feed.commit({0: 1})
    reader.poll_until(lambda: reader.positions[0] == 10)
    assert reader.values[0] == number(0, 10)


def test_what_is_appended_later_comes_later(filled: FilledLog, read: Callable[..., Reader]) -> None:
    reader = read()
    reader.poll_until(lambda: reader.assigned == BOTH)
    reader.poll()
    assert reader.records == []
    filled.append(1, number(0, 2))
    reader.read_to(0, 2)


def test_whoever_leaves_is_told_what_it_leaves(filled: FilledLog, read: Callable[..., Reader]) -> None:
    reader = read()
    reader.poll_until(lambda: reader.assigned == BOTH)
    reader.feed.close()
    assert reader.revoked == BOTH


def test_what_a_callback_raises_comes_out_and_it_is_asked_again(filled: FilledLog, read: Callable[..., Reader]) -> None:
    filled.append(0, number(0, 4))
    reader = read()
    asked: list[int] = []

    def fail(partitions: Collection[int]) -> Mapping[int, int]:
        asked.append(len(partitions))
        if len(asked) == 1:
            raise LedgerUnavailable("away")
        return reader.on_assigned(partitions)

    reader.feed.subscribe(fail, reader.on_revoked)
    with pytest.raises(LedgerUnavailable, match="away"):
        reader.poll_until(lambda: False)
    reader.read_to(4, 0)
    assert reader.values[0] == number(0, 4)
