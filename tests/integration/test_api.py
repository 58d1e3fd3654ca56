"""The read API over a real Kafka, a projector and a real Postgres, on its own server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.embedded.kafka import EmbeddedKafka
from adapters.embedded.postgres import EmbeddedPostgres
from adapters.kafka_log.append import Appended
from adapters.kafka_log.record import encode_headers
from adapters.ledger.read import LedgerReader
from adapters.ledger.schema import migrate
from adapters.ledger.write import PostgresLedger
from consumers.batch import write_batch
from domain.books import Position
from domain.event import Event, format_time
from tests.builders import event
from tests.integration.api import connect, events, serving, serving_scene
from tests.integration.scene import Scene, running, wait_until
from tests.integration.traffic import AUDIT, Sent, append_all, traffic
from tests.ledgers import RULES, batch_of, place

TOPIC = "persona.events"
EVENT_STREAM = {"accept": "text/event-stream"}


def deliver(scene: Scene, *happened: Event) -> list[Appended]:
    """What the edge answers: where the log has them."""
    headers = [encode_headers(one, AUDIT, payload_type="inquiry") for one in happened]
    sent = [Sent(one.inquiry_id.encode(), b"{}", said) for one, said in zip(happened, headers, strict=True)]
    return append_all(scene.bootstrap, scene.topic, sent)


def test_what_happens_reaches_who_waits_who_asks_and_who_follows(scene: Scene) -> None:
    with (
        running(scene),
        serving_scene(scene) as url,
        httpx.Client(base_url=url, timeout=60) as client,
        ThreadPoolExecutor(3) as pool,
    ):
        path = "/v1/inquiries/inq_7"
        waits = pool.submit(client.get, path, params={"wait": "decision", "timeout": 60})
        polls = pool.submit(client.get, "/v1/changes", params={"wait": 60})
        follows = pool.submit(follow, url, 2)
        first, second = deliver(scene, about("created", 1), about("approved", 2))
        assert waits.result().json()["decision"] == "approved"
        assert polls.result().json()["items"][0]["inquiry_id"] == "inq_7"
        assert [row["status"] for _, row in follows.result()] == ["created", "approved"]

        (third,) = deliver(scene, about("redacted", 3))
        asked: dict[str, Any] = {"at_least": f"{third.partition}:{third.offset}", "timeout": 60}
        assert client.get(path, params=asked).json()["redacted_at"] == format_time(about("redacted", 3).occurred_at)
        wait_until(lambda: client.get(path).headers.get("ledger-lag-seconds") == "0")
        assert client.get("/readyz").status_code == 200
        assert (first.partition, first.offset + 2) == (third.partition, third.offset) != (second.partition, -1)


def about(word: str, second: int) -> Event:
    return event(word, second, inquiry_id="inq_7")


def follow(url: str, count: int, **headers: str) -> list[tuple[str, dict[str, Any]]]:
    """The first events of a stream."""
    with httpx.stream("GET", f"{url}/v1/changes", headers={**EVENT_STREAM, **headers}, timeout=60) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        return [*islice(events(stream), count)]


@pytest.fixture
def ledger(database_url: str) -> Iterator[PostgresLedger]:
    """A ledger of one partition, of nothing."""
    with closing(PostgresLedger(database_url, TOPIC)) as ledger:
        ledger.agree(RULES.versions)
        ledger.open([Position(0, "cluster", "topic", 0, 0)])
        yield ledger


def write(ledger: PostgresLedger, *happened: Event) -> None:
    """Project these as the next records."""
    write_batch(ledger, batch_of(place(happened, TOPIC, start=ledger.positions()[0].next_offset)), RULES)


def many(count: int, first: int = 0) -> list[Event]:
    return [event("created", 1, inquiry_id=f"inq_{number:05}") for number in range(first, first + count)]


def test_the_api_and_the_views_say_the_same_in_every_column(scene: Scene) -> None:
    append_all(scene.bootstrap, scene.topic, traffic(3, 300))
    scene.project()
    with serving_scene(scene) as url, LedgerReader(scene.url) as reader, httpx.Client(base_url=url) as client:
        rows = {row["inquiry_id"]: row for row in client.get("/v1/inquiries", params={"limit": 200}).json()["items"]}
        assert len(rows) > 20
        for inquiry_id, row in rows.items():
            assert row == plain(reader.decision(inquiry_id)) == client.get(f"/v1/inquiries/{inquiry_id}").json()
            history = client.get(f"/v1/inquiries/{inquiry_id}/history").json()["items"]
            assert history == [plain(told) for told in reader.history(inquiry_id)]
            now = {"as_of": "9999-01-01T00:00:00Z", "known_at": row["appended_at"]}
            past = client.get(f"/v1/inquiries/{inquiry_id}", params=now).json()
            assert past["status"] == row["status"] or past["revision"] < row["revision"]


def plain(row: dict[str, Any] | None) -> dict[str, Any]:
    assert row is not None
    return {name: format_time(value) if hasattr(value, "tzinfo") else value for name, value in row.items()}


def test_a_stream_resumes_after_its_last_event(ledger: PostgresLedger, database_url: str) -> None:
    write(ledger, *many(30))
    with serving(database_url, TOPIC) as url:
        first = follow(url, 12)
        again = follow(url, 18, **{"last-event-id": first[-1][0]})
        assert [row["offset"] for _, row in first + again] == [*range(30)]
        refused = httpx.get(f"{url}/v1/changes", headers={**EVENT_STREAM, "last-event-id": "x"})
        assert (refused.status_code, refused.json()["parameter"]) == (400, "Last-Event-ID")


def test_a_reader_that_does_not_read_is_cut_off_and_others_are_not(ledger: PostgresLedger, database_url: str) -> None:
    with (
        serving(database_url, TOPIC) as url,
        httpx.Client(base_url=url, timeout=60) as client,
        closing(connect(url, "/v1/changes", "Accept: text/event-stream\r\n", receive_buffer=4_096)),
        client.stream("GET", "/v1/changes", headers=EVENT_STREAM) as other,
    ):
        wait_until(lambda: streams(client) == 2)
        found = events(other)
        for number in range(40):  # more than the buffers of the system and of the server hold
            write(ledger, *many(500, first=500 * number))
            assert [row["offset"] for _, row in islice(found, 500)][-1] == 500 * number + 499
        wait_until(lambda: streams(client) == 1)
        write(ledger, *many(1, first=99_999))
        assert [row["inquiry_id"] for _, row in islice(found, 1)] == ["inq_99999"]


def streams(client: httpx.Client) -> int:
    """How many follow, as the metrics say."""
    lines = client.get("/metrics").text.splitlines()
    return int(float(next(line.split()[1] for line in lines if line.startswith("ledger_api_streams "))))


def test_a_server_that_stops_lets_everybody_go_at_once(ledger: PostgresLedger, database_url: str) -> None:
    write(ledger, *many(1))
    with ThreadPoolExecutor(2) as pool:
        with serving(database_url, TOPIC) as url, httpx.Client(base_url=url) as client:
            path = f"{url}/v1/inquiries/inq_00000?wait=decision&timeout=200"
            waits = pool.submit(httpx.get, path, timeout=60)
            follows = pool.submit(follow, url, 9)
            wait_until(lambda: streams(client) == 1 and waiters(client) == 1)
            began = time.monotonic()
        assert time.monotonic() - began < 5
        assert waits.result().json()["decision"] == "undecided"
        assert len(follows.result()) == 1


def waiters(client: httpx.Client) -> int:
    lines = client.get("/metrics").text.splitlines()
    return int(float(next(line.split()[1] for line in lines if line.startswith("ledger_api_waiters "))))


def test_postgres_goes_and_comes_back(
    kafka: EmbeddedKafka, topic: str, data_dir: Path, request: pytest.FixtureRequest
) -> None:
    with EmbeddedPostgres(data_dir / request.node.name) as postgres:
        migrate(postgres.url)
        scene, path = Scene(kafka.bootstrap, topic, postgres.url), "/v1/inquiries/inq_7"
        deliver(scene, about("created", 1))
        scene.project()
        with (
            serving_scene(scene) as url,
            httpx.Client(base_url=url, timeout=60) as client,
            ThreadPoolExecutor(1) as pool,
        ):
            wait_until(lambda: client.get("/readyz").status_code == 200)
            waits = pool.submit(client.get, path, params={"wait": "decision", "timeout": 120}, timeout=120)
            wait_until(lambda: waiters(client) == 1)
            postgres.stop()
            wait_until(lambda: is_refused(client, path))
            wait_until(lambda: client.get("/readyz").status_code == 503)
            assert client.get("/livez").status_code == 200
            postgres.start()
            deliver(scene, about("approved", 2))
            scene.project()
            assert waits.result().json()["decision"] == "approved"
            wait_until(lambda: client.get("/readyz").status_code == 200)


def is_refused(client: httpx.Client, path: str) -> bool:
    answer = client.get(path)
    if answer.status_code == 200:
        return False
    assert (answer.status_code, answer.json()["reason"]) == (503, "unavailable")
    assert answer.headers["retry-after"] == "5"
    return True
