"""A read API in memory, and words to ask it with. The ledger behind it changes when a test says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
from prometheus_client import CollectorRegistry

from adapters.memory import MemoryLedger
from adapters.memory.reading import MemoryQuery
from adapters.web.api.app import Api, build_api
from consumers.batch import Batch, write_batch
from domain.books import Position
from domain.errors import LedgerUnavailable
from domain.event import Event, Placement, Sighting
from tests.ledgers import RULES
from tests.sites import NOW, parts_over

TOPIC = "persona.events"
PARTITIONS = 2


class Switch:
    """A query whose ledger can be away: every call is passed on, or fails."""

    def __init__(self, query: MemoryQuery) -> None:
        self._query = query
        self.is_away = False
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        async def ask(*arguments: Any) -> Any:
            await asyncio.sleep(0)
            self.asked.append(name)
            if self.is_away:
                raise LedgerUnavailable("Postgres does not answer (of this test)")
            return await getattr(self._query, name)(*arguments)

        return ask


@dataclass
class Reading:
    """An API over a ledger of `PARTITIONS` partitions. `changed`: parts of the application that are others."""

    changed: dict[str, Any] = field(default_factory=dict)
    ledger: MemoryLedger = field(default_factory=lambda: MemoryLedger(TOPIC))
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    ends: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.query = Switch(MemoryQuery(self.ledger))
        self._news = asyncio.Event()
        self.begin()

    def begin(self, topic_id: str = "topic") -> None:
        """Begin the ledger, of a topic of this id."""
        self.ledger.agree(RULES.versions)
        self.ledger.open([Position(number, "cluster", topic_id, 0, 0) for number in range(PARTITIONS)])

    def write(self, *events: Event, partition: int = 0, appended_at: datetime = NOW) -> None:
        """Project the events as the next records of a partition, as one batch, and tell who listens."""
        start = self.ledger.stored[partition].next_offset
        places = [Placement(TOPIC, partition, start + number, appended_at) for number, _ in enumerate(events)]
        records = [Sighting(event, place) for event, place in zip(events, places, strict=True)]
        write_batch(self.ledger, Batch({partition: (start, start + len(events))}, records), RULES)
        self.notify()

    def notify(self) -> None:
        """Tell who listens that there may be something new."""
        self._news.set()

    async def notices(self) -> AsyncIterator[None]:
        """`domain` knows them as news without content."""
        yield
        while True:
            await self._news.wait()
            self._news.clear()
            yield

    def build(self) -> Api:
        """A new application, in a loop of its own."""
        self.registry, self._news = CollectorRegistry(), asyncio.Event()
        given: dict[str, Any] = {
            "notices": self.notices,
            "registry": self.registry,
            "log_ends": lambda: dict(self.ends),
            **self.changed,
        }
        return build_api(parts_over(self.query, **given))

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client of the running application."""
        api = self.build()
        async with api.router.lifespan_context(api), _client(api) as client:
            yield client

    def ask(self, path: str, method: str = "GET", **request: Any) -> httpx.Response:
        """One request, in a loop of its own."""
        return self.ask_all((method, path, request))[0]

    def ask_all(self, *requests: tuple[str, str, dict[str, Any]]) -> list[httpx.Response]:
        """Several, one after the other."""

        async def ask() -> list[httpx.Response]:
            async with self.client() as client:
                return [await client.request(method, path, **request) for method, path, request in requests]

        return asyncio.run(ask())

    def get(self, path: str, **parameters: Any) -> Any:
        """The JSON of a good answer."""
        answer = self.ask(path, params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def count(self, name: str, **labels: str) -> float:
        """A metric's value."""
        return self.registry.get_sample_value(name, labels) or 0.0


def _client(api: Api) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://localhost")


def problem(answer: httpx.Response, status: int) -> Any:
    """The problem document of a refusal, in the form that RFC 9457 wants."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    document = answer.json()
    assert document["status"] == status
    assert document["type"] == "about:blank"
    return document


async def settle(is_so: Callable[[], bool]) -> None:
    """Let the loop run until it is so."""
    async with asyncio.timeout(5):
        while not is_so():
            await asyncio.sleep(0.001)


def ids(rows: Sequence[Any]) -> list[str]:
    """Their inquiries."""
    return [row["inquiry_id"] for row in rows]
