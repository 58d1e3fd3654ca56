"""A partition, read from an offset to another in order, by somebody who leaves nothing behind in Kafka."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing

from kafka import TopicPartition, errors

from adapters.kafka_log.failure import Security, translated
from adapters.kafka_log.feed import read_records
from adapters.kafka_log.standalone import StandaloneReader
from domain.errors import LogUnavailable
from domain.proof import Piece

#: Bounds of what is held in memory: compressed bytes a fetch, and records a piece.
_FETCH_BYTES = 2 * 1_048_576
_MAX_RECORDS = 1_000

_POLL_MS = 500

#: How long a broker may say nothing.
_PATIENCE_S = 30.0


class KafkaScan:
    """`domain.proof.Scan` on one topic. Each scan has a connection of its own."""

    def __init__(self, bootstrap: str, topic: str, security: Security | None = None) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._security = security or {}

    def __call__(self, partition: int, first: int, end: int) -> Iterator[Piece]:
        """The records from offset `first` to before `end`, which the log had reached for a committed reader."""
        named = TopicPartition(self._topic, partition)
        bounds = {"max_partition_fetch_bytes": _FETCH_BYTES, "max_poll_records": _MAX_RECORDS}
        with translated(self._bootstrap, self._topic):
            reader = StandaloneReader(self._bootstrap, self._security, **bounds)
        with closing(reader):
            reader.begin(named, first, end)
            at, heard = first, time.monotonic()
            while at < end:
                with translated(self._bootstrap, self._topic):
                    piece = _read_on(reader, end)
                if piece.next_offset > at:
                    at, heard = piece.next_offset, time.monotonic()
                    yield piece
                elif time.monotonic() - heard > _PATIENCE_S:
                    raise LogUnavailable(f"{self._topic}-{partition}: nothing comes from offset {at} on")


def _read_on(reader: StandaloneReader, end: int) -> Piece:
    """What comes next, cut at `end`."""
    try:
        polled = reader.poll(_POLL_MS)
    except errors.OffsetOutOfRangeError:
        first, _ = reader.offsets()
        if first <= reader.position:
            raise
        reader.skip_to(first)
        polled = ()
    records = read_records([record for record in polled if record.offset < end])
    damage = [lost._replace(following=min(lost.following, end)) for lost in reader.take_damage() if lost.first < end]
    if damage and reader.offsets()[1] < end:
        raise LogUnavailable("the log ends earlier than it did: its broker comes back")
    return Piece(records, damage, min(reader.position, end))
