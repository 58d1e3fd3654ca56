"""Header names that are not UTF-8.

A broker takes any bytes for a name; kafka-python 3.0.12 then refuses the whole batch, and never reads past it. No name
of ours is such a one, so what it says does not matter: the record is read, with a `?` for each byte outside ASCII.
"""

from __future__ import annotations

from typing import Any

from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.record.default_records import DefaultRecordBatch
from kafka.record.memory_records import MemoryRecords
from kafka.record.util import decode_varint


def accept_any_names(consumer: Any) -> None:
    """Let a `KafkaConsumer` read records whatever the names of their headers are."""
    consumer._fetcher.PartitionRecords = _PartitionRecords


class AnyNames:
    """The batches of one answer of the broker, each of which takes any names."""

    def __init__(self, records: MemoryRecords) -> None:
        self._records = records

    def next_batch(self) -> Any:
        """The next batch; None at the end."""
        batch = self._records.next_batch()
        if isinstance(batch, DefaultRecordBatch):
            batch.__class__ = _Batch  # in place: a batch made anew would copy all its bytes
        return batch


class _PartitionRecords(Fetcher.PartitionRecords):
    """The records of one answer of the broker."""

    def _unpack_records(self, named: Any, records: MemoryRecords, *deserializers: Any) -> Any:
        return super()._unpack_records(named, AnyNames(records), *deserializers)  # type: ignore[no-untyped-call]


class _Batch(DefaultRecordBatch):
    """A batch in Kafka's format of today (KIP-98)."""

    __slots__ = ()

    def __next__(self) -> Any:
        try:
            return super().__next__()  # type: ignore[no-untyped-call]
        except CorruptRecordError as error:
            if not isinstance(error.__context__, UnicodeDecodeError):
                raise
            self._mend_names()
            return super().__next__()  # type: ignore[no-untyped-call]

    def _mend_names(self) -> None:
        """In the record that comes next: length, attributes, time, offset, key, value, headers."""
        buffer, position = self._buffer, self._pos
        for _ in range(4):
            _, position = decode_varint(buffer, position)
        for _ in range(2):
            _, position = _find_bytes(buffer, position)
        count, position = decode_varint(buffer, position)
        for _ in range(count):
            begin, end = _find_bytes(buffer, position)
            buffer[begin:end] = bytes(byte if byte < 0x80 else ord("?") for byte in buffer[begin:end])
            _, position = _find_bytes(buffer, end)


def _find_bytes(buffer: bytearray, position: int) -> tuple[int, int]:
    """Where bytes that follow their length begin and end. A length of -1 means none."""
    length, begin = decode_varint(buffer, position)
    return begin, begin + max(length, 0)
