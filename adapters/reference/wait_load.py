"""Many who wait for a decision at once, then the webhooks that decide, and how long each waited after the edge's 200.

Both sides are seen from here, by one clock. In a process of its own: `python -m adapters.reference.wait_load`, settings
as JSON on stdin, the measurement as JSON on stdout.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import count
from typing import Any, NamedTuple

import uvloop

from adapters.reference.edge_load import inquiry_id, make_requests
from adapters.reference.http_load import Answer, Connection, centiles, connect, due_times
from adapters.reference.read_load import make_reads

_BODY_BYTES = 1_024
_SENDERS = 16

#: For the last who wait to be entered, before anything is decided.
_SETTLE_S = 2.0

#: After the last delivery.
_PATIENCE_S = 10.0

_DECIDED = b'"decision":"approved"'


class Waited(NamedTuple):
    """Times in milliseconds, from the edge's 200 to the answer. `edge_p50_ms`: the edge's own. `undecided`: answered
    with something else than the decision, or before it; `unanswered`: not at all."""

    p50_ms: float
    p99_ms: float
    max_ms: float
    edge_p50_ms: float
    decisions_per_s: float
    undecided: int
    unanswered: int


class Deliveries:
    """Sends deliveries once each, at a pace, and remembers when each was acknowledged."""

    def __init__(self, requests: Sequence[bytes], rate: float) -> None:
        self._requests = requests
        self._rate = rate
        self._number: dict[Connection, int] = {}
        self._idle: asyncio.Queue[Connection] = asyncio.Queue()
        #: Number of the delivery → `time.perf_counter`.
        self.acknowledged_at: dict[int, float] = {}
        self.seconds: list[float] = []

    async def send(self, url: str) -> float:
        """Send all of them to the edge at `url`. Returns how many a second that was."""
        connections = await connect(url, _SENDERS, self._answered, _ignore_loss)
        for connection in connections:
            self._idle.put_nowait(connection)
        began = time.perf_counter()
        await self._keep_pace(due_times(self._rate, began))
        async with asyncio.timeout(_PATIENCE_S):
            for _ in connections:
                await self._idle.get()
        for connection in connections:
            connection.abort()
        return len(self._requests) / (time.perf_counter() - began)

    async def _keep_pace(self, due_at: Iterator[float]) -> None:
        for number, request in enumerate(self._requests):
            due = next(due_at)
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            connection = await self._idle.get()
            self._number[connection] = number
            connection.send(request, due)

    def _answered(self, connection: Connection, answer: Answer) -> None:
        if answer.is_good:
            self.acknowledged_at[self._number[connection]] = answer.at
            self.seconds.append(answer.at - answer.due_at)
        self._idle.put_nowait(connection)


class Waiters:
    """One connection a waiter, each for an inquiry of its own."""

    def __init__(self, requests: Sequence[bytes]) -> None:
        self._requests = requests
        self._number: dict[Connection, int] = {}
        self.undecided = 0
        #: Number of the inquiry → `time.perf_counter`.
        self.decided_at: dict[int, float] = {}
        self._all_decided = asyncio.Event()

    async def begin(self, url: str) -> None:
        """Have all of them wait."""
        connections = await connect(url, len(self._requests), self._answered, _ignore_loss)
        for number, connection, request in zip(count(), connections, self._requests, strict=False):
            self._number[connection] = number
            connection.send(request, time.perf_counter())
            await asyncio.sleep(0)  # answers of those before are read in between

    async def end(self) -> None:
        """Wait for those that are not answered, and hang up."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                await self._all_decided.wait()
        for connection in self._number:
            connection.abort()

    def _answered(self, connection: Connection, answer: Answer) -> None:
        if answer.is_good and _DECIDED in answer.content:
            self.decided_at[self._number[connection]] = answer.at
        else:
            self.undecided += 1
        if len(self.decided_at) + self.undecided == len(self._requests):
            self._all_decided.set()


def _ignore_loss() -> None:
    """What is not answered is counted as that."""


async def measure(api: str, edge: str, secret: str, first: int, waiters: int, rate: float) -> Waited:
    """Have `waiters` wait, then decide `rate` of them a second."""
    numbers = range(first, first + waiters)
    await Deliveries(make_requests(secret, _BODY_BYTES, numbers, "created"), rate=10_000).send(edge)
    timeout_s = round(waiters / rate + 60)
    wait = Waiters(make_reads(map(inquiry_id, numbers), f"?wait=decision&timeout={timeout_s}"))
    await wait.begin(api)
    await asyncio.sleep(_SETTLE_S)
    decide = Deliveries(make_requests(secret, _BODY_BYTES, numbers, "approved"), rate)
    decisions_per_s = await decide.send(edge)
    await wait.end()
    return sum_up(decide.acknowledged_at, wait.decided_at, decide.seconds, decisions_per_s, wait.undecided)


def sum_up(
    acknowledged_at: Mapping[int, float],
    decided_at: Mapping[int, float],
    edge_seconds: Sequence[float],
    decisions_per_s: float,
    undecided: int,
) -> Waited:
    """Put both sides together."""
    seconds = [at - acknowledged_at[number] for number, at in decided_at.items() if number in acknowledged_at]
    p50_ms, p99_ms = centiles(seconds)
    unanswered = len(acknowledged_at.keys() - decided_at.keys()) - undecided
    return Waited(
        p50_ms, p99_ms, max(seconds) * 1000, centiles(edge_seconds)[0], decisions_per_s, undecided, max(0, unanswered)
    )


def main(settings: Mapping[str, Any]) -> None:
    """`api`, `edge` (their URLs), `secret`, `first` (number of an inquiry), `waiters`, `rate` (decisions a second)."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.stdout.write(json.dumps(runner.run(measure(**settings))._asdict()))


if __name__ == "__main__":
    main(json.loads(sys.stdin.read()))
