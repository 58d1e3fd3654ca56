"""Header names that are not UTF-8: the record is read; what is broken otherwise is still refused."""

from __future__ import annotations

from typing import Any

import pytest
from kafka.errors import CorruptRecordError
from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.record.memory_records import MemoryRecords

from adapters.kafka_log.header_names import AnyNames
from tests.feeds import RawName

ODD = RawName("é\xff")


def batch_of(*headers: list[tuple[str, bytes | None]], key: bytes | None = b"key") -> bytearray:
    """A batch with a record for each list of headers."""
    builder = DefaultRecordBatchBuilder(2, 0, False, -1, -1, -1, 10_000)
    for offset, said in enumerate(headers):
        builder.append(offset, 0, key, None, said)
    return bytearray(builder.build())


def read(batch: bytearray) -> list[Any]:
    records = AnyNames(MemoryRecords(batch))
    return list(records.next_batch())


@pytest.mark.parametrize("key", [None, b"", b"key"])
def test_a_header_without_a_value_and_a_record_without_a_key_are_passed_rightly(key: bytes | None) -> None:
    first, second, third = read(batch_of([("a", b"1")], [(ODD, None), ("a", b"2")], [("a", None), (ODD, b"")], key=key))
    assert first.headers == [("a", b"1")]
    assert second.headers == [("??", None), ("a", b"2")]
    assert third.headers == [("a", None), ("??", b"")]
    assert {record.key for record in (first, second, third)} == {key}


def test_a_batch_that_is_broken_otherwise_is_refused() -> None:
    with pytest.raises(CorruptRecordError, match="Invalid record size"):
        read(batch_of([("a", b"1" * 20)]).replace(b"\x02a\x28", b"\x02a\x26"))
    with pytest.raises(CorruptRecordError):
        read(batch_of([(ODD, b"1" * 20)]).replace(b"\xe9\xff\x28", b"\xe9\xff\x26"))


def test_there_is_no_batch_after_the_last() -> None:
    records = AnyNames(MemoryRecords(batch_of([])))
    assert records.next_batch() is not None
    assert records.next_batch() is None
