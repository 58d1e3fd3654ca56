"""Appending: every record acknowledged by all in-sync replicas, once, before anybody is told that it is there.

An event loop may call `append`: it never blocks. The producer is made by a thread of its own, which waits for the
broker, and makes another after any failed delivery: an idempotent producer has states that it does not leave, and
while the broker is away it gives up nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

import structlog
from kafka import KafkaProducer, errors

from adapters.kafka_log.acknowledgement import Acknowledgement
from adapters.kafka_log.client import CLIENT_ID, RECONNECT_BACKOFF_MAX_MS, connect
from adapters.kafka_log.failure import Security, explain
from adapters.kafka_log.partitioner import KeyPartitioner
from adapters.kafka_log.topic import MAX_RECORD_BYTES
from domain.errors import LogUnavailable, TopicError

#: After this a record that was not acknowledged is given up: its sender was told 503 long before, and tries again.
DELIVERY_TIMEOUT_MS = 8_000
_REQUEST_TIMEOUT_MS = 4_000
_LINGER_MS = 0  # while one batch of a partition is on its way the next one gathers: 0.8 ms a record alone, not 2.2
_BATCH_BYTES = 262_144

#: A producer that leaves a record unsettled for so long is replaced, as a precaution (docs/decisions/0010).
STALLED_AFTER_S = 5.0
_LOOK_EVERY_S = 0.5

_RETRY_S = 0.5
_SHUT_S = 2.0

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
        self._ready = threading.Event()
        self._broken = threading.Event()
        self._closed = threading.Event()
        self._close_within_s = 0.0
        self._on_the_way: dict[Acknowledgement[Appended], float] = {}  # in the order of sending, with its time
        self._keeper = threading.Thread(target=self._keep, name="log-producer", daemon=True)
        self._keeper.start()

    def append(
        self, key: bytes, value: bytes | None, headers: Sequence[tuple[str, bytes]]
    ) -> Acknowledgement[Appended]:
        """Append a record. The answer is settled when all in-sync replicas have it, or fails: LogUnavailable where it
        may or may not arrive yet, TopicError where it is longer than the topic takes by design. Never blocks."""
        answer: Acknowledgement[Appended] = Acknowledgement()
        producer = self._producer
        if producer is None:
            answer.fail(LogUnavailable(f"Kafka at {self._bootstrap} is not connected"))
            return answer
        try:
            sent = producer.send(self._topic, key=key, value=value, headers=list(headers))
        except errors.MessageSizeTooLargeError:
            answer.fail(TopicError(f"a record is longer than the {MAX_RECORD_BYTES} bytes a topic takes"))
        except (errors.KafkaError, ValueError) as error:  # ValueError: its topic has no partitions any more
            self._fail(answer, producer, error)
        else:
            self._on_the_way[answer] = time.monotonic()
            sent.add_callback(partial(self._settle, answer, producer))
            sent.add_errback(partial(self._fail, answer, producer))
        return answer

    def is_ready(self) -> bool:
        """Whether records can be appended now, as far as is known here."""
        return self._producer is not None

    def wait_ready(self, timeout_s: float) -> None:
        """Wait for the broker and the topic; LogUnavailable where they do not come within `timeout_s`."""
        if not self._ready.wait(timeout_s):
            raise LogUnavailable(f"Kafka at {self._bootstrap} does not answer within {timeout_s:.0f} s")

    def close(self, timeout_s: float = 5.0) -> None:
        """Wait for what is on its way, then disconnect; what does not arrive within `timeout_s` fails."""
        self._close_within_s = timeout_s
        self._closed.set()
        self._broken.set()
        self._keeper.join(timeout_s + _SHUT_S)

    def _keep(self) -> None:
        """Keep a producer there: make one now, and another whenever one is broken."""
        while not self._closed.is_set():
            self._broken.clear()
            producer = self._make()
            if producer is None:
                self._closed.wait(_RETRY_S)
                continue
            self._producer = producer
            self._ready.set()
            if not self._closed.is_set():
                log.info("log_connected", topic=self._topic)
                self._watch()
            self._ready.clear()
            self._producer = None
            self._retire(producer)

    def _watch(self) -> None:
        """Until the producer is broken: it said so, or it leaves a record unsettled."""
        while not self._broken.wait(_LOOK_EVERY_S):
            oldest = list(self._on_the_way.values())[:1]
            if oldest and time.monotonic() - oldest[0] > STALLED_AFTER_S:
                log.warning("log_stalled", topic=self._topic)
                self._on_the_way.clear()  # they are settled with their producer; the next one begins with its own
                return

    def _make(self) -> Any:
        """A producer that knows the topic, or None."""
        try:
            producer = connect(
                KafkaProducer, self._bootstrap, partitioner=KeyPartitioner(), **producer_settings(self._security)
            )
        except (errors.KafkaError, OSError) as error:
            log.warning("log_unavailable", problem=str(explain(error, self._bootstrap, self._topic)))
            return None
        try:
            producer.partitions_for(self._topic)
        except errors.KafkaError as error:
            log.warning("log_unavailable", problem=f"topic {self._topic}: {type(error).__name__}")
            _shut(producer)
            return None
        producer.config["max_block_ms"] = 0  # from here on `send` must not wait, should the topic vanish
        return producer

    def _settle(self, answer: Acknowledgement[Appended], producer: Any, metadata: Any) -> None:
        """In the producer's thread. Without an offset it is a copy of what the broker says it has: where, unknown."""
        if metadata.offset < 0:
            self._fail(answer, producer, errors.DuplicateSequenceNumberError())
        else:
            self._on_the_way.pop(answer, None)
            answer.settle(Appended(metadata.topic, metadata.partition, metadata.offset))

    def _fail(self, answer: Acknowledgement[Appended], producer: Any, error: Exception) -> None:
        """In the producer's thread, or the caller's. Whatever it was, the producer may not recover from it: what the
        topic refuses, for one record's length even, fails every record after it."""
        if self._producer is producer:
            self._producer = None
            self._broken.set()
        self._on_the_way.pop(answer, None)
        answer.fail(LogUnavailable(f"the log did not acknowledge ({type(error).__name__})"))

    def _retire(self, producer: Any) -> None:
        """Settle what this producer still has on its way: in time, or as failed."""
        if self._closed.is_set():
            _finish(producer, self._close_within_s)
        else:
            threading.Thread(target=_finish, args=(producer, _REQUEST_TIMEOUT_MS / 1000), daemon=True).start()


def producer_settings(security: Security) -> dict[str, object]:
    """What makes an acknowledgement a promise, and the bounds of waiting for one: keywords of `KafkaProducer`."""
    return {
        "client_id": CLIENT_ID,
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
        "reconnect_backoff_max_ms": RECONNECT_BACKOFF_MAX_MS,
        "allow_auto_create_topics": False,
        "metrics_enabled": False,
        **security,
    }


def _finish(producer: Any, timeout_s: float) -> None:
    with suppress(errors.KafkaError):
        producer.flush(timeout=timeout_s)
    _shut(producer)


def _shut(producer: Any) -> None:
    """Fail what is on its way, and let go of everything. `close` alone raises while something is on its way, and
    leaves the thread running."""
    producer._sender.force_close()
    producer._sender.join(_SHUT_S)
    with suppress(errors.KafkaError):
        producer.close(timeout=0)
