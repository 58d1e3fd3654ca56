"""Tuples of the domain ↔ columns of the tables, in one order, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from domain.aggregate import Entry
from domain.books import Quarantined
from domain.decision import Decision
from domain.event import Event, Placement, Sighting
from domain.history import cleared_reference
from domain.inquiry import Inquiry
from domain.lifecycle import RANKS, Edge, Reason, Status, Step, Verdict
from domain.revision import Revision, Row

#: Table → column → type, in the order of the tuples below. Binary COPY needs the types.
_EVENT = {
    "inquiry_id": "text",
    "event_id": "text",
    "name": "text",
    "occurred_at": "timestamptz",
    "source": "text",
    "reference_id": "text",
    "account_id": "text",
    "template_id": "text",
    "payload_status": "text",
}
_PLACEMENT = {"topic": "text", "partition": "int4", '"offset"': "int8", "appended_at": "timestamptz"}

COLUMNS: Mapping[str, Mapping[str, str]] = {
    "inquiry": {
        "inquiry_id": "text",
        "source": "text",
        "reference_id": "text",
        "account_id": "text",
        "template_id": "text",
        "status": "text",
        "status_since": "timestamptz",
        "decision": "text",
        "decided_at": "timestamptz",
        "decided_by": "text",
        "redacted_at": "timestamptz",
        "refused_events": "int4",
        "inferred_steps": "int4",
        "last_event_at": "timestamptz",
        "last_rank": "int4",
        "last_event_id": "text",
        "revision": "int4",
        **_PLACEMENT,
    },
    "event": {
        **_EVENT,
        **_PLACEMENT,
        "rank": "int4",
        "verdict": "text",
        "edge": "text",
        "reason": "text",
        "from_status": "text",
        "to_status": "text",
    },
    "sighting": {**_EVENT, **_PLACEMENT},
    "revision": {
        "inquiry_id": "text",
        "revision": "int4",
        "status": "text",
        "decision": "text",
        "decided_at": "timestamptz",
        "effective_at": "timestamptz",
        "cause_event_id": "text",
        "topic": "text",
        "partition": "int4",
        '"offset"': "int8",
        "known_at": "timestamptz",
    },
    "quarantined": {**_PLACEMENT, "reason": "text", "detail": "text"},
}

_STATUSES: Mapping[str | None, Status | None] = {None: None, **{status.value: status for status in Status}}
_DECISIONS = {decision.value: decision for decision in Decision}


def names(table: str) -> str:
    """The table's columns, as SQL lists them."""
    return ", ".join(COLUMNS[table])


def from_row(row: Row) -> tuple[Any, ...]:
    """A row of `ledger.inquiry`."""
    return (*row.inquiry, row.revision, *row.placement)


def to_row(values: Sequence[Any]) -> Row:
    """The other way."""
    inquiry = Inquiry._make((*values[:5], _STATUSES[values[5]], values[6], _DECISIONS[values[7]], *values[8:16]))
    return Row(inquiry, values[16], Placement(*values[17:21]))


def from_entry(entry: Entry) -> tuple[Any, ...]:
    """A row of `ledger.event`."""
    return (*entry.event, *entry.placement, RANKS[entry.event.name], *entry.step)


def to_entry(values: Sequence[Any]) -> Entry:
    """The other way."""
    return Entry(Event(*values[:9]), Placement(*values[9:13]), _step(*values[14:19]))


@lru_cache(maxsize=1024)
def _step(verdict: str, edge: str | None, reason: str | None, before: str | None, after: str | None) -> Step:
    return Step(
        Verdict(verdict),
        Edge(edge) if edge else None,
        Reason(reason) if reason else None,
        _STATUSES[before],
        _STATUSES[after],
    )


def from_sighting(sighting: Sighting) -> tuple[Any, ...]:
    """A row of `ledger.sighting`."""
    return (*sighting.event, *sighting.placement)


def to_sighting(values: Sequence[Any]) -> Sighting:
    """The other way."""
    return Sighting(Event(*values[:9]), Placement(*values[9:13]))


def to_record(row: Mapping[str, Any]) -> Sighting:
    """A row of `ledger.inquiry_record`, by column name, as the record that it was read from."""
    values = {**row, "name": row["event_name"]}
    if row["cleared_reference"] is not None:
        values["reference_id"] = cleared_reference(row["cleared_reference"])
    event = Event._make(values[name] for name in Event._fields)
    return Sighting(event, Placement._make(values[name] for name in Placement._fields))


def from_revision(revision: Revision) -> tuple[Any, ...]:
    """A row of `ledger.revision`."""
    return (*revision[:7], *revision.placement)


def from_quarantined(quarantined: Quarantined) -> tuple[Any, ...]:
    """A row of `ledger.quarantined`."""
    return (*quarantined.placement, quarantined.reason, quarantined.detail)
