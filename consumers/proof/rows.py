"""The rows that a ledger must have of an inquiry after its records, and how those that it has differ. Pure.

Rows are mappings by the column names of their view (docs/reference/views.md). What is told of a difference names
columns, never a value: a reference id may be personal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from domain.aggregate import Changes, Entry, fold_batch
from domain.books import Quarantined
from domain.event import Placement, Sighting, order_key
from domain.history import log_order
from domain.inquiry import Rules
from domain.revision import Revision, Row

ViewRow = Mapping[str, Any]

#: Of an inquiry in two partitions the order in which its records were read is not known, nor what follows from it.
_ORDER_OF_READING = frozenset({"revision", "topic", "partition", "offset", "appended_at"})

#: What `inquiry_history` does not show of an event.
_BEYOND_HISTORY = ("source", "reference_id", "account_id", "template_id", "cleared_reference")


class Stored(Protocol):
    """What the views say of one inquiry."""

    @property
    def decision(self) -> ViewRow | None:
        """Of `current_decision`."""

    @property
    def history(self) -> Sequence[ViewRow]:
        """Of `inquiry_history`."""

    @property
    def revisions(self) -> Sequence[ViewRow]:
        """Of `decision_revision`."""

    @property
    def records(self) -> Sequence[ViewRow]:
        """Of `inquiry_record`."""


class Expected(NamedTuple):
    """What they must say: the fold, its rows, and what it counts."""

    fold: Changes
    decision: ViewRow
    history: Sequence[ViewRow]
    revisions: Sequence[ViewRow]
    records: Sequence[ViewRow]
    is_split: bool


class Finding(NamedTuple):
    """One thing that is wrong. `place`: `topic-partition@offset`, or a view and the key of a row; `problem` names
    columns, fields and kinds."""

    place: str
    check: str
    problem: str


def expect(inquiry_id: str, sightings: Sequence[Sighting], stored: Stored, rules: Rules) -> Expected:
    """The rows of an inquiry after these records, of which there is one at least. Which of those in several partitions
    was read first only the rows tell."""
    ordered = log_order(sightings)
    is_split = len({sighting.placement.partition for sighting in ordered}) > 1
    if is_split:
        firsts = {_locate(row) for row in stored.history}
        ordered.sort(key=lambda sighting: sighting.placement[:3] not in firsts)
    fold = Changes()
    fold_batch({}, {inquiry_id: ordered}, rules, fold)
    (row,) = fold.new_rows
    entries = sorted(fold.new_entries, key=lambda entry: order_key(entry.event))
    return Expected(
        fold,
        _decision(row, rules),
        [_history(position, entry) for position, entry in enumerate(entries, 1)],
        [_revision(revision) for revision in fold.revisions],
        _records(ordered, is_redacted=row.inquiry.redacted_at is not None),
        is_split,
    )


def _decision(row: Row, rules: Rules) -> ViewRow:
    inquiry = row.inquiry._asdict()
    del inquiry["last_rank"]
    lifecycle, policy = rules.versions
    return {
        **inquiry,
        "revision": row.revision,
        "lifecycle_version": lifecycle,
        "policy_version": policy,
        **row.placement._asdict(),
    }


def _history(position: int, entry: Entry) -> ViewRow:
    event = entry.event
    return {
        "inquiry_id": event.inquiry_id,
        "position": position,
        "event_id": event.event_id,
        "event_name": event.name,
        "occurred_at": event.occurred_at,
        **entry.step._asdict(),
        "payload_status": event.payload_status,
        **entry.placement._asdict(),
    }


def _revision(revision: Revision) -> ViewRow:
    row = revision._asdict()
    placement = row.pop("placement")._asdict()
    return {**row, "known_at": placement.pop("appended_at"), **placement}


def _records(sightings: Sequence[Sighting], *, is_redacted: bool) -> list[ViewRow]:
    """A redaction leaves of each reference id only its rank among those of the inquiry."""
    told = sorted({sighting.event.reference_id for sighting in sightings if sighting.event.reference_id is not None})
    ranks = {reference_id: rank for rank, reference_id in enumerate(told, 1)} if is_redacted else {}
    return [_record(sighting, ranks.get(sighting.event.reference_id or ""), is_redacted) for sighting in sightings]


def _record(sighting: Sighting, rank: int | None, is_redacted: bool) -> ViewRow:
    row = {**sighting.event._asdict(), **sighting.placement._asdict(), "cleared_reference": rank}
    row["event_name"] = row.pop("name")
    return {**row, "reference_id": None} if is_redacted else row


def quarantine_row(quarantined: Quarantined) -> ViewRow:
    """A row of `quarantine`."""
    return {**quarantined.placement._asdict(), "reason": quarantined.reason, "detail": quarantined.detail}


def name_place(topic: str, partition: int, offset: int) -> str:
    """A record's place, as people write it."""
    return f"{topic}-{partition}@{offset}"


def place_of(placement: Placement) -> str:
    """The same of a placement."""
    return name_place(*placement[:3])


def compare_inquiry(inquiry_id: str, expected: Expected | None, stored: Stored) -> list[Finding]:
    """How the rows of one inquiry differ from what they must be; `expected`: None where the log tells nothing of it."""
    if expected is None:
        return [Finding(f"{view} {inquiry_id}", "row", _TOO_MANY) for view in _views_of(stored)]
    left_out = _ORDER_OF_READING if expected.is_split else frozenset()
    decisions = [stored.decision] if stored.decision else []
    found = compare_rows("current_decision", ("inquiry_id",), [expected.decision], decisions, left_out)
    found += compare_rows("inquiry_history", _EVENT, expected.history, stored.history)
    if not expected.is_split:
        key = ("inquiry_id", "revision")
        found += compare_rows("decision_revision", key, expected.revisions, stored.revisions)
    return found + _compare_records(expected, stored)


_MISSING = "missing: the fold of the log has it"
_TOO_MANY = "too many: the fold of the log has no such row"

_EVENT = ("inquiry_id", "event_id")
LOCATION = ("topic", "partition", "offset")


def _views_of(stored: Stored) -> list[str]:
    rows = {"current_decision": stored.decision, "inquiry_history": stored.history,
            "decision_revision": stored.revisions}  # fmt: skip
    return [view for view, there in rows.items() if there]


def compare_rows(
    view: str,
    key: Sequence[str],
    expected: Sequence[ViewRow],
    stored: Sequence[ViewRow],
    left_out: Collection[str] = (),
) -> list[Finding]:
    """Rows that are missing, too many, or differ in some columns."""
    wanted = {tuple(row[name] for name in key): row for row in expected}
    there = {tuple(row[name] for name in key): row for row in stored}
    found = []
    for identity in {**wanted, **there}:
        problem = _compare(wanted.get(identity), there.get(identity), left_out)
        if problem:
            name = name_place(*identity) if key == LOCATION else " ".join(map(str, identity))
            found.append(Finding(f"{view} {name}", "row", problem))
    return found


def _compare(expected: ViewRow | None, stored: ViewRow | None, left_out: Collection[str]) -> str:
    if expected is None:
        return _TOO_MANY
    if stored is None:
        return _MISSING
    columns = [name for name, value in expected.items() if name not in left_out and stored[name] != value]
    return f"not as the fold of the log: {', '.join(columns)}" if columns else ""


def _compare_records(expected: Expected, stored: Stored) -> list[Finding]:
    """Of an event seen once the view shows the row of `inquiry_history` again: what that tells is not told twice."""
    times = Counter(row["event_id"] for row in expected.records)
    known = {_locate(row) for row in stored.history}
    copies = [row for row in expected.records if times[row["event_id"]] > 1]
    there = [row for row in stored.records if times[row["event_id"]] > 1 or _is_stray(row, times, known)]
    single = {row["event_id"]: _cut(row) for row in expected.records if times[row["event_id"]] == 1}
    same = [_cut(row) for row in stored.records if row["event_id"] in single]
    single = {row["event_id"]: single[row["event_id"]] for row in same}
    return compare_rows("inquiry_record", LOCATION, copies, there) + compare_rows(
        "inquiry_record", _EVENT, list(single.values()), same
    )


def _is_stray(row: ViewRow, times: Mapping[str, int], known: Collection[tuple[Any, ...]]) -> bool:
    return not times[row["event_id"]] and _locate(row) not in known


def _cut(row: ViewRow) -> ViewRow:
    return {name: row[name] for name in (*_EVENT, *_BEYOND_HISTORY)}


def _locate(row: ViewRow) -> tuple[Any, ...]:
    return tuple(row[name] for name in LOCATION)
