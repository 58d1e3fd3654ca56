"""Reading the log on a real broker: what comes out, from where, and what is refused."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from kafka import KafkaAdminClient, TopicPartition

from adapters.embedded.kafka import EmbeddedKafka
from adapters.kafka_log.feed import KafkaFeed
from adapters.kafka_log.topic import KafkaTopic
from domain.errors import LogUnavailable, PositionError, TopicError
from tests.feeds import Member, RawName, append, appending, joined, producing, wait_for

#: Java's murmur2 of these keys (Kafka's UtilsTest).
MURMUR2 = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536, b"abc": 479470107}


@pytest.fixture
def one(make_topic: Callable[[int], str]) -> str:
    """A topic with one partition."""
    return make_topic(1)


@pytest.fixture
def admin(kafka: EmbeddedKafka) -> Iterator[KafkaAdminClient]:
    with KafkaAdminClient(bootstrap_servers=kafka.bootstrap) as client:
        yield client


def test_a_record_comes_out_byte_for_byte(kafka: EmbeddedKafka, topic: str) -> None:
    value = bytes(range(256)) * 100
    headers = [("ce_id", b"evt_1"), ("ce_id", b"evt_2"), ("empty", b""), ("not utf-8", b"\xff\x00"), ("é", b"1")]
    before = datetime.now(UTC) - timedelta(seconds=1)
    with appending(kafka.bootstrap, topic) as appender:
        appended = appender.append("inq_ü".encode(), value, headers).result(10)
    with joined(kafka.bootstrap, topic) as member:
        (record,) = member.read(1)
    assert (record.key, record.value, record.headers) == ("inq_ü".encode(), value, tuple(headers))
    assert record.placement[:3] == appended == (topic, appended.partition, 0)
    assert before < record.placement.appended_at < datetime.now(UTC) + timedelta(seconds=1)


@pytest.mark.parametrize("codec", [None, "zstd"])
def test_a_header_name_that_is_not_utf_8_stops_nobody(kafka: EmbeddedKafka, one: str, codec: str | None) -> None:
    odd = [("a", b"1"), (RawName("é\xff"), b""), ("b", "ü".encode()), (RawName("ÿ"), b"2")]
    with producing(kafka.bootstrap, compression_type=codec, linger_ms=20) as producer:
        for number in range(6):
            producer.send(one, key=b"inq_1", value=b"%d" % number, headers=odd if number % 2 else [("é", b"")])
        producer.send(one, key=b"inq_1", value=None, headers=odd)
        producer.flush()
        producer.send(one, value=b"6")
    with joined(kafka.bootstrap, one) as member:
        first, *_ = records = member.read(8)
    assert [record.value for record in records] == [None, b"0", b"1", b"2", b"3", b"4", b"5", b"6"]
    assert first.headers == records[2].headers == (("a", b"1"), ("??", b""), ("b", "ü".encode()), ("?", b"2"))
    assert records[1].headers == (("é", b""),)
    assert member.gaps == 0


def test_a_record_without_a_value_and_one_without_a_key_come_out(kafka: EmbeddedKafka, topic: str) -> None:
    with producing(kafka.bootstrap) as producer:
        producer.send(topic, key=b"inq_1", value=None)
        producer.send(topic, key=None, value=b"{}")
    with joined(kafka.bootstrap, topic) as member:
        assert {(record.key, record.value) for record in member.read(2)} == {(b"inq_1", None), (None, b"{}")}


def test_a_key_lies_in_the_partition_that_java_would_choose(kafka: EmbeddedKafka, topic: str) -> None:
    with appending(kafka.bootstrap, topic) as appender:
        for key, murmur2 in MURMUR2.items():
            assert appender.append(key, b"{}", []).result(10).partition == (murmur2 & 0x7FFFFFFF) % 6


@pytest.mark.parametrize("codec", [None, "gzip", "lz4", "snappy", "zstd"])
def test_every_codec_is_read(kafka: EmbeddedKafka, topic: str, codec: str | None) -> None:
    values = [b"%03d" % number + b"x" * 1000 for number in range(100)]
    with producing(kafka.bootstrap, compression_type=codec, linger_ms=20) as producer:
        for value in values:
            producer.send(topic, key=b"inq_1", value=value, headers=[("a", b"b")])
    with joined(kafka.bootstrap, topic) as member:
        assert [record.value for record in member.read(100)] == values


def test_a_poll_returns_at_most_so_many_records(kafka: EmbeddedKafka, one: str) -> None:
    append(kafka, one, [b"%02d" % number for number in range(25)])
    with joined(kafka.bootstrap, one, max_records=10) as member:
        sizes: list[int] = []
        while sum(sizes) < 25:
            before = len(member.records)
            member.poll()
            sizes.append(len(member.records) - before)
    assert max(sizes) == 10
    assert member.gaps == 0


def test_the_ledger_says_where_to_read_whatever_the_group_says(kafka: EmbeddedKafka, one: str) -> None:
    append(kafka, one, [b"0", b"1", b"2", b"3"])
    with joined(kafka.bootstrap, one) as first:
        first.read(4)
        first.feed.commit({0: 4})
    for position in (0, 3, 4):
        with joined(kafka.bootstrap, one, positions={0: position}) as member:
            append(kafka, one, [b"last"])
            while b"last" not in [record.value for record in member.records]:
                member.poll()
        assert member.records[0].placement.offset == position


def test_the_group_is_told_how_far_the_ledger_is(kafka: EmbeddedKafka, one: str, admin: KafkaAdminClient) -> None:
    append(kafka, one, [b"0", b"1"])
    with joined(kafka.bootstrap, one, "lag") as member:
        member.read(2)
        member.feed.commit({0: 2})
        tell = TopicPartition(one, 0)
        wait_for(lambda: tell in (told := admin.list_group_offsets(["lag"])["lag"]) and told[tell].offset == 2)


def test_records_are_read_again_after_a_seek(kafka: EmbeddedKafka, one: str) -> None:
    append(kafka, one, [b"0", b"1", b"2"])
    with joined(kafka.bootstrap, one) as member:
        member.read(3)
        member.feed.seek({0: 1, 77: 5})
        member.positions[0] = 1
        member.poll_until(lambda: len(member.records) == 5)
    assert [record.value for record in member.records] == [b"0", b"1", b"2", b"1", b"2"]


def test_markers_and_aborted_records_are_passed_over_as_gaps(kafka: EmbeddedKafka, one: str) -> None:
    with producing(kafka.bootstrap, transactional_id=f"{one}-producer") as producer:
        producer.init_transactions()
        for commits, count in ((True, 2), (False, 3), (True, 1), (False, 4)):
            producer.begin_transaction()
            for number in range(count):
                producer.send(one, partition=0, key=b"inq_1", value=b"%d" % number).get(10)
            producer.commit_transaction() if commits else producer.abort_transaction()
    with KafkaTopic(kafka.bootstrap, one) as topic:
        end = topic.inspect().offsets[0][1]
    with joined(kafka.bootstrap, one) as member:
        member.poll_until(lambda: member.positions.get(0) == end)
    assert (end, len(member.records), member.gaps) == (14, 3, 11)


def test_a_position_moves_where_there_are_only_markers(kafka: EmbeddedKafka, one: str) -> None:
    with (
        joined(kafka.bootstrap, one) as member,
        producing(kafka.bootstrap, transactional_id=f"{one}-producer") as producer,
    ):
        member.poll_until(lambda: member.owned)
        producer.init_transactions()
        producer.begin_transaction()
        producer.send(one, partition=0, key=b"inq_1", value=b"never").get(10)
        producer.abort_transaction()
        member.poll_until(lambda: member.positions[0] == 2)
    assert (member.records, member.gaps) == ([], 2)


def test_a_record_of_an_open_transaction_is_not_read_and_not_counted(kafka: EmbeddedKafka, one: str) -> None:
    with (
        producing(kafka.bootstrap, transactional_id=f"{one}-producer") as producer,
        joined(kafka.bootstrap, one) as member,
        KafkaTopic(kafka.bootstrap, one) as topic,
    ):
        producer.init_transactions()
        producer.begin_transaction()
        producer.send(one, partition=0, key=b"inq_1", value=b"open").get(10)
        append(kafka, one, [b"after"])
        assert topic.inspect().offsets == {0: (0, 0)}
        member.poll_until(lambda: member.owned)
        member.poll(1.0)
        assert (member.records, member.positions) == ([], {0: 0})
        producer.commit_transaction()
        member.poll_until(lambda: member.positions[0] == 3)
        assert [record.value for record in member.records] == [b"open", b"after"]


def test_a_position_above_the_end_is_refused(kafka: EmbeddedKafka, one: str) -> None:
    append(kafka, one, [b"0"])
    with joined(kafka.bootstrap, one, positions={0: 5}) as member, pytest.raises(PositionError, match="OffsetOutOf"):
        member.poll_until(lambda: member.records)


def test_a_position_below_the_first_offset_is_refused(kafka: EmbeddedKafka, one: str, admin: KafkaAdminClient) -> None:
    append(kafka, one, [b"0", b"1", b"2"])
    admin.delete_records({TopicPartition(one, 0): 2})
    with joined(kafka.bootstrap, one) as member, pytest.raises(PositionError, match="Nothing is skipped"):
        member.poll_until(lambda: member.records)


def test_records_removed_while_they_are_read_are_not_skipped(
    kafka: EmbeddedKafka, one: str, admin: KafkaAdminClient
) -> None:
    append(kafka, one, [b"%02d" % number for number in range(30)])
    with joined(kafka.bootstrap, one, max_records=5) as member:
        member.read(5)
        admin.delete_records({TopicPartition(one, 0): 30})
        member.feed.seek({0: 0})
        member.positions[0] = 0
        with pytest.raises(PositionError):
            member.poll_until(lambda: len(member.records) > 30)


@pytest.mark.parametrize("grows", [False, True])
def test_a_topic_that_is_created_again_while_it_is_read_stops_the_reader(
    kafka: EmbeddedKafka, one: str, admin: KafkaAdminClient, grows: bool
) -> None:
    """Where the new one has records at the offset read last, only its id tells."""
    append(kafka, one, [b"old"])
    with (
        joined(kafka.bootstrap, one) as member,
        KafkaTopic(kafka.bootstrap, one) as topic,
        ThreadPoolExecutor(1) as pool,
    ):
        member.read(1)
        before = topic.inspect()
        stopped = pool.submit(member.poll_until, lambda: False)
        admin.delete_topics([one])
        wait_for(lambda: topic.create(1))
        if grows:
            append(kafka, one, [b"new", b"new", b"new"])
        with pytest.raises((TopicError, PositionError)):
            stopped.result()
        assert topic.inspect().topic_id != before.topic_id


def test_a_broker_that_is_not_there_is_unavailable_and_costs_no_file_descriptors() -> None:
    feed = KafkaFeed("127.0.0.1:1", "nowhere", "group")
    feed.subscribe(lambda partitions: dict.fromkeys(partitions, 0), lambda partitions: None)
    with pytest.raises(LogUnavailable, match="does not answer"):
        feed.poll(0.1)
    feed.close()


def test_what_a_callback_raises_comes_out_and_it_is_asked_again(kafka: EmbeddedKafka, one: str) -> None:
    append(kafka, one, [b"0"])
    answers = itertools.chain([LogUnavailable("away"), PositionError("other"), KeyError("a surprise")], [None] * 9)

    class Shy(Member):
        def assigned(self, partitions: object) -> dict[int, int]:
            error = next(answers)
            if error is not None:
                raise error
            self.owned.add(0)
            self.positions[0] = 0
            return {0: 0}

    member = Shy(kafka.bootstrap, one)
    for expected in (LogUnavailable, PositionError, KeyError):
        with pytest.raises(expected):
            member.poll_until(lambda: member.records)
    member.poll_until(lambda: member.records)
    member.feed.close()


def test_reading_goes_on_where_it_was_though_the_broker_was_killed(
    unsteady_kafka: EmbeddedKafka, unsteady_topic: str
) -> None:
    values = [b"%03d" % number for number in range(100)]
    with joined(unsteady_kafka.bootstrap, unsteady_topic) as member:
        append(unsteady_kafka, unsteady_topic, values[:50])
        member.poll_through(partial(has_read, member, values[49]))
        unsteady_kafka.kill()
        assert not member.feed.poll(0.1)
        unsteady_kafka.start()
        append(unsteady_kafka, unsteady_topic, values[50:])
        member.poll_through(partial(has_read, member, values[99]))
    assert [record.value for record in member.records] == values
    assert member.gaps == 0


def has_read(member: Member, value: bytes) -> bool:
    return any(record.value == value for record in member.records)
