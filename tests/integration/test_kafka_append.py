"""Appending on a real broker, one that is killed too: what was acknowledged is there, and nothing waits for ever."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from kafka import KafkaAdminClient

from adapters.embedded.kafka import EmbeddedKafka
from adapters.kafka_log.acknowledgement import Acknowledgement
from adapters.kafka_log.append import DELIVERY_TIMEOUT_MS, Appended, KafkaAppender
from adapters.kafka_log.topic import KafkaTopic
from domain.errors import LedgerError, LogUnavailable, TopicError
from tests.feeds import WITHIN_S, Member, append, appending, joined, wait_for

NOWHERE = "127.0.0.1:1"

#: No waiting for a broker, on a machine that is busy.
AT_ONCE_S = 0.5


class Sender:
    """Appends one record after another from a thread of its own, as an edge does, and notes how long each call took."""

    def __init__(self, appender: KafkaAppender) -> None:
        self.sent: list[tuple[bytes, Acknowledgement[Appended]]] = []
        self.longest_s = 0.0
        self._appender = appender
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Sender:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        for number in itertools.count():
            if self._stop.wait(0.001):
                return
            value = b"%06d" % number + os.urandom(500)
            began = time.perf_counter()
            future = self._appender.append(b"inq_%d" % (number % 50), value, [("number", b"%d" % number)])
            self.longest_s = max(self.longest_s, time.perf_counter() - began)
            self.sent.append((value, future))

    def acknowledged(self) -> dict[bytes, Appended]:
        """What has been acknowledged up to now."""
        return {value: future.result() for value, future in self.sent[:] if is_good(future)}

    def futures(self) -> list[Acknowledgement[Appended]]:
        """Of all that was sent up to now."""
        return [future for _, future in self.sent[:]]

    def wait_for_more(self, count: int, within_s: float = WITHIN_S) -> None:
        """Wait until so many more are acknowledged."""
        known = len(self.acknowledged())
        wait_for(lambda: len(self.acknowledged()) >= known + count, within_s)


def count_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def wait_for_all(futures: Iterable[Acknowledgement[Appended]]) -> None:
    """Until each is settled, be it as failed: none may take longer than a delivery does."""
    wait_for(lambda: all(future.done() for future in futures), DELIVERY_TIMEOUT_MS / 1000 + 5)


def is_good(future: Acknowledgement[Appended]) -> bool:
    return future.done() and future.exception() is None


def read_all(kafka: EmbeddedKafka, topic: str) -> Member:
    with KafkaTopic(kafka.bootstrap, topic) as opened, joined(kafka.bootstrap, topic) as member:
        ends = {partition: end for partition, (_, end) in opened.inspect().offsets.items()}
        member.poll_until(lambda: member.positions == ends)
    return member


def test_records_of_one_key_keep_their_order(kafka: EmbeddedKafka, topic: str) -> None:
    appended = append(kafka, topic, [b"%d" % number for number in range(500)])
    assert [one.offset for one in appended] == list(range(500))


def test_nothing_is_appended_and_nothing_waits_without_a_broker() -> None:
    began = time.perf_counter()
    appender = KafkaAppender(NOWHERE, "topic")
    future = appender.append(b"inq_1", b"{}", [])
    assert time.perf_counter() - began < AT_ONCE_S
    assert not appender.is_ready()
    assert isinstance(future.exception(0), LogUnavailable)
    appender.close(0.1)


def test_nothing_is_appended_to_a_topic_that_is_missing(kafka: EmbeddedKafka) -> None:
    appender = KafkaAppender(kafka.bootstrap, "missing")
    assert isinstance(appender.append(b"inq_1", b"{}", []).exception(0), LogUnavailable)
    with KafkaTopic(kafka.bootstrap, "missing") as topic:
        topic.create(3)
    wait_for(appender.is_ready)
    assert appender.append(b"inq_1", b"{}", []).result(10).offset == 0
    appender.close()


def test_a_record_that_is_too_long_never_arrives_and_harms_no_other(kafka: EmbeddedKafka, topic: str) -> None:
    with appending(kafka.bootstrap, topic) as appender:
        before = appender.append(b"inq_1", b"before", [])
        with pytest.raises(TopicError, match="longer than the 4194304 bytes"):
            appender.append(b"inq_1", os.urandom(4_194_304), []).result(10)
        after = appender.append(b"inq_1", b"after", [])
        assert (before.result(10).offset, after.result(10).offset) == (0, 1)


def test_a_topic_that_takes_less_than_designed_refuses_the_long_record_and_takes_the_next(
    kafka: EmbeddedKafka, topic: str
) -> None:
    """kafka-python's producer does not recover by itself: it would refuse every record from there on."""
    small = f"{topic}-small"
    with KafkaAdminClient(bootstrap_servers=kafka.bootstrap) as admin:
        admin.create_topics({small: {"num_partitions": 1, "configs": {"max.message.bytes": "5000"}}})
    with appending(kafka.bootstrap, small) as appender:
        refused = appender.append(b"inq_1", os.urandom(20_000), [])
        assert isinstance(refused.exception(10), LogUnavailable)
        wait_for(appender.is_ready, within_s=10)
        assert appender.append(b"inq_1", b"short", []).result(10).offset == 0


def test_the_largest_record_of_the_design_goes_through(kafka: EmbeddedKafka, topic: str) -> None:
    value = os.urandom(2_000_000)
    with appending(kafka.bootstrap, topic) as appender:
        appender.append(b"inq_1", value, [("delivery", os.urandom(60_000))]).result(10)
    with joined(kafka.bootstrap, topic) as member:
        assert member.read(1)[0].value == value


def test_what_is_on_its_way_is_waited_for_when_closing(kafka: EmbeddedKafka, topic: str) -> None:
    appender = KafkaAppender(kafka.bootstrap, topic)
    wait_for(appender.is_ready)
    futures = [appender.append(b"inq_%d" % number, b"{}", []) for number in range(1_000)]
    appender.close()
    assert all(is_good(future) for future in futures)
    assert isinstance(appender.append(b"inq_1", b"{}", []).exception(0), LogUnavailable)


def test_a_topic_that_vanishes_makes_nobody_wait(kafka: EmbeddedKafka, topic: str) -> None:
    with (
        appending(kafka.bootstrap, topic) as appender,
        KafkaAdminClient(bootstrap_servers=kafka.bootstrap) as admin,
        Sender(appender) as sender,
    ):
        sender.wait_for_more(100)
        admin.delete_topics([topic])
        wait_for(lambda: not appender.is_ready())
    assert sender.longest_s < AT_ONCE_S
    wait_for_all(sender.futures())


def test_what_was_acknowledged_is_in_the_log_though_the_broker_was_killed(
    unsteady_kafka: EmbeddedKafka, unsteady_topic: str
) -> None:
    """And it goes on within seconds once the broker is back, twice over."""
    with appending(unsteady_kafka.bootstrap, unsteady_topic) as appender, Sender(appender) as sender:
        for end in (unsteady_kafka.kill, unsteady_kafka.stop):
            sender.wait_for_more(300)
            end()
            unsteady_kafka.start()
            sender.wait_for_more(300, within_s=10)
    wait_for_all(sender.futures())
    assert sender.longest_s < AT_ONCE_S
    found = {(record.placement.partition, record.placement.offset): record for record in
             read_all(unsteady_kafka, unsteady_topic).records}  # fmt: skip
    acknowledged = sender.acknowledged()
    for value, appended in acknowledged.items():
        record = found[appended.partition, appended.offset]
        assert (record.value, record.headers) == (value, (("number", b"%d" % int(value[:6])),))
    values = [record.value for record in found.values()]
    assert len(values) == len(set(values))
    assert set(values) <= {value for value, _ in sender.sent}


def test_a_broker_that_stays_away_settles_every_future_and_is_found_again(
    unsteady_kafka: EmbeddedKafka, unsteady_topic: str
) -> None:
    with appending(unsteady_kafka.bootstrap, unsteady_topic) as appender, Sender(appender) as sender:
        sender.wait_for_more(100)
        unsteady_kafka.kill()
        waiting = sender.futures()
        wait_for(lambda: not appender.is_ready(), DELIVERY_TIMEOUT_MS / 1000 + 5)
        wait_for_all(waiting)
        wait_for(lambda: all(future.done() for future in sender.futures()), 15)
        unsteady_kafka.start()
        sender.wait_for_more(100, within_s=10)
    failures = [future.exception() for future in sender.futures() if future.exception()]
    assert all(isinstance(failure, LogUnavailable) for failure in failures)
    assert set(sender.acknowledged()) <= {record.value for record in read_all(unsteady_kafka, unsteady_topic).records}


def test_closing_while_the_broker_is_away_settles_every_future_in_time(
    unsteady_kafka: EmbeddedKafka, unsteady_topic: str
) -> None:
    appender = KafkaAppender(unsteady_kafka.bootstrap, unsteady_topic)
    wait_for(appender.is_ready)
    unsteady_kafka.kill()
    futures = [appender.append(b"inq_1", b"{}", []) for _ in range(10)]
    began = time.monotonic()
    appender.close(1.0)
    assert time.monotonic() - began < 5
    for future in futures:
        assert isinstance(future.exception(0), LedgerError)


def test_trying_again_and_again_leaves_no_thread_and_no_file_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.kafka_log.append._REQUEST_TIMEOUT_MS", 50)
    monkeypatch.setattr("adapters.kafka_log.append._RETRY_S", 0.01)
    appender = KafkaAppender(NOWHERE, "topic")
    time.sleep(0.5)
    files, threads = count_files(), threading.active_count()
    time.sleep(1.0)
    assert count_files() <= files + 5
    assert threading.active_count() <= threads + 1
    appender.close(1.0)
