"""An edge in memory: a log that acknowledges when a test says so, and words to send deliveries with."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import httpx
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from adapters.persona.body import find_inquiry_id, read_body, sketch
from adapters.persona.signature import SIGNATURE_HEADER, SignatureChecker, sign
from adapters.web.edge import build_edge
from adapters.web.intake import Intake, RecordHeaders
from adapters.web.webhook import Appended, EdgeLimits
from domain.event import Event

SECRET = "wbhsec_default"
EU_SECRET = "wbhsec_eu"
SECRETS = {"default": SECRET, "eu": EU_SECRET}
NOW = 1_720_449_000
TOPIC = "persona.events"
LIMITS = EdgeLimits(max_body_bytes=2_000, ack_timeout_s=0.2, read_timeout_s=0.2)


class Written(NamedTuple):
    """What an appender was given."""

    key: bytes
    value: bytes
    headers: Mapping[str, bytes]


class At(NamedTuple):
    """`adapters.web.webhook.Appended`."""

    topic: str
    partition: int
    offset: int


class MemoryAppender:
    """A log that acknowledges at once, unless `acknowledges` is off: then what it was given stays in `pending`."""

    def __init__(self) -> None:
        self.log: list[Written] = []
        self.acknowledged: list[Written] = []
        self.pending: list[Future[Appended]] = []
        self.acknowledges = True
        self.ready = True
        self.fails_with: BaseException | None = None

    def append(self, key: bytes, value: bytes, headers: RecordHeaders, /) -> Future[Appended]:
        record = Written(key, value, dict(headers))
        self.log.append(record)
        future: Future[Appended] = Future()
        if self.fails_with is not None:
            future.set_exception(self.fails_with)
        elif self.acknowledges:
            self.acknowledged.append(record)
            future.set_result(At(TOPIC, 0, len(self.log) - 1))
        else:
            self.pending.append(future)
        return future

    def is_ready(self) -> bool:
        return self.ready

    def settle(self) -> None:
        """Acknowledge all that is pending."""
        pending, self.pending = self.pending, []
        for future in pending:
            future.set_result(At(TOPIC, 0, 0))


class Audit(NamedTuple):
    """What `Intake` gives to whoever writes the headers."""

    signature: str | None
    secret_id: str | None
    received_at: datetime
    attempts_made: int | None
    first_attempted_at: datetime | None
    provenance: str


def encode_headers(
    event: Event | None, audit: Audit, /, *, payload_type: str | None = None, known: Mapping[str, str] | None = None
) -> RecordHeaders:
    """Headers that show what `Intake` said."""
    said: dict[str, Any] = {**(known or {}), **(event._asdict() if event else {}), "payload_type": payload_type}
    return [*((name, str(value).encode()) for name, value in said.items()), ("delivery", repr(audit).encode())]


INTAKE = Intake(read_body, find_inquiry_id, sketch, Audit, encode_headers)


@dataclass
class Edge:
    """An edge and what it works with."""

    limits: EdgeLimits = LIMITS
    appender: MemoryAppender = field(default_factory=MemoryAppender)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    find_problems: Callable[[], Sequence[str]] = list
    sources: Sequence[str] = ("default", "eu")
    app: ASGIApp = field(init=False)

    def __post_init__(self) -> None:
        self.app = build_edge(
            sources={source: SignatureChecker([SECRETS[source]], 300).check for source in self.sources},
            accept=INTAKE.accept,
            appender=self.appender,
            find_problems=self.find_problems,
            registry=self.registry,
            limits=self.limits,
            clock=lambda: NOW,
        )

    def send(self, method: str, path: str, **request: Any) -> httpx.Response:
        """One request in a loop of its own."""
        return asyncio.run(self.asend(method, path, **request))

    async def asend(self, method: str, path: str, **request: Any) -> httpx.Response:
        """One request."""
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url="http://edge") as client:
            return await client.request(method, path, **request)

    def deliver(self, body: bytes, path: str = "/webhooks/persona", secret: str = SECRET) -> httpx.Response:
        """A delivery as Persona sends it."""
        return self.send("POST", path, content=body, headers=signed(body, secret))

    async def adeliver(self, body: bytes) -> httpx.Response:
        """A delivery as Persona sends it."""
        return await self.asend("POST", "/webhooks/persona", content=body, headers=signed(body))

    def count(self, source: str, outcome: str) -> float:
        """How many deliveries of this source ended so."""
        labels = {"source": source, "outcome": outcome}
        return self.registry.get_sample_value("ledger_edge_deliveries_total", labels) or 0.0


def signed(body: bytes, secret: str = SECRET, at: int = NOW) -> dict[str, str]:
    """The header that proves it."""
    return {SIGNATURE_HEADER: sign(secret, body, at)}


def delivery(inquiry_id: str = "inq_1", event_id: str = "evt_1", name: str = "inquiry.approved", **more: Any) -> bytes:
    """A body with what is needed, and `more` in the inquiry's attributes."""
    payload = {"data": {"type": "inquiry", "id": inquiry_id, "attributes": more}}
    attributes = {"name": name, "created-at": "2024-07-08T14:29:24.297Z", "payload": payload}
    return json.dumps({"data": {"type": "event", "id": event_id, "attributes": attributes}}).encode()
