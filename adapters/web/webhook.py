"""`POST /webhooks/persona[/<source>]`: raw bytes → signature → record → acknowledged by the log → 200.

A raw ASGI application, since this is the path whose cost counts. 2xx is never sent for what is not durable.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from starlette.types import Receive, Scope, Send

from adapters.web import refusal
from adapters.web.acks import Acks, Answer
from adapters.web.body import BodyReader, declared_length
from adapters.web.edge_metrics import EdgeMetrics
from adapters.web.intake import Accepted, Arrival, RecordHeaders
from adapters.web.journal import Journal
from adapters.web.load import Hold, Load
from adapters.web.refusal import Disconnected, Refused
from adapters.web.reply import Reply, reply_json, reply_problem, send_reply
from domain.errors import LedgerError

PATH = "/webhooks/persona"
_ROUTE = f"{PATH}/{{source}}"
DEFAULT_SOURCE = "default"

_CLOSE = (b"connection", b"close")
_SIGNATURE = b"persona-signature"
_ATTEMPTS_MADE = b"persona-webhook-attempts-made"
_FIRST_ATTEMPTED_AT = b"persona-webhook-first-attempted-at"


class Appended(Protocol):
    """Where the log put a record, once it is durable."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...


class Appender(Protocol):
    """Appends records to the log. Called in the event loop: neither may block."""

    def append(self, key: bytes, value: bytes, headers: RecordHeaders, /) -> Answer:
        """Settled with an `Appended` when the record is durable, or with a LedgerError."""

    def is_ready(self) -> bool:
        """Whether it makes sense to try."""


CheckSignature = Callable[[str | None, bytes, float], str]
"""(header, body, unix seconds) → the id of the secret; a LedgerError whose `reason` is a key of BAD_SIGNATURE."""

Accept = Callable[[Arrival], Accepted]

Fields = dict[bytes, bytes]


@dataclass(frozen=True, slots=True)
class EdgeLimits:
    """What one process takes on. `max_in_flight_bytes` is of bodies in memory."""

    max_body_bytes: int = 2_000_000
    max_in_flight: int = 1_000
    max_in_flight_bytes: int = 64 * 1024 * 1024
    ack_timeout_s: float = 3.0
    read_timeout_s: float = 30.0


class Collaborators(NamedTuple):
    """What the edge is given from other rooms."""

    sources: Mapping[str, CheckSignature]
    accept: Accept
    appender: Appender
    clock: Callable[[], float]


class Webhook:
    """The endpoint. Every path it does not know is 404, so nothing of a path is ever interpreted."""

    def __init__(
        self, parts: Collaborators, limits: EdgeLimits, load: Load, metrics: EdgeMetrics, journal: Journal
    ) -> None:
        self._parts = parts
        self._limits = limits
        self._load = load
        self._metrics = metrics
        self._journal = journal
        self._acks = Acks(limits.ack_timeout_s)
        self._reader = BodyReader(load, limits.max_body_bytes, limits.read_timeout_s)
        self._source_by_path = {f"{PATH}/{source}": source for source in parts.sources}
        if DEFAULT_SOURCE in parts.sources:
            self._source_by_path[PATH] = DEFAULT_SOURCE

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        source = self._source_by_path.get(scope["path"])
        try:
            answer = await self._take(scope, receive, source)
        except Disconnected:
            self._metrics.refused(source or "", "disconnected")
            return
        except Refused as refused:
            answer = self._refuse(scope, source, refused, started)
        except asyncio.CancelledError:
            # The server stops and waited long enough: this task ends with an answer, in place of a traceback.
            answer = self._refuse(scope, source, Refused(refusal.STOPPING), started)
        await send_reply(send, answer)

    async def _take(self, scope: Scope, receive: Receive, source: str | None) -> Reply:
        fields: Fields = dict(scope["headers"])
        known = self._admit(scope["method"], source, fields)
        with Hold(self._load) as hold:
            body = await self._reader.read(receive, hold)
            arrival = self._check(known, body, fields, scope)
            return await self._append(arrival, self._parts.accept(arrival), hold)

    def _admit(self, method: str, source: str | None, fields: Fields) -> str:
        """The source, where a body may be read from it now. Before the body, since reading one costs memory."""
        if source is None:
            raise Refused(refusal.NOT_FOUND)
        if method != "POST":
            raise Refused(refusal.NOT_POST)
        length = declared_length(fields.get(b"content-length", b""), self._limits.max_body_bytes)
        if not self._parts.appender.is_ready():
            raise Refused(refusal.NOT_READY)
        if not self._load.has_room(length):
            raise Refused(refusal.OVERLOADED)
        return source

    def _check(self, source: str, body: bytes, fields: Fields, scope: Scope) -> Arrival:
        now = self._parts.clock()
        signature = _signature(scope) if _SIGNATURE in fields else None
        try:
            secret_id = self._parts.sources[source](signature, body, now)
        except LedgerError as error:
            raise Refused(refusal.BAD_SIGNATURE[getattr(error, "reason", "mismatch")]) from error
        attempts_made, first_attempted_at = fields.get(_ATTEMPTS_MADE), fields.get(_FIRST_ATTEMPTED_AT)
        return Arrival(body, source, signature, secret_id, now, attempts_made, first_attempted_at)

    async def _append(self, arrival: Arrival, accepted: Accepted, hold: Hold) -> Reply:
        began = time.perf_counter()
        name = accepted.event and accepted.event.name
        try:
            answer = self._parts.appender.append(accepted.key, arrival.body, accepted.headers)
            hold.hand_over()
            is_settled = await self._acks.wait(answer, hold.release)
            appended: Appended | None = answer.result() if is_settled else None
        except LedgerError as error:
            raise Refused(refusal.LOG_FAILED, name) from error
        if appended is None:
            raise Refused(refusal.NOT_ACKNOWLEDGED, name)
        self._metrics.took(arrival.source, "accepted" if name else "unreadable", time.perf_counter() - began)
        return _tell(accepted, appended)

    def _refuse(self, scope: Scope, source: str | None, refused: Refused, started: float) -> Reply:
        self._metrics.refused(source or "", refused.problem.reason)
        route = "" if source is None else _ROUTE
        self._journal.refused(scope, refused.problem, started, route, source, refused.event_name)
        # Who waits for `100 Continue` may or may not send the body after another answer (RFC 9110, 10.1.1).
        closing = [_CLOSE] if any(name == b"expect" for name, _ in scope["headers"]) else []
        return reply_problem(refused.problem, closing)


def _signature(scope: Scope) -> str:
    """As received; should it come in several fields, all of them, as groups of one."""
    return b" ".join(value for name, value in scope["headers"] if name == _SIGNATURE).decode("latin-1")


def _tell(accepted: Accepted, appended: Appended) -> Reply:
    event_id = accepted.event and accepted.event.event_id
    topic, partition, offset = appended.topic, appended.partition, appended.offset
    return reply_json(200, {"event_id": event_id, "topic": topic, "partition": partition, "offset": offset})
