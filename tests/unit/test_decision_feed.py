"""The decision feed's producer: nothing is committed that is not acknowledged, and nothing is waited for for ever."""

from __future__ import annotations

from typing import Any

import pytest
from kafka import errors
from kafka.producer.future import FutureProduceResult, FutureRecordMetadata
from kafka.structs import TopicPartition

from adapters.kafka_log import publish
from adapters.kafka_log.publish import KafkaDecisions
from domain.errors import Fenced, LedgerError, LogUnavailable, TopicError
from tests.unit.test_decision_record import ROW


class Producer:
    """A transactional producer as kafka-python's: `meets` is what its sends end with, None where they never end."""

    def __init__(
        self, *meets: Exception | str | None, commits: bool = True, last_error: Exception | None = None
    ) -> None:
        self._meets = list(meets)
        self._commits = commits
        self.last_error = last_error
        self.committed = self.sent = 0
        self._transaction_manager = self._sender = self

    def begin_transaction(self) -> None:
        self.sent = 0

    def send(self, topic: str, **record: Any) -> FutureRecordMetadata:
        result = FutureProduceResult(TopicPartition(topic, 0))
        future = FutureRecordMetadata(result, 0, 0, None, 1, 1, 1)
        met = self._meets[self.sent]
        self.sent += 1
        if isinstance(met, Exception):
            result.failure(met)
        elif met is not None:
            result.success((7, 0, None))
        return future

    def begin_commit(self) -> Producer:
        self.committed += 1
        return self

    def wait(self, timeout_ms: float) -> bool:
        assert timeout_ms <= publish.COMMIT_WITHIN_S * 1000
        return self._commits

    def wakeup(self) -> None:
        pass


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "COMMIT_WITHIN_S", 0.05)


def outcome(producer: Producer) -> LedgerError | None:
    feed = KafkaDecisions("127.0.0.1:1", "persona.events")
    feed._producer = producer
    try:
        feed.publish([ROW, ROW])
    except LedgerError as error:
        return error
    return None


def test_a_page_is_committed_once_every_record_is_acknowledged() -> None:
    producer = Producer("ack", "ack")
    assert outcome(producer) is None
    assert (producer.sent, producer.committed) == (2, 1)


@pytest.mark.parametrize(
    ("met", "expected"),
    [
        (None, LogUnavailable),
        (errors.KafkaTimeoutError(), LogUnavailable),
        (errors.OutOfOrderSequenceNumberError(), LogUnavailable),
        (errors.KafkaError("in an error state"), LogUnavailable),
        (errors.InvalidProducerEpochError(), Fenced),
        (errors.ProducerFencedError(), Fenced),
        (errors.TopicAuthorizationFailedError(), TopicError),
        (errors.TransactionalIdAuthorizationFailedError(), TopicError),
        (errors.MessageSizeTooLargeError(), TopicError),
    ],
)
def test_a_record_that_is_not_acknowledged_keeps_its_page_from_being_committed(
    met: Exception | None, expected: type[LedgerError]
) -> None:
    producer = Producer("ack", met)
    assert type(outcome(producer)) is expected
    assert producer.committed == 0


def test_a_commit_that_is_not_answered_is_given_up() -> None:
    assert isinstance(outcome(Producer("ack", "ack", commits=False)), LogUnavailable)


def test_what_the_producer_has_met_is_what_counts() -> None:
    """To its caller it only says that there was something."""
    told = errors.KafkaError("Cannot perform send because at least one previous request has failed with errors.")
    assert isinstance(outcome(Producer("ack", told, last_error=errors.ProducerFencedError())), Fenced)
