"""A producer that neither acknowledges nor fails: it is replaced, and what it held is settled as failed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from adapters.kafka_log import append
from adapters.kafka_log.append import Appended, KafkaAppender
from domain.errors import LogUnavailable


class Sent:
    """A future of kafka-python that is settled when a test says so."""

    def __init__(self, acknowledges: bool) -> None:
        self._acknowledges = acknowledges
        self.fail: Callable[[Exception], object] = lambda error: None

    def add_callback(self, settle: Callable[[Any], object]) -> None:
        if self._acknowledges:
            settle(Appended("topic", 0, 7))

    def add_errback(self, fail: Callable[[Exception], object]) -> None:
        if not self._acknowledges:
            self.fail = fail


class Producer:
    """Acknowledges at once, or never."""

    def __init__(self, acknowledges: bool) -> None:
        self.config: dict[str, object] = {}
        self._acknowledges = acknowledges
        self.sent: list[Sent] = []

    def partitions_for(self, topic: str) -> set[int]:
        return {0}

    def send(self, topic: str, **record: object) -> Sent:
        self.sent.append(Sent(self._acknowledges))
        return self.sent[-1]


def finish(producer: Producer, timeout_s: float) -> None:
    for sent in producer.sent:
        sent.fail(TimeoutError())


def test_a_producer_that_leaves_a_record_unsettled_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    producers = [Producer(acknowledges=False), Producer(acknowledges=True)]
    made = iter(producers)
    monkeypatch.setattr(append, "connect", lambda *_, **__: next(made))
    monkeypatch.setattr(append, "_finish", finish)
    monkeypatch.setattr(append, "STALLED_AFTER_S", 0.2)
    monkeypatch.setattr(append, "_LOOK_EVERY_S", 0.05)
    appender = KafkaAppender("nowhere:9092", "topic")
    appender.wait_ready(5)
    stuck = appender.append(b"key", b"value", [])
    with pytest.raises(LogUnavailable):
        stuck.result(5)
    _wait(appender.is_ready)
    assert appender.append(b"key", b"value", []).result(5) == Appended("topic", 0, 7)
    appender.close()


def _wait(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)
