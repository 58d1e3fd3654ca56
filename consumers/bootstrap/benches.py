"""Wires the benches: fills a topic, and runs the references (`adapters.reference`)."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from adapters.settings import Settings
from consumers.bootstrap.servers import bootstrap_of, database_of

#: Appends under way while a topic is filled.
_UNDER_WAY = 4_000

#: History is read in large batches, as a busy edge or an import writes them.
_LINGER_MS = 100

SECRET = "wbhsec_bench"  # noqa: S105 - of a bench


def fill_topic(said: Settings, count: int, body_bytes: int, mix: float, progress: Callable[[int, int], None]) -> None:
    """Append `count` records with all headers, of bodies of `body_bytes`; `mix`: share of duplicates, and of late."""
    from adapters.kafka_log.append import KafkaAppender
    from adapters.kafka_log.record import Audit, encode_headers
    from adapters.persona.simulator import records

    now = datetime.now(UTC)
    audit = Audit(f"t={int(now.timestamp())},v1={'0' * 64}", "00000000", now, 1, now, "webhook")
    gathers = {**said.kafka_security, "linger_ms": _LINGER_MS}
    appender = KafkaAppender(bootstrap_of(said), said.topic, gathers)
    appender.wait_ready(30.0)
    waiting: deque[Future[Any]] = deque()
    try:
        for number, draft in enumerate(records(1, count, body_bytes, mix, mix), 1):
            event = draft.event._replace(source="default")
            headers = encode_headers(event, audit, payload_type=draft.payload_type)
            waiting.append(appender.append(event.inquiry_id.encode(), draft.body, headers))
            if len(waiting) >= _UNDER_WAY:
                waiting.popleft().result()
                progress(number, count)
        for future in waiting:
            future.result()
        progress(count, count)
    finally:
        appender.close()


def run_plain_consumer(said: Settings, events: int) -> dict[str, float]:
    """The reference of the projector: its rate over the first `events` of the topic."""
    from adapters.reference.plain_consumer import consume

    run = consume(bootstrap_of(said), said.topic, database_of(said), events, said.kafka_security)
    return {"rate": run.events / run.seconds}


@contextmanager
def bare_edge(said: Settings) -> Iterator[str]:
    """The reference of the edge, running: its URL. The same producer settings as ours."""
    from adapters.kafka_log.append import producer_settings

    settings = {
        "bootstrap": bootstrap_of(said),
        "topic": said.topic,
        "secret": SECRET,
        "producer": producer_settings(said.kafka_security),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "adapters.reference.bare_edge"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(settings))
        process.stdin.close()
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def load_edge(url: str, settings: Mapping[str, float]) -> dict[str, float]:
    """Load a running receiver with another process; its rate and its latencies in milliseconds."""
    done = subprocess.run(
        [sys.executable, "-m", "adapters.reference.edge_load"],
        input=json.dumps({"url": url, "secret": SECRET, **settings}),
        capture_output=True,
        text=True,
        check=True,
    )
    measured = json.loads(done.stdout)
    return {"rate": measured.pop("requests_per_s"), **measured}
