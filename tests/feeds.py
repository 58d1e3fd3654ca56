"""Driving a feed in tests: one member of a group that keeps what it read and what it was told."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from kafka import KafkaProducer

from adapters.embedded.kafka import EmbeddedKafka
from adapters.kafka_log.append import Appended, KafkaAppender
from adapters.kafka_log.feed import KafkaFeed
from domain.errors import LogUnavailable
from domain.event import Record

WITHIN_S = 30.0


def wait_for(condition: Callable[[], object], within_s: float = WITHIN_S) -> None:
    """Poll until it holds."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


class Member:
    """A feed, and a ledger in memory that only knows positions: `positions` is asked on every assignment."""

    def __init__(
        self, bootstrap: str, topic: str, group: str = "group", positions: Mapping[int, int] | None = None, **more: Any
    ) -> None:
        self.positions: dict[int, int] = dict(positions or {})
        self.owned: set[int] = set()
        self.told: list[tuple[str, list[int]]] = []
        self.records: list[Record] = []
        self.gaps = 0
        self.feed = KafkaFeed(bootstrap, topic, group, **more)
        self.feed.subscribe(self.assigned, self.revoked)

    def assigned(self, partitions: Collection[int]) -> Mapping[int, int]:
        self.told.append(("assigned", sorted(partitions)))
        assert not self.owned & set(partitions)
        self.owned |= set(partitions)
        return {partition: self.positions.setdefault(partition, 0) for partition in partitions}

    def revoked(self, partitions: Collection[int]) -> None:
        self.told.append(("revoked", sorted(partitions)))
        assert self.owned >= set(partitions)
        self.owned -= set(partitions)

    def poll(self, timeout_s: float = 0.2) -> None:
        """Poll once; what comes must follow on what came, offset by offset."""
        for partition, piece in self.feed.poll(timeout_s).items():
            assert partition in self.owned
            offsets = [record.placement.offset for record in piece.records]
            assert offsets == sorted(set(offsets))
            assert all(self.positions[partition] <= offset < piece.next_offset for offset in offsets)
            self.gaps += piece.next_offset - self.positions[partition] - len(offsets)
            self.positions[partition] = piece.next_offset
            self.records += piece.records

    def poll_until(self, condition: Callable[[], object], within_s: float = WITHIN_S) -> None:
        """Poll until it holds."""
        deadline = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < deadline, f"it did not happen in time; told {self.told}"
            self.poll()

    def poll_through(self, condition: Callable[[], object]) -> None:
        """Poll until it holds, also while the log is away."""

        def hold() -> bool:
            with suppress(LogUnavailable):
                self.poll()
            return bool(condition())

        wait_for(hold)

    def read(self, count: int) -> list[Record]:
        """The first `count` records, in the order of their values."""
        self.poll_until(lambda: len(self.records) >= count)
        return sorted(self.records, key=lambda record: record.value or b"")


@contextmanager
def joined(bootstrap: str, topic: str, group: str = "group", **more: Any) -> Iterator[Member]:
    """A member that leaves at the end."""
    member = Member(bootstrap, topic, group, **more)
    try:
        yield member
    finally:
        member.feed.close()


@contextmanager
def appending(bootstrap: str, topic: str) -> Iterator[KafkaAppender]:
    """An appender that is ready."""
    appender = KafkaAppender(bootstrap, topic)
    wait_for(appender.is_ready)
    try:
        yield appender
    finally:
        appender.close()


def append(kafka: EmbeddedKafka, topic: str, values: Collection[bytes], key: bytes = b"inq_1") -> list[Appended]:
    """Append values under one key, and wait for all of them."""
    with appending(kafka.bootstrap, topic) as appender:
        return [future.result(WITHIN_S) for future in [appender.append(key, value, []) for value in values]]


@contextmanager
def producing(bootstrap: str, **settings: Any) -> Iterator[KafkaProducer]:
    """Another team's producer: kafka-python as it is."""
    producer = KafkaProducer(bootstrap_servers=bootstrap, **settings)
    try:
        yield producer
    finally:
        producer.close(timeout=WITHIN_S)


class RawName(str):
    """A header's name as a producer in another language may write it."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return super().encode("latin-1")
