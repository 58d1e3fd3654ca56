"""One delivery → the record it becomes: key, headers, and the event id its sender is told.

Pure, and put together from other rooms' functions, which are given: how a body is read, how headers are written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, NamedTuple, Protocol, TypeVar

from domain.errors import Undecodable
from domain.event import Event

RecordHeaders = Sequence[tuple[str, bytes]]

#: What nobody sends: more attempts than Persona makes in a thousand years, and times past the year 5000.
_MAX_ATTEMPTS = 1_000_000
_MAX_TIME_DIGITS = 11


class Arrival(NamedTuple):
    """A delivery whose signature is good. `received_at`: unix seconds; the last two are the headers as received."""

    body: bytes
    source: str
    signature: str | None
    secret_id: str
    received_at: float
    attempts_made: bytes | None = None
    first_attempted_at: bytes | None = None


class Accepted(NamedTuple):
    """What is appended for a delivery. `event` is None where the body cannot be read."""

    key: bytes
    headers: RecordHeaders
    event: Event | None


A = TypeVar("A")
A_contra = TypeVar("A_contra", contravariant=True)


class EncodeHeaders(Protocol[A_contra]):
    """Event, audit → the headers of a record (design, section 5). `known`: `ce_…` headers of an unreadable body."""

    def __call__(
        self,
        event: Event | None,
        audit: A_contra,
        /,
        *,
        payload_type: str | None = None,
        known: Mapping[str, str] = ...,
    ) -> RecordHeaders: ...


MakeAudit = Callable[[str | None, str | None, datetime, int | None, datetime | None, str], A]
"""(signature, secret_id, received_at, attempts_made, first_attempted_at, provenance) → the audit of a record."""


@dataclass(frozen=True, slots=True)
class Intake(Generic[A]):
    """Makes records of deliveries. A function of its arguments alone."""

    read_body: Callable[[bytes], tuple[Event, str]]
    find_inquiry_id: Callable[[bytes], str | None]
    sketch: Callable[[bytes], Mapping[str, str]]
    make_audit: MakeAudit[A]
    encode_headers: EncodeHeaders[A]

    def accept(self, arrival: Arrival) -> Accepted:
        """The record of a delivery. A body that cannot be read has one too: it is signed, so it is Persona's."""
        audit = self._audit(arrival)
        try:
            event, payload_type = self.read_body(arrival.body)
        except Undecodable:
            return self._accept_unreadable(arrival, audit)
        event = event._replace(source=arrival.source)
        headers = self.encode_headers(event, audit, payload_type=payload_type)
        return Accepted(event.inquiry_id.encode(), headers, event)

    def _accept_unreadable(self, arrival: Arrival, audit: A) -> Accepted:
        inquiry_id = self.find_inquiry_id(arrival.body)
        key = inquiry_id or hashlib.sha256(arrival.body).hexdigest()
        known = {**self.sketch(arrival.body), "ce_source": f"/persona/{arrival.source}"}
        return Accepted(key.encode(), self.encode_headers(None, audit, known=known), None)

    def _audit(self, arrival: Arrival) -> A:
        return self.make_audit(
            arrival.signature,
            arrival.secret_id,
            datetime.fromtimestamp(arrival.received_at, UTC),
            parse_attempts(arrival.attempts_made),
            parse_unix_time(arrival.first_attempted_at),
            "webhook",
        )


def parse_attempts(text: bytes | None) -> int | None:
    """`Persona-Webhook-Attempts-Made`, None where it is no number from 0 to a million (persona.md, section 4)."""
    if text is None or not text.isdigit() or len(text) > len(str(_MAX_ATTEMPTS)):
        return None
    attempts = int(text)
    return attempts if attempts <= _MAX_ATTEMPTS else None


def parse_unix_time(text: bytes | None) -> datetime | None:
    """`Persona-Webhook-First-Attempted-At`, None where it is no number of unix seconds (persona.md, section 4)."""
    if text is None or not text.isdigit() or len(text) > _MAX_TIME_DIGITS:
        return None
    return datetime.fromtimestamp(int(text), UTC)
