"""Single records by partition and offset, by somebody who leaves nothing behind in Kafka."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

from kafka import TopicPartition, errors

from adapters.kafka_log.failure import Security, translated
from adapters.kafka_log.feed import read_records
from adapters.kafka_log.standalone import StandaloneReader
from domain.errors import LogUnavailable
from domain.event import Record
from domain.proof import Lost

#: The broker sends one whole batch though it is longer than this (KIP-74), and no other.
_FETCH_BYTES = 1

_POLL_MS = 200
_PATIENCE_S = 10.0


class KafkaLookup:
    """`domain.proof.Lookup` on one topic, over one connection, made at the first call. Thread-safe: one at a time."""

    def __init__(self, bootstrap: str, topic: str, security: Security | None = None) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._security = security or {}
        self._reader: StandaloneReader | None = None
        self._one_at_a_time = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection. Calling again opens another."""
        with self._one_at_a_time:
            self._drop()

    def __call__(self, partition: int, offset: int) -> Record | Lost:
        """The record at this place, or why the log does not tell it."""
        named = TopicPartition(self._topic, partition)
        with self._one_at_a_time:
            try:
                with translated(self._bootstrap, self._topic):
                    return self._read(self._connect(), named, offset)
            except LogUnavailable:
                self._drop()
                raise

    def _connect(self) -> StandaloneReader:
        if self._reader is None:
            bounds = {"max_partition_fetch_bytes": _FETCH_BYTES, "max_poll_records": 1}
            self._reader = StandaloneReader(self._bootstrap, self._security, **bounds)
        return self._reader

    def _read(self, reader: StandaloneReader, named: TopicPartition, offset: int) -> Record | Lost:
        reader.begin(named, offset, offset + 1)
        deadline = time.monotonic() + _PATIENCE_S
        try:
            while reader.position <= offset:
                for record in read_records(reader.poll(_POLL_MS)):
                    if record.placement.offset == offset:
                        return record
                if time.monotonic() > deadline:
                    raise LogUnavailable(f"{self._topic}-{named.partition}: nothing comes at offset {offset}")
        except errors.OffsetOutOfRangeError:
            return Lost.GONE
        is_damaged = bool(reader.damage) and offset < reader.offsets()[1]  # else the log ends before it
        return Lost.DAMAGED if is_damaged else Lost.GONE

    def _drop(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None
