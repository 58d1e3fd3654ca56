"""Nothing personal outside record values: not in headers, tables, logs, metrics, answers or errors.

A real delivery (where the captured one is beside the checkout, else the project's own in the full real form) and broken
variants of it go through real processes; then everything those processes left is searched for its personal values.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psycopg
import pytest
from kafka import KafkaConsumer, TopicPartition

from adapters.embedded.kafka import EmbeddedKafka
from adapters.persona.examples import example_delivery
from adapters.persona.signature import SIGNATURE_HEADER, sign

SECRET = "wbhsec_privacy"
CAPTURED = Path(__file__).parents[3] / "shared" / "data" / "persona_inquiry_approved.json"

#: Keys whose values are personal, in any case of inflection; below `fields` every value is.
PERSONAL = re.compile(
    r"name-(first|middle|last)|birthdate|address-(street|city|postal|subdivision).*|identification-number|ip-address|"
    r"user-agent|.*url|email.*|phone.*|social-security.*|latitude|longitude|filename|issue-date|expiration-date"
)


def personal_values(node: Any, key: str = "", inside: bool = False) -> Iterator[str]:
    """Every personal value of a body that is long enough to be looked for."""
    inside = inside or key == "fields"
    if isinstance(node, dict):
        for name, value in node.items():
            yield from personal_values(value, name.replace("_", "-"), inside)
    elif isinstance(node, list):
        for value in node:
            yield from personal_values(value, key, inside)
    elif len(str(node)) >= 5 and (PERSONAL.fullmatch(key) or (inside and key == "value")):
        yield str(node)


class Left(NamedTuple):
    """What the processes left behind: where → text."""

    places: dict[str, str]
    personal: set[str]


@pytest.fixture(scope="module")
def bodies() -> list[bytes]:
    """A delivery, and what may go wrong with it: cut off, no id, a bad time, an id with NUL, another family, twice."""
    whole = CAPTURED.read_bytes() if CAPTURED.exists() else example_delivery()
    document = json.loads(whole)
    created_at = document["data"]["attributes"]["created-at"].encode()
    event_id = document["data"]["id"].encode()
    return [
        whole,
        whole,
        whole[:-20],
        whole.replace(b'"id":"%b"' % event_id, b'"id":null', 1),
        whole.replace(created_at, b"yesterday"),
        whole.replace(event_id, b"evt_\\u0000", 1),
        whole.replace(event_id, b"evt_other", 1).replace(b"inquiry.approved", b"inquiry.declined", 1),
        b"\xff" + whole,
    ]


@pytest.fixture
def left(kafka: EmbeddedKafka, topic: str, database_url: str, tmp_path: Path, bodies: list[bytes]) -> Left:
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("LEDGER_")},
        "LEDGER_KAFKA_BOOTSTRAP": kafka.bootstrap,
        "LEDGER_DATABASE_URL": database_url,
        "LEDGER_TOPIC": topic,
        "LEDGER_GROUP": topic,
        "LEDGER_WEBHOOK_SECRET": SECRET,
        "LEDGER_EDGE_PORT": "0",
        "LEDGER_DATA_DIR": str(tmp_path),
    }
    places = _receive(environ, tmp_path, bodies)
    for command in (["project", "--until-end"], ["doctor"], ["quarantine", "--json"], ["history", "inq_unknown"]):
        done = subprocess.run(_command(command), env=environ, capture_output=True, text=True, timeout=90)
        places[f"output of {command[0]}"] = done.stdout + done.stderr
    places |= _dump_tables(database_url) | _dump_headers(kafka.bootstrap, topic)
    document = json.loads(bodies[0])
    return Left(places, set(personal_values(document)))


def test_nothing_personal_is_found_outside_the_values(left: Left, bodies: list[bytes]) -> None:
    assert_reaches_everything(left)
    assert len(left.personal) > 15
    found = [
        f"{where} holds the value of a personal field ({len(value)} characters)"
        for where, text in left.places.items()
        for value in left.personal
        if value.lower() in text.lower()
    ]
    assert found == []
    assert all(any(value in body.decode("latin-1") for body in bodies) for value in left.personal)


def assert_reaches_everything(left: Left) -> None:
    """What must be there is found by the same search, so that it cannot pass by looking at nothing."""
    assert "/webhooks/persona" in left.places["answers"] or "offset" in left.places["answers"]
    assert "inquiry.approved" in left.places["ledger.event"]
    assert "not_json" in left.places["ledger.quarantined"]
    assert "bad_time" in left.places["output of quarantine"]
    assert "com.withpersona.inquiry.approved" in left.places["headers"]
    assert "edge_" in left.places["metrics"]
    assert "stopped" in left.places["log of edge"] or left.places["log of edge"]


def _command(arguments: list[str]) -> list[str]:
    return [sys.executable, "-m", "consumers.cli", *arguments]


def _receive(environ: dict[str, str], folder: Path, bodies: list[bytes]) -> dict[str, str]:
    """Deliver every body to a real edge: signed, unsigned, and with a forged signature."""
    log = folder / "edge.log"
    with log.open("wb") as stream, subprocess.Popen(_command(["edge"]), env=environ, stderr=stream) as edge:
        url = _find_url(log)
        answers = []
        with httpx.Client(timeout=10) as client:
            for body in bodies:
                genuine = {SIGNATURE_HEADER: sign(SECRET, body, int(time.time()))}
                forged = {SIGNATURE_HEADER: sign("wbhsec_forged", body, int(time.time()))}
                for headers in (genuine, forged, {}):
                    answers.append(client.post(url, content=body, headers=headers))
            metrics = client.get(url.split("/webhooks")[0] + "/metrics").text
        edge.terminate()
        edge.wait(20)
    statuses = [answer.status_code for answer in answers]
    assert statuses == [200, 401, 401] * len(bodies), log.read_text()
    told = "\n".join(f"{answer.headers} {answer.text}" for answer in answers)
    return {"answers": told, "metrics": metrics, "log of edge": log.read_text()}


def _find_url(log: Path) -> str:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        match = re.search(r"webhooks: (http\S+)", log.read_text())
        if match and _is_ready(match[1].split("/webhooks")[0] + "/readyz"):
            return match[1]
        time.sleep(0.05)
    raise AssertionError(f"the edge is not ready: {log.read_text()}")


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def _dump_tables(url: str) -> dict[str, str]:
    """Every row of every table of the database."""
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT table_schema || '.' || table_name FROM information_schema.tables "
            "WHERE table_schema NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        return {
            name: "\n".join(row[0] for row in connection.execute(f"SELECT to_jsonb(t)::text FROM {name} AS t"))
            for (name,) in tables
        }


def _dump_headers(bootstrap: str, topic: str) -> dict[str, str]:
    """Every header and key of the topic."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    try:
        partitions = [TopicPartition(topic, number) for number in range(6)]
        consumer.assign(partitions)
        total, records = sum(consumer.end_offsets(partitions).values()), list[Any]()
        while len(records) < total:
            records += [record for polled in consumer.poll(timeout_ms=500).values() for record in polled]
    finally:
        consumer.close()
    return {"headers": "\n".join(f"{record.key!r} {record.headers!r}" for record in records)}
