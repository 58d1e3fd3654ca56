"""What the tests put into a topic: a simulated Persona, late and repeated events too, and what no Persona sends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from kafka import KafkaProducer

from adapters.kafka_log.append import Appended, KafkaAppender
from adapters.kafka_log.record import Audit, encode_headers
from adapters.persona.simulator.records import Draft, records

AUDIT = Audit("t=1,v1=00", "0123abcd", datetime(2026, 1, 1, tzinfo=UTC), 1, None, "webhook")

ACK_S = 60


class Sent(NamedTuple):
    """A record before it has an offset."""

    key: bytes
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


def traffic(seed: int, count: int) -> list[Sent]:
    """`count` records of many inquiries: some with headers and some without, some that cannot be read, and some that
    contradict what was said before."""
    return [_disturb(number, draft) for number, draft in enumerate(records(seed, count, body_bytes=0))]


def _disturb(number: int, draft: Draft) -> Sent:
    if number % 41 == 40:
        return Sent(draft.event.inquiry_id.encode(), b"{", ())
    if number % 37 == 36:
        event = draft.event._replace(occurred_at=draft.event.occurred_at - timedelta(milliseconds=1))
        return _send(draft._replace(event=event))
    return Sent(draft.event.inquiry_id.encode(), draft.body) if number % 3 == 0 else _send(draft)


def _send(draft: Draft) -> Sent:
    """As the edge does, from one of two webhooks."""
    source = ("eu", "us")[len(draft.body) % 2]
    headers = encode_headers(draft.event._replace(source=source), AUDIT, payload_type=draft.payload_type)
    return Sent(draft.event.inquiry_id.encode(), draft.body, headers)


@contextmanager
def connected(bootstrap: str, topic: str) -> Iterator[KafkaAppender]:
    """The real appender, ready; closed after the block."""
    appender = KafkaAppender(bootstrap, topic)
    try:
        appender.wait_ready(ACK_S)
        yield appender
    finally:
        appender.close()


def append_all(bootstrap: str, topic: str, sent: Iterable[Sent]) -> list[Appended]:
    """Append them, and wait until every one is acknowledged."""
    with connected(bootstrap, topic) as appender:
        futures = [appender.append(*record) for record in sent]
        return [future.result(ACK_S) for future in futures]


@contextmanager
def load(bootstrap: str, topic: str, seed: int, a_second: int = 500) -> Iterator[None]:
    """Append in the background while the block runs, about so many records a second. Those that are refused meanwhile,
    since the broker is away, are not appended again."""
    over = threading.Event()

    def run() -> None:
        for record in traffic(seed, 120 * a_second):
            appender.append(*record)
            if over.wait(1 / a_second):
                return

    with connected(bootstrap, topic) as appender:
        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def leave_gaps(bootstrap: str, topic: str, partitions: Iterable[int], *, abort: bool) -> None:
    """A transaction over these partitions: one record and its marker in each; the record counts only if committed."""
    producer = KafkaProducer(bootstrap_servers=bootstrap, transactional_id=f"gaps-{topic}", metrics_enabled=False)
    try:
        producer.init_transactions()
        producer.begin_transaction()
        for partition in partitions:
            producer.send(topic, key=b"gap", value=b"{", partition=partition)
        producer.flush(ACK_S)
        end: Callable[[], object] = producer.abort_transaction if abort else producer.commit_transaction
        end()
    finally:
        producer.close()
