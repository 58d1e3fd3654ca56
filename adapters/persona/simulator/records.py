"""A stream of bodies without end and without a plan, for benches: the same lifecycles, in the order they arrive."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from itertools import count as count_from
from itertools import islice
from random import Random
from typing import NamedTuple

from adapters.persona.examples import Snapshot
from adapters.persona.simulator.scenario import ALPHABET, Told, make_id, tell
from adapters.persona.simulator.shape import FULL, PLAIN, write_body
from domain.event import Event

#: From this size on a body has the full real form, whatever its own size then is.
FULL_FROM_BYTES = 16_384

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_BETWEEN_INQUIRIES_S = 20
_HOUR_S = 3_600
_STORY_DAYS = 4


class Draft(NamedTuple):
    """One record to be: its body, and what `read_body` finds in it."""

    body: bytes
    event: Event
    payload_type: str


def records(
    seed: int,
    count: int,
    body_bytes: int = 1024,
    duplicates: float = 0.2,
    late: float = 0.2,
    now: datetime = _NOW,
) -> Iterator[Draft]:
    """`count` bodies of valid lifecycles that overlap, in the order in which they arrive, all from before `now`.

    `body_bytes`: small bodies are filled up to it (1024: 0.9 to 1.1 KB); from `FULL_FROM_BYTES` on they have the full
    real form of 23 KB. `duplicates`: share of the events that come twice; `late`: share that come up to an hour late.
    """
    stream = _Stream(Random(seed), now, count, duplicates, late)  # noqa: S311 - a simulation, nothing secret
    writer = _Writer(seed, body_bytes)
    return (writer.write(told) for told in islice(stream.run(), count))


class _Stream:
    """The events of many inquiries, merged by their time of arrival."""

    def __init__(self, rng: Random, now: datetime, count: int, duplicates: float, late: float) -> None:
        self._rng = rng
        self._begin = now - timedelta(seconds=count * _BETWEEN_INQUIRIES_S, days=_STORY_DAYS)
        self._duplicates = duplicates
        self._late = late
        self._numbers = count_from()
        self._waiting: list[tuple[float, int, Told]] = []

    def run(self) -> Iterator[Told]:
        templates = tuple(make_id(self._rng, "itmpl") for _ in range(3))
        for start in count_from(step=_BETWEEN_INQUIRIES_S):
            while self._waiting and self._waiting[0][0] < start:
                yield heappop(self._waiting)[2]
            for told in tell(self._rng, self._rng, self._begin + timedelta(seconds=start), templates).told:
                self._expect(told)

    def _expect(self, told: Told) -> None:
        rng = self._rng
        at = (told.snapshot.occurred_at - self._begin).total_seconds()
        if rng.random() < self._late:
            at += rng.uniform(0, _HOUR_S)
        heappush(self._waiting, (at, next(self._numbers), told))
        if rng.random() < self._duplicates:
            heappush(self._waiting, (at + rng.uniform(0, _HOUR_S), next(self._numbers), told))


class _Writer:
    """Bodies of one size. The filling is cut from random text, so that it compresses no better than real values."""

    def __init__(self, seed: int, body_bytes: int) -> None:
        self._is_full = body_bytes >= FULL_FROM_BYTES
        self._rng = Random(seed)  # noqa: S311 - a simulation, nothing secret
        self._missing = 0 if self._is_full else max(0, body_bytes - 1100)
        self._text = "".join(self._rng.choices(ALPHABET, k=2 * self._missing + 1))

    def write(self, told: Told) -> Draft:
        snapshot = told.snapshot
        is_full = self._is_full and told.payload_type == "inquiry"
        body = write_body(snapshot, told.payload_type, FULL if is_full else PLAIN, self._filling())
        return Draft(body, _event(snapshot), told.payload_type)

    def _filling(self) -> str:
        start = self._rng.randrange(self._missing + 1)
        return self._text[start : start + self._missing]


def _event(snapshot: Snapshot) -> Event:
    return Event(
        snapshot.inquiry_id,
        snapshot.event_id,
        snapshot.name,
        snapshot.occurred_at,
        None,
        snapshot.reference_id,
        snapshot.account_id,
        snapshot.template_id,
        snapshot.status,
    )
