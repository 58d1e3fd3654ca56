"""Wires the benches: fills a topic, and runs the references (`adapters.reference`)."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import Any

from adapters.settings import Settings
from consumers.bootstrap.servers import bootstrap_of, database_of
from domain.errors import UsageError

#: Appends under way while a topic is filled.
_UNDER_WAY = 4_000

#: History is read in large batches, as a busy edge or an import writes them.
_LINGER_MS = 100

SECRET = "wbhsec_bench"  # noqa: S105 - of a bench


def fill_topic(said: Settings, count: int, body_bytes: int, mix: float, progress: Callable[[int, int], None]) -> None:
    """Append `count` records with all headers, of bodies of `body_bytes`; `mix`: share of duplicates, and of late."""
    from adapters.kafka_log.acknowledgement import Acknowledgement
    from adapters.kafka_log.append import KafkaAppender
    from adapters.kafka_log.record import Audit, encode_headers
    from adapters.persona.simulator import records

    now = datetime.now(UTC)
    audit = Audit(f"t={int(now.timestamp())},v1={'0' * 64}", "00000000", now, 1, now, "webhook")
    gathers = {**said.kafka_security, "linger_ms": _LINGER_MS}
    appender = KafkaAppender(bootstrap_of(said), said.topic, gathers)
    appender.wait_ready(30.0)
    waiting: deque[Acknowledgement[Any]] = deque()
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


def bare_edge(said: Settings) -> AbstractContextManager[str]:
    """The reference of the edge, running: its URL. The same producer settings as ours."""
    from adapters.kafka_log.append import producer_settings

    settings = {
        "bootstrap": bootstrap_of(said),
        "topic": said.topic,
        "secret": SECRET,
        "producer": producer_settings(said.kafka_security),
    }
    return _running("bare_edge", settings)


def bare_api(said: Settings) -> AbstractContextManager[str]:
    """The reference of the read API, running: its URL. The same pool as ours."""
    from adapters.ledger.query import CONNECTION, MAX_SIZE, MIN_SIZE

    pool = {"min_size": MIN_SIZE, "max_size": MAX_SIZE}
    settings = {"database_url": database_of(said), "pool": pool, "connection": {**CONNECTION}}
    return _running("bare_api", settings)


@contextmanager
def _running(reference: str, settings: Mapping[str, Any]) -> Iterator[str]:
    process = subprocess.Popen(_line(reference), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
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
    """Load a running receiver with another process; its rate a second and its latencies in milliseconds."""
    return _measure("edge_load", {"url": url, "secret": SECRET, **settings})


def load_api(url: str, ids: Sequence[str], rate: float | None, settings: Mapping[str, float]) -> dict[str, float]:
    """The same of a read API. `rate`: a second; None: as fast as it answers."""
    return _measure("read_load", {"url": url, "ids": ids, "rate": rate, **settings})


def wait_at(api: str, edge: str, settings: Mapping[str, float]) -> dict[str, float]:
    """Have many wait at a read API and send the webhooks that decide: `adapters.reference.wait_load`."""
    return _measure("wait_load", {"api": api, "edge": edge, "secret": SECRET, **settings})


def _measure(load: str, settings: Mapping[str, Any]) -> dict[str, float]:
    done = subprocess.run(_line(load), input=json.dumps(settings), stdout=subprocess.PIPE, text=True, check=True)
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def _line(module: str) -> list[str]:
    return [sys.executable, "-m", f"adapters.reference.{module}"]


def open_files(count: int) -> None:
    """Let this process, and those it starts, have so many files open. UsageError where the system does not allow it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        raise UsageError(
            f"a process may have {hard} files open, {count} are needed: raise it with `ulimit -Hn {count}`"
        )
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
