"""Appending: every record acknowledged by all in-sync replicas, once, before anybody is told that it is there.

An event loop may call `append`: it never blocks. The producer is made by a thread of its own, which waits for the
broker and replaces a producer that cannot go on (an idempotent producer has states it does not leave).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, NamedTuple

import structlog
from kafka import KafkaProducer, errors

from adapters.kafka_log.client import connect
from adapters.kafka_log.failure import Security
from adapters.kafka_log.topic import MAX_RECORD_BYTES
from domain.errors import LedgerError, LogUnavailable, TopicError

#: After this a record that was not acknowledged is given up: its sender was told 503 long before, and tries again.
DELIVERY_TIMEOUT_MS = 8_000
_REQUEST_TIMEOUT_MS = 4_000
_LINGER_MS = 1
_BATCH_BYTES = 262_144

#: `send` must not wait: the topic is known before the first call. Only a topic that vanishes makes it wait, this long.
_MAX_BLOCK_MS = 50

_RETRY_S = 0.5

log = structlog.get_logger(__name__)


class Appended(NamedTuple):
    """Where an acknowledged record lies."""

    topic: str
    partition: int
    offset: int


class KafkaAppender:
    """Appends records to one topic. Thread-safe. Made without a broker too: it is ready once there is one."""

    def __init__(self, bootstrap: str, topic: str, security: Security | None = None) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._security = security or {}
        self._producer: Any = None
        self._broken = threading.Event()
        self._ready = threading.Event()
        self._closed = threading.Event()
        self._broken.set()
        self._keeper = threading.Thread(target=self._keep, name="log-producer", daemon=True)
        self._keeper.start()

    def append(self, key: bytes, value: bytes | None, headers: Sequence[tuple[str, bytes]]) -> Future[Appended]:
        """Append a record. The future resolves when all in-sync replicas have it, or fails: LogUnavailable where it
        may or may not arrive yet, TopicError where it never will. Never blocks."""
        answer: Future[Appended] = Future()
        producer = self._producer
        if producer is None:
            answer.set_exception(LogUnavailable(f"Kafka at {self._bootstrap} is not connected"))
            return answer
        try:
            sent = producer.send(self._topic, key=key, value=value, headers=list(headers))
        except errors.MessageSizeTooLargeError:
            answer.set_exception(TopicError(f"a record is longer than the {MAX_RECORD_BYTES} bytes the topic takes"))
        except (errors.KafkaError, ValueError) as error:
            self._replace(producer)
            answer.set_exception(_explain(error))
        else:
            sent.add_callback(partial(_resolve, answer))
            sent.add_errback(partial(self._fail, answer, producer))
        return answer

    def is_ready(self) -> bool:
        """Whether records can be appended now, as far as is known here."""
        return self._producer is not None

    def wait_ready(self, timeout_s: float) -> None:
        """Wait for the broker; LogUnavailable where it does not come within `timeout_s`."""
        if not self._ready.wait(timeout_s):
            raise LogUnavailable(f"Kafka at {self._bootstrap} does not answer within {timeout_s:.0f} s")

    def close(self, timeout_s: float = 5.0) -> None:
        """Wait for what is on its way, then disconnect."""
        self._closed.set()
        self._broken.set()
        self._keeper.join(timeout_s)
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.close(timeout=timeout_s)

    def _keep(self) -> None:
        """Keep a producer there: make one now, and another whenever one is broken."""
        while not self._closed.is_set():
            self._broken.wait()
            if self._closed.is_set():
                return
            try:
                producer = self._make()
            except (errors.KafkaError, OSError) as error:
                log.warning("log_unavailable", problem=type(error).__name__)
                self._closed.wait(_RETRY_S)
            else:
                self._broken.clear()
                self._ready.set()
                self._producer = producer  # the last: from here on it may be found broken
                log.info("log_connected", topic=self._topic)

    def _make(self) -> Any:
        producer = connect(KafkaProducer, self._bootstrap, **producer_settings(self._security))
        try:
            producer.partitions_for(self._topic)
        except errors.KafkaError:
            producer.close(timeout=0)
            raise
        producer.config["max_block_ms"] = _MAX_BLOCK_MS
        return producer

    def _fail(self, answer: Future[Appended], producer: Any, error: Exception) -> None:
        """In the producer's thread."""
        if not isinstance(error, errors.KafkaTimeoutError | errors.MessageSizeTooLargeError):
            self._replace(producer)
        if not answer.done():
            answer.set_exception(_explain(error))

    def _replace(self, producer: Any) -> None:
        """Let the keeper make another in its place, once."""
        if self._producer is producer:
            self._producer = None
            self._ready.clear()
            threading.Thread(target=producer.close, kwargs={"timeout": 1}, daemon=True).start()
            self._broken.set()


def producer_settings(security: Security) -> dict[str, object]:
    """What makes an acknowledgement a promise, and the bounds of waiting for one: keywords of `KafkaProducer`."""
    return {
        "client_id": "inquiry-ledger",
        "acks": "all",
        "enable_idempotence": True,
        "compression_type": "zstd",
        "linger_ms": _LINGER_MS,
        "batch_size": _BATCH_BYTES,
        "max_request_size": MAX_RECORD_BYTES,
        "max_block_ms": _REQUEST_TIMEOUT_MS,
        "request_timeout_ms": _REQUEST_TIMEOUT_MS,
        "bootstrap_timeout_ms": _REQUEST_TIMEOUT_MS,
        "delivery_timeout_ms": DELIVERY_TIMEOUT_MS,
        "reconnect_backoff_max_ms": 1_000,
        "allow_auto_create_topics": False,
        "metrics_enabled": False,
        **security,
    }


def _resolve(answer: Future[Appended], metadata: Any) -> None:
    if not answer.done():
        answer.set_result(Appended(metadata.topic, metadata.partition, metadata.offset))


def _explain(error: Exception) -> LedgerError:
    """For the caller; the record itself is in no message."""
    if isinstance(error, errors.MessageSizeTooLargeError):
        return TopicError("a record is longer than the topic takes: see max.message.bytes")
    return LogUnavailable(f"the log did not acknowledge ({type(error).__name__})")
