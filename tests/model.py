"""The design's words as a naive fold, to hold the real one against.

Written from design sections 2, 3, 4 and 6 alone: no state is carried from record to record, everything is made from the
whole set of records each time. It shares the shapes of records with `domain/`, and no rule.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any, NamedTuple

from domain.event import Event, Placement, Sighting

#: Design section 3, copied as it stands there.
DESIGN_TABLE = """
| from ＼ event | created | started | completed | failed | expired | marked-for-review | approved | declined |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
| none | D | A | A | A | A | A | A | A |
| created | = | D | S | S | D | S | S | S |
| pending | ✗ created_twice | = | D | D | D | S | S | S |
| expired | ✗ created_twice | S | S | S | = | D | D | D |
| completed | ✗ created_twice | ✗ after_outcome | = | ✗ after_outcome | ✗ after_outcome | D | D | D |
| failed | ✗ created_twice | ✗ after_outcome | ✗ after_outcome | = | ✗ after_outcome | D | D | D |
| needs_review | ✗ created_twice | ✗ after_outcome | ✗ after_outcome | ✗ after_outcome | ✗ after_outcome | = | D | D |
| approved | ✗ after_decision | ✗ after_decision | ✗ after_decision | ✗ after_decision | ✗ after_decision | ✗ after_decision | = | R |
| declined | ✗ after_decision | ✗ after_decision | ✗ after_decision | ✗ after_decision | ✗ after_decision | ✗ after_decision | R | = |
"""  # noqa: E501 - a copy

LEADS_TO = {
    "inquiry.created": "created",
    "inquiry.started": "pending",
    "inquiry.completed": "completed",
    "inquiry.failed": "failed",
    "inquiry.expired": "expired",
    "inquiry.marked-for-review": "needs_review",
    "inquiry.approved": "approved",
    "inquiry.declined": "declined",
}

RANK = {
    "inquiry.created": 0,
    "inquiry.started": 1,
    "inquiry.expired": 2,
    "inquiry.completed": 3,
    "inquiry.failed": 4,
    "inquiry.marked-for-review": 5,
    "inquiry.approved": 6,
    "inquiry.declined": 7,
    "inquiry.redacted": 8,
}

EDGE = {"D": "documented", "S": "shortcut", "A": "adopted", "R": "reversal"}

#: The columns that come from the last event that carries them.
CARRIED = ("source", "reference_id", "account_id", "template_id")

#: Whose change makes a revision.
VISIBLE = ("status", "status_since", "decision", "decided_at", "redacted_at", "reference_id")


class Judgement(NamedTuple):
    """One event's verdict, in the columns of `inquiry_history`."""

    verdict: str
    edge: str | None
    reason: str | None
    from_status: str | None
    to_status: str | None


class Saying(NamedTuple):
    """What a policy file says: for all, and for some templates."""

    default: Mapping[str, str] = {}
    templates: Mapping[str, Mapping[str, str]] = {}

    def decide(self, template: str | None, status: str | None) -> str:
        """What a status of an inquiry of this template means."""
        decisioning = {"approved": "approved", "declined": "declined", "needs_review": "needs_review"}
        said = {**self.default, **self.templates.get(template or "", {}), **decisioning}
        return said.get(status or "", "undecided")


def design_cells() -> dict[tuple[str | None, str], str]:
    """(status or None, event name) → the cell, as the design writes it."""
    header, _, *rows = [[word.strip() for word in line.strip("| ").split("|")] for line in _lines()]
    return {
        (None if row[0] == "none" else row[0], f"inquiry.{word}"): cell
        for row in rows
        for word, cell in zip(header[1:], row[1:], strict=True)
    }


def _lines() -> list[str]:
    return DESIGN_TABLE.strip().splitlines()


_CELLS = design_cells()


def judge(status: str | None, name: str, *, redacted: bool) -> Judgement:
    """What the design says of an event of this name in this status, of an inquiry redacted before or not."""
    if name == "inquiry.redacted":
        verdict, edge = ("repeated", None) if redacted else ("applied", "redaction")
        return Judgement(verdict, edge, None, status, status)
    return judge_cell(_CELLS[status, name], status, name)


def judge_cell(cell: str, status: str | None, name: str) -> Judgement:
    """What one cell of the design's table means."""
    if cell.startswith("✗"):
        return Judgement("refused", None, cell.split()[1], status, status)
    if cell == "=":
        return Judgement("repeated", None, None, status, status)
    return Judgement("applied", EDGE[cell], None, status, LEADS_TO[name])


def winners(copies: Sequence[Sighting]) -> list[Sighting]:
    """Those records of one identity that count: of several contents the smaller `(occurred_at, name)`."""
    smallest = min((copy.event.occurred_at, copy.event.name) for copy in copies)
    return [copy for copy in copies if (copy.event.occurred_at, copy.event.name) == smallest]


def by_event(records: Sequence[Sighting]) -> dict[str, list[Sighting]]:
    """The records of one inquiry by event id, in the order of the log."""
    keys = dict.fromkeys(record.event.event_id for record in records)
    return {key: [record for record in records if record.event.event_id == key] for key in keys}


def merged(copies: Sequence[Sighting]) -> Event:
    """One event of all its counting copies: what one lacks the other fills in, of two values the smaller."""
    fields = (*CARRIED, "payload_status")
    said = {name: [value for copy in copies if (value := getattr(copy.event, name)) is not None] for name in fields}
    smallest: dict[str, Any] = {name: min(values, default=None) for name, values in said.items()}
    return copies[0].event._replace(**smallest)


def canonical(records: Sequence[Sighting]) -> list[Event]:
    """The set of an inquiry's events, in canonical order."""
    events = [merged(winners(copies)) for copies in by_event(records).values()]
    return sorted(events, key=lambda e: (e.occurred_at, RANK[e.name], [ord(letter) for letter in e.event_id]))


def judge_all(events: Sequence[Event]) -> list[Judgement]:
    """The verdict of each event of one inquiry."""
    status: str | None = None
    judgements = []
    for number, event in enumerate(events):
        redacted = any(before.name == "inquiry.redacted" for before in events[:number])
        judgements.append(judge(status, event.name, redacted=redacted))
        status = judgements[-1].to_status
    return judgements


def held_since(values: Sequence[str | None], events: Sequence[Event]) -> Event:
    """The event since which the last value has held without a break."""
    run = list(takewhile(lambda value: value == values[-1], reversed(values)))
    return events[-len(run)]


def last_carried(events: Sequence[Event], name: str) -> Any:
    """The value of the last event that carries it."""
    return next((value for event in reversed(events) if (value := getattr(event, name)) is not None), None)


def expect_inquiry(records: Sequence[Sighting], saying: Saying) -> dict[str, Any]:
    """One inquiry's row, revision and record apart, from the set of its records."""
    events = canonical(records)
    judgements = judge_all(events)
    carried = {name: last_carried(events, name) for name in CARRIED}
    redactions = [event.occurred_at for event in events if event.name == "inquiry.redacted"]
    return {
        "inquiry_id": events[0].inquiry_id,
        **carried,
        "reference_id": None if redactions else carried["reference_id"],
        **_expect_status(events, [judgement.to_status for judgement in judgements]),
        **_expect_decision(events, [saying.decide(carried["template_id"], j.to_status) for j in judgements]),
        "redacted_at": redactions[0] if redactions else None,
        "refused_events": sum(judgement.verdict == "refused" for judgement in judgements),
        "inferred_steps": sum(judgement.edge in ("shortcut", "adopted") for judgement in judgements),
        "last_event_at": events[-1].occurred_at,
        "last_event_id": events[-1].event_id,
    }


def _expect_status(events: Sequence[Event], statuses: Sequence[str | None]) -> dict[str, Any]:
    since = held_since(statuses, events)
    return {"status": statuses[-1], "status_since": since.occurred_at if statuses[-1] else None}


def _expect_decision(events: Sequence[Event], decisions: Sequence[str]) -> dict[str, Any]:
    since = held_since(decisions, events)
    decided = decisions[-1] != "undecided"
    return {
        "decision": decisions[-1],
        "decided_at": since.occurred_at if decided else None,
        "decided_by": since.event_id if decided else None,
    }


def expect_history(records: Sequence[Sighting]) -> list[tuple[Event, Placement, Judgement]]:
    """Every folded event in canonical order: merged, where its first counting record lies, and its verdict."""
    groups = by_event(records)
    events = canonical(records)
    places = [winners(groups[event.event_id])[0].placement for event in events]
    return list(zip(events, places, judge_all(events), strict=True))


def expect_quarantine(records: Sequence[Sighting]) -> list[Placement]:
    """Where the losers of conflicts lie."""
    groups = by_event(records).values()
    return sorted(copy.placement for copies in groups for copy in copies if copy not in winners(copies))


def expect_counts(records: Sequence[Sighting]) -> Counter[str]:
    """What the records of one inquiry count as in the books."""
    counts = Counter(judgement.verdict for _, _, judgement in expect_history(records))
    counts["duplicate"] = sum(len(winners(copies)) - 1 for copies in by_event(records).values())
    counts["quarantined"] = len(expect_quarantine(records))
    return counts


def expect_revisions(records: Sequence[Sighting], saying: Saying) -> list[dict[str, Any]]:
    """What a reader could have seen, record by record."""
    revisions: list[dict[str, Any]] = []
    seen: dict[str, Any] = {}
    for number, record in enumerate(records, 1):
        row = expect_inquiry(records[:number], saying)
        if any(row[name] != seen.get(name, "never") for name in VISIBLE):
            revisions.append(_expect_revision(row, len(revisions) + 1, record))
        seen = row
    return revisions


def _expect_revision(row: Mapping[str, Any], number: int, cause: Sighting) -> dict[str, Any]:
    return {
        "inquiry_id": row["inquiry_id"],
        "revision": number,
        "status": row["status"],
        "decision": row["decision"],
        "decided_at": row["decided_at"],
        "effective_at": row["status_since"],
        "cause_event_id": cause.event.event_id,
        "placement": cause.placement,
    }
