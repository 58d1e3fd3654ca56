"""Deliveries as fast as a receiver takes them, each connection one at a time, and how long each took.

In a process of its own, so that it takes no time from the receiver: `python -m adapters.reference.edge_load`,
settings as JSON on stdin, the measurement as JSON on stdout.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import re
import sys
import time
from collections.abc import Mapping, Sequence
from itertools import cycle
from statistics import quantiles
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import uvloop

PATH = "/webhooks/persona"

#: Distinct deliveries; then again from the first. A receiver that knows them from before has it no easier.
_DISTINCT = 4_096

_LENGTH = re.compile(rb"\r\ncontent-length: ([0-9]+)\r\n", re.IGNORECASE)


class Measured(NamedTuple):
    """One run. `refused`: answers other than 200, which count as requests too."""

    requests_per_s: float
    p50_ms: float
    p99_ms: float
    refused: int


class Tally:
    """What all connections have seen since the warm-up."""

    def __init__(self, requests: Sequence[bytes]) -> None:
        self.requests = cycle(requests)
        self.seconds: list[float] = []
        self.refused = 0


class Sender(asyncio.Protocol):
    """One connection: sends, waits for the answer, sends the next."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._answer = b""
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin."""
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        """An answer, or a part of one."""
        self._answer += data
        if not _is_whole(self._answer):
            return
        self._tally.seconds.append(time.perf_counter() - self._sent_at)
        self._tally.refused += not self._answer.startswith(b"HTTP/1.1 200")
        self._answer = b""
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        """The receiver hung up: this connection sends no more. (At the end of a run nobody counts any more.)"""
        self._tally.refused += 1

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(next(self._tally.requests))


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    length = _LENGTH.search(head + b"\r\n")
    return bool(end) and len(body) >= int(length[1] if length else 0)


def make_requests(secret: str, body_bytes: int, count: int = _DISTINCT) -> list[bytes]:
    """Signed deliveries of about this size, each of an inquiry of its own."""
    now = str(int(time.time()))
    return [_request(_body(number, body_bytes), secret.encode(), now) for number in range(count)]


def _body(number: int, size: int) -> bytes:
    inquiry = {"type": "inquiry", "id": f"inq_bench{number}", "attributes": {"status": "approved", "note": ""}}
    attributes = {
        "name": "inquiry.approved",
        "created-at": "2024-07-08T14:29:24.297Z",
        "payload": {"data": inquiry},
    }
    event = {"data": {"type": "event", "id": f"evt_bench{number}", "attributes": attributes}}
    inquiry["attributes"] = {"status": "approved", "note": "x" * max(0, size - len(json.dumps(event)))}
    return json.dumps(event).encode()


def _request(body: bytes, secret: bytes, now: str) -> bytes:
    signature = hmac.digest(secret, f"{now}.".encode() + body, "sha256").hex()
    fields = (
        f"POST {PATH} HTTP/1.1",
        "Host: receiver",
        "Content-Type: application/json; charset=utf-8",
        "Persona-Webhook-Attempts-Made: 1",
        "Persona-Webhook-Attempts-Left: 7",
        f"Persona-Webhook-First-Attempted-At: {now}",
        f"Persona-Signature: t={now},v1={signature}",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join((*fields, "", "")).encode() + body


async def measure(url: str, requests: Sequence[bytes], connections: int, warm_up_s: float, run_s: float) -> Measured:
    """One run against `url`."""
    parts, tally, loop = urlsplit(url), Tally(requests), asyncio.get_running_loop()
    host, port = parts.hostname or "", parts.port or 80
    opened = [await loop.create_connection(lambda: Sender(tally), host, port) for _ in range(connections)]
    await asyncio.sleep(warm_up_s)
    tally.seconds, tally.refused = [], 0
    started = time.perf_counter()
    await asyncio.sleep(run_s)
    measured = _sum_up(tally, time.perf_counter() - started)
    for transport, _ in opened:
        transport.abort()
    return measured


def _sum_up(tally: Tally, elapsed_s: float) -> Measured:
    centiles = [seconds * 1000 for seconds in quantiles(tally.seconds, n=100)]
    return Measured(len(tally.seconds) / elapsed_s, centiles[49], centiles[98], tally.refused)


def main(settings: Mapping[str, Any]) -> None:
    """`url`, `secret`, `body_bytes`, `connections`, `warm_up_s`, `run_s`."""
    requests = make_requests(settings["secret"], settings["body_bytes"])
    run = measure(settings["url"], requests, settings["connections"], settings["warm_up_s"], settings["run_s"])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.stdout.write(json.dumps(runner.run(run)._asdict()))


if __name__ == "__main__":
    main(json.loads(sys.stdin.read()))
