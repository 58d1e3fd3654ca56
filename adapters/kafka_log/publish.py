"""The decision feed in Kafka: pages of revisions, each page one transaction (KIP-98).

The transaction is not for its atomicity but for its fence: opening a feed ends whatever a predecessor had begun, and
from then on the broker takes nothing of it, however long it was frozen. kafka-python 3.0.12 needs care: a batch that
ran out of time does not spoil its transaction, so every acknowledgement is looked at before the commit; and a commit
waits for ever for a broker that is away, so it is waited for here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from kafka import KafkaProducer, errors

from adapters.kafka_log.append import producer_settings
from adapters.kafka_log.client import connect
from adapters.kafka_log.decision_record import DECISIONS_SETTINGS, DECISIONS_TOPIC, encode_decision
from adapters.kafka_log.failure import Security, explain
from adapters.kafka_log.topic import KafkaTopic
from domain.errors import Fenced, LogUnavailable
from domain.reading import ViewRow

#: A page that is not committed within this time is given up: the feed is opened and the page published once more.
COMMIT_WITHIN_S = 8.0

#: When the broker ends a transaction whose publisher is gone: so long may readers of what is committed wait for it.
#: A successor ends it at once.
_TRANSACTION_TIMEOUT_MS = 15_000

#: We give up long before kafka-python does: what has expired in it takes its producer out of step.
_NEVER_MS = 120_000

_LINGER_MS = 2
_RETRY_BACKOFF_MS = 20  # while the markers of the last transaction are written the next one waits so long
_SHUT_S = 2.0

#: Somebody else has opened the feed since.
_FENCED = (errors.ProducerFencedError, errors.InvalidProducerEpochError)

#: Nobody but an operator can change these.
_REFUSED = (
    errors.AuthorizationError,
    errors.InvalidTopicError,
    errors.MessageSizeTooLargeError,
    errors.RecordListTooLargeError,
)


def open_topic(bootstrap: str, security: Security | None = None, name: str = DECISIONS_TOPIC) -> KafkaTopic:
    """The topic of decisions: for `migrate`, which makes it as designed, and for `doctor`."""
    return KafkaTopic(bootstrap, name, security, DECISIONS_SETTINGS)


class KafkaDecisions:
    """`consumers.publisher.Feed` on the topic of decisions, for one ledger's `source` topic. Not thread-safe.

    The `source` topic is the transactional id: feeds of the same one fence each other, others they do not know.
    """

    def __init__(
        self, bootstrap: str, source: str, security: Security | None = None, topic: str = DECISIONS_TOPIC
    ) -> None:
        self._bootstrap = bootstrap
        self._source = source
        self._security = security or {}
        self._name = topic
        self._topic = open_topic(bootstrap, security, topic)
        self._producer: Any = None

    def check(self) -> None:
        """TopicError where there is no topic of decisions; LogUnavailable."""
        self._topic.identify()

    def open(self) -> None:
        """Fence every feed that was opened before: nothing that it has not committed will ever be read. LogUnavailable;
        TopicError where there is no topic, or we may not write."""
        self.close()
        self.check()
        with self._translated():
            self._producer = connect(KafkaProducer, self._bootstrap, **self._settings())
            self._producer.init_transactions()
            self._producer.partitions_for(self._name)

    def publish(self, rows: Sequence[ViewRow]) -> None:
        """Append revisions in this order: all of them, on all in-sync replicas, or none that counts. Fenced where
        another feed was opened since; LogUnavailable: they may or may not be there, and are sent again after `open`."""
        until = time.monotonic() + COMMIT_WITHIN_S
        with self._translated():
            self._producer.begin_transaction()
            for sent in [self._send(row) for row in rows]:
                sent.get(timeout=max(0.0, until - time.monotonic()))
            self._commit(until)

    def close(self) -> None:
        """Drop the connection, and what is not committed with it."""
        self._topic.close()
        producer, self._producer = self._producer, None
        if producer is not None:
            producer._sender.force_close()  # `close` alone waits for what a broker that is away never answers
            producer._sender.join(_SHUT_S)
            with suppress(errors.KafkaError):
                producer.close(timeout=0)

    def _send(self, row: ViewRow) -> Any:
        record = encode_decision(row)
        return self._producer.send(self._name, key=record.key, value=record.value, headers=record.headers)

    def _commit(self, until: float) -> None:
        ended = self._producer._transaction_manager.begin_commit()
        self._producer._sender.wakeup()
        if not ended.wait(max(0.0, until - time.monotonic()) * 1000):
            raise errors.KafkaTimeoutError

    def _settings(self) -> Mapping[str, object]:
        return {
            **producer_settings(self._security),
            "transactional_id": f"inquiry-ledger.publish.{self._source}",
            "transaction_timeout_ms": _TRANSACTION_TIMEOUT_MS,
            "delivery_timeout_ms": _NEVER_MS,
            "linger_ms": _LINGER_MS,
            "retry_backoff_ms": _RETRY_BACKOFF_MS,
        }

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """KafkaError → Fenced, TopicError for what an operator must mend, LogUnavailable for all else: opening the feed
        anew is the way out of whatever state a producer is in."""
        try:
            yield
        except (errors.KafkaError, OSError) as error:
            cause = self._find_cause() or error
            if isinstance(cause, _FENCED):
                raise Fenced("another publisher has taken over") from error
            if isinstance(cause, _REFUSED):
                raise explain(cause, self._bootstrap, self._name) from error
            problem = f"Kafka at {self._bootstrap} does not commit ({type(cause).__name__})"
            raise LogUnavailable(problem) from error

    def _find_cause(self) -> Exception | None:
        """What the producer's own thread has met: to its caller it only says that there was something."""
        cause: Exception | None = self._producer and self._producer._transaction_manager.last_error
        return cause
