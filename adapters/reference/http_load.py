"""Requests over kept connections and how long each took: as fast as a server answers them, or at a given pace.

Raw protocols, since a client library would need more time than the server that is measured.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from statistics import quantiles
from typing import NamedTuple
from urllib.parse import urlsplit

_LENGTH = re.compile(rb"\r\ncontent-length: ([0-9]+)\r\n", re.IGNORECASE)

#: How often a pace is kept up with: uvloop's timers are not finer.
_TICK_S = 0.001


class Measured(NamedTuple):
    """One run. `rate`: requests a second. `refused`: answers other than 200, which count as requests too, and
    connections that were lost."""

    rate: float
    p50_ms: float
    p99_ms: float
    refused: int


class Answer(NamedTuple):
    """One answer, and when its request was due and it was there (`time.perf_counter`)."""

    content: bytes
    due_at: float
    at: float

    @property
    def is_good(self) -> bool:
        """Whether it is 200."""
        return self.content.startswith(b"HTTP/1.1 200")


class Connection(asyncio.Protocol):
    """Sends a request when told, one at a time."""

    def __init__(self, answered: Callable[[Connection, Answer], None], lost: Callable[[], None]) -> None:
        """`lost`: the server hung up; this connection is told nothing any more."""
        self._answered = answered
        self._lost = lost
        self._content = b""
        self._due_at = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Ready to send."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """An answer, or a part of one."""
        self._content += data
        if is_whole(self._content):
            content, self._content = self._content, b""
            self._answered(self, Answer(content, self._due_at, time.perf_counter()))

    def connection_lost(self, exc: Exception | None) -> None:
        """Said once."""
        self._lost()

    def send(self, request: bytes, due_at: float) -> None:
        """Send one; `due_at`: from when on its answer is waited for."""
        self._due_at = due_at
        self._transport.write(request)

    def abort(self) -> None:
        """Hang up."""
        self._transport.abort()


def is_whole(answer: bytes) -> bool:
    """Whether an answer with a Content-Length is there to its last byte."""
    head, end, body = answer.partition(b"\r\n\r\n")
    length = _LENGTH.search(head + b"\r\n")
    return bool(end) and len(body) >= int(length[1] if length else 0)


class Load:
    """Many connections, and what they have seen since the warm-up."""

    def __init__(self, requests: Sequence[bytes]) -> None:
        self._requests = cycle(requests)
        self._connections: list[Connection] = []
        self.seconds: list[float] = []
        self.refused = 0

    async def open(self, url: str, connections: int) -> None:
        """Connect."""
        self._connections = await connect(url, connections, self._count_answer, self._count_lost)

    def begin(self) -> None:
        """Send on every connection; the next when the answer is there."""
        now = time.perf_counter()
        for connection in self._connections:
            connection.send(next(self._requests), now)

    def abort(self) -> None:
        """Hang up."""
        for connection in self._connections:
            connection.abort()

    def _count_answer(self, connection: Connection, answer: Answer) -> None:
        self.seconds.append(answer.at - answer.due_at)
        self.refused += not answer.is_good
        self.answered(connection)

    def answered(self, connection: Connection) -> None:
        """What this connection does now."""
        connection.send(next(self._requests), time.perf_counter())

    def _count_lost(self) -> None:
        self.refused += 1


class PacedLoad(Load):
    """The same at a given pace. A request that is due while every connection is busy waits for one, and its time runs:
    what a slow answer holds up is seen in all that it held up."""

    def __init__(self, requests: Sequence[bytes], rate: float) -> None:
        super().__init__(requests)
        self._rate = rate
        self._idle: deque[Connection] = deque()
        self._due: deque[float] = deque()

    def begin(self) -> None:
        """Keep the pace from now on."""
        self._idle.extend(self._connections)
        due_at = due_times(self._rate, time.perf_counter())
        self._tick(due_at, next(due_at))

    def answered(self, connection: Connection) -> None:
        """Free for the next that is due."""
        self._idle.append(connection)
        self._send_due()

    def _tick(self, due_at: Iterator[float], first: float) -> None:
        now = time.perf_counter()
        while first <= now:
            self._due.append(first)
            first = next(due_at)
        self._send_due()
        self._timer = asyncio.get_running_loop().call_later(_TICK_S, self._tick, due_at, first)

    def abort(self) -> None:
        """Keep the pace no longer, and hang up."""
        self._timer.cancel()
        super().abort()

    def _send_due(self) -> None:
        while self._due and self._idle:
            self._idle.popleft().send(next(self._requests), self._due.popleft())


def due_times(rate: float, start: float) -> Iterator[float]:
    """When the first, the second … request of a pace is due."""
    number = 0
    while True:
        yield start + number / rate
        number += 1


async def connect(
    url: str, count: int, answered: Callable[[Connection, Answer], None], lost: Callable[[], None]
) -> list[Connection]:
    """Open connections, one after another: a listening socket has a short queue."""
    parts, loop = urlsplit(url), asyncio.get_running_loop()
    made = []
    for _ in range(count):
        _, connection = await loop.create_connection(
            lambda: Connection(answered, lost), parts.hostname or "", parts.port or 80
        )
        made.append(connection)
    return made


async def measure(load: Load, url: str, connections: int, warm_up_s: float, run_s: float) -> Measured:
    """One run against `url`."""
    await load.open(url, connections)
    load.begin()
    await asyncio.sleep(warm_up_s)
    load.seconds, load.refused = [], 0
    started = time.perf_counter()
    await asyncio.sleep(run_s)
    measured = _sum_up(load, time.perf_counter() - started)
    load.abort()
    return measured


def _sum_up(load: Load, elapsed_s: float) -> Measured:
    p50_ms, p99_ms = centiles(load.seconds)
    return Measured(len(load.seconds) / elapsed_s, p50_ms, p99_ms, load.refused)


def centiles(seconds: Sequence[float]) -> tuple[float, float]:
    """(median, 99th centile) in milliseconds."""
    hundredths = [value * 1000 for value in quantiles(seconds, n=100)]
    return hundredths[49], hundredths[98]
