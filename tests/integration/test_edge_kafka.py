"""The webhook receiver on a real Kafka, wired as in production: what it answered 200 is in the topic, come what may."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import httpx
import pytest
from kafka import KafkaConsumer, TopicPartition

from adapters.embedded.kafka import EmbeddedKafka
from adapters.persona.signature import SIGNATURE_HEADER, sign
from adapters.settings import load_settings
from consumers import bootstrap
from tests.edges import delivery

SECRET = "wbhsec_of-this-test"
PATH = "/webhooks/persona"

#: What Persona waits for (persona.md, section 5).
PATIENCE_S = 5.0


class Edge(NamedTuple):
    """A receiver and its log."""

    url: str
    kafka: str
    topic: str

    def deliver(self, body: bytes) -> httpx.Response:
        """A delivery, with Persona's patience."""
        return httpx.post(self.url + PATH, content=body, headers=signed(body), timeout=PATIENCE_S)

    def status(self, path: str) -> int:
        return httpx.get(self.url + path, timeout=10.0).status_code

    def read(self) -> dict[tuple[int, int], Any]:
        """(partition, offset) → record, of the whole topic."""
        consumer = KafkaConsumer(bootstrap_servers=self.kafka, auto_offset_reset="earliest")
        partitions = [TopicPartition(self.topic, number) for number in consumer.partitions_for_topic(self.topic)]
        consumer.assign(partitions)
        ends, found = consumer.end_offsets(partitions), {}
        while any(consumer.position(partition) < ends[partition] for partition in partitions):
            for records in consumer.poll(timeout_ms=500).values():
                found.update({(record.partition, record.offset): record for record in records})
        consumer.close()
        return found


def signed(body: bytes) -> dict[str, str]:
    return {
        SIGNATURE_HEADER: sign(SECRET, body, int(time.time())),
        "Persona-Webhook-Attempts-Made": "2",
        "Persona-Webhook-First-Attempted-At": "1720449000",
    }


@contextmanager
def running(kafka: str, topic: str) -> Iterator[Edge]:
    said = load_settings(
        {
            "LEDGER_KAFKA_BOOTSTRAP": kafka,
            "LEDGER_TOPIC": topic,
            "LEDGER_WEBHOOK_SECRET": SECRET,
            "LEDGER_EDGE_PORT": "0",
        }
    )
    with bootstrap.edge(said) as server:
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            yield Edge(server.url, kafka, topic)
        finally:
            server.stop()
            thread.join()


def wait_for(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    """Until it holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture
def edge(kafka: EmbeddedKafka, topic: str) -> Iterator[Edge]:
    with running(kafka.bootstrap, topic) as one:
        wait_for(lambda: one.status("/readyz") == 200)
        yield one


def deliver_all(edge: Edge, bodies: list[bytes]) -> list[httpx.Response]:
    """At once, over a few connections."""

    async def send() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=edge.url, timeout=30.0) as client:
            return await asyncio.gather(*(client.post(PATH, content=body, headers=signed(body)) for body in bodies))

    return asyncio.run(send())


def assert_in_topic(bodies: list[bytes], answers: list[httpx.Response], records: Mapping[tuple[int, int], Any]) -> None:
    """Each body, byte for byte, where its sender was told."""
    for body, answer in zip(bodies, answers, strict=True):
        told = answer.json()
        assert records[told["partition"], told["offset"]].value == body


def test_every_200_is_in_the_topic_byte_for_byte_where_its_sender_was_told(edge: Edge) -> None:
    readable = [delivery(f"inq_{number % 20}", f"evt_{number}", note="ä" * (number * 150)) for number in range(80)]
    broken = [b"", b"\xff\xfe\x00", b"{", readable[0][:-1], readable[1] + b"\r\n\x00"]
    large = [b" " * (2_000_000 - len(readable[0])) + readable[0]]
    bodies = [*readable, *broken, *large]
    answers = deliver_all(edge, bodies)
    assert {answer.status_code for answer in answers} == {200}
    records = edge.read()
    assert_in_topic(bodies, answers, records)
    assert len(records) == len(bodies)


def test_the_record_says_how_it_came(edge: Edge) -> None:
    told = edge.deliver(delivery("inq_1", "evt_1")).json()
    record = edge.read()[told["partition"], told["offset"]]
    headers = dict(record.headers)
    assert record.key == b"inq_1"
    assert headers["ce_source"] == b"/persona/default"
    assert headers["ce_subject"] == b"inq_1"
    assert headers["ce_type"] == b"com.withpersona.inquiry.approved"
    for said in (b'"attempts_made":2', b'"first_attempted_at":"2024-07-08T14:30:00.000Z"', b'"provenance":"webhook"'):
        assert said in headers["delivery"].replace(b'": ', b'":')
    assert SECRET.encode() not in headers["delivery"]


@pytest.fixture
def _asked_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    """What only asks gives up sooner. What a sender waits for is as in production."""
    monkeypatch.setattr("adapters.kafka_log.topic._TIMEOUT_MS", 1_000)


@pytest.mark.usefixtures("_asked_briefly")
def test_without_the_log_it_is_503_in_time_and_comes_back_by_itself(
    unsteady_kafka: EmbeddedKafka, unsteady_topic: str
) -> None:
    unsteady_kafka.stop()
    with running(unsteady_kafka.bootstrap, unsteady_topic) as edge:
        assert_refuses(edge)
        unsteady_kafka.start()
        wait_for(lambda: edge.deliver(delivery()).status_code == 200)
        wait_for(lambda: edge.status("/readyz") == 200)
        bodies = [delivery("inq_1", f"evt_{number}") for number in range(20)]
        answers = [edge.deliver(body) for body in bodies]
        unsteady_kafka.kill()
        assert_refuses(edge)
        unsteady_kafka.start()
        wait_for(lambda: edge.deliver(delivery()).status_code == 200)
        assert {answer.status_code for answer in answers} == {200}
        assert_in_topic(bodies, answers, edge.read())


def assert_refuses(edge: Edge) -> None:
    """Every time, and within Persona's patience."""
    for answer in deliver_all(edge, [delivery(), delivery()]):
        assert answer.status_code == 503
        assert "retry-after" in answer.headers
        assert answer.elapsed.total_seconds() < PATIENCE_S
    wait_for(lambda: edge.status("/readyz") == 503)
    assert edge.status("/livez") == 200


@pytest.mark.usefixtures("_asked_briefly")
def test_a_log_that_goes_away_under_load_loses_nothing_that_was_answered_200(
    unsteady_kafka: EmbeddedKafka, unsteady_topic: str
) -> None:
    with running(unsteady_kafka.bootstrap, unsteady_topic) as edge:
        wait_for(lambda: edge.status("/readyz") == 200)
        seen: list[tuple[bytes, httpx.Response]] = []
        done = threading.Event()
        senders = [threading.Thread(target=send_until, args=(edge, done, seen, number)) for number in range(8)]
        for sender in senders:
            sender.start()
        wait_for(lambda: count(seen, 200) > 100)
        unsteady_kafka.kill()
        wait_for(lambda: count(seen, 503) >= 8)
        unsteady_kafka.start()
        before = count(seen, 200)
        wait_for(lambda: count(seen, 200) > before + 100)
        done.set()
        for sender in senders:
            sender.join()
        assert {answer.status_code for _, answer in seen} == {200, 503}
        good = [(body, answer) for body, answer in seen if answer.status_code == 200]
        assert_in_topic([body for body, _ in good], [answer for _, answer in good], edge.read())


def count(seen: list[tuple[bytes, httpx.Response]], status: int) -> int:
    return sum(answer.status_code == status for _, answer in list(seen))


def send_until(edge: Edge, done: threading.Event, seen: list[tuple[bytes, httpx.Response]], sender: int) -> None:
    """One after the other, each with Persona's patience: a sender that has to wait longer fails the test."""
    with httpx.Client(base_url=edge.url, timeout=PATIENCE_S) as client:
        for number in range(1_000_000):
            if done.is_set():
                return
            body = delivery(f"inq_{sender}", f"evt_{sender}_{number}")
            seen.append((body, client.post(PATH, content=body, headers=signed(body))))
