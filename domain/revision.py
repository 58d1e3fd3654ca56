"""What a reader could see: a revision for each change of an inquiry's visible outcome, as records were read."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from domain.decision import Decision
from domain.event import Placement, Sighting
from domain.inquiry import Inquiry
from domain.lifecycle import Status


class Row(NamedTuple):
    """One inquiry as the ledger keeps it: its fold, its revision, and the record that made this revision."""

    inquiry: Inquiry
    revision: int
    placement: Placement


class Revision(NamedTuple):
    """One change a reader could see. `effective_at` is valid time, `placement.appended_at` the time it was known."""

    inquiry_id: str
    revision: int
    status: Status | None
    decision: Decision
    decided_at: datetime | None
    effective_at: datetime | None
    cause_event_id: str
    placement: Placement


def sees_the_same(before: Inquiry, after: Inquiry) -> bool:
    """Whether a reader sees no change: status and decision with their times, redaction, reference id."""
    return (
        before.status is after.status
        and before.decision is after.decision
        and before.status_since == after.status_since
        and before.decided_at == after.decided_at
        and before.redacted_at == after.redacted_at
        and before.reference_id == after.reference_id
    )


def revise(row: Row | None, after: Inquiry, cause: Sighting) -> tuple[Row, Revision | None]:
    """The row after one record, and the revision where the reader sees a change. The first row is revision 1."""
    if row is not None and sees_the_same(row.inquiry, after):
        return (row if row.inquiry == after else row._replace(inquiry=after)), None
    number = 1 if row is None else row.revision + 1
    revision = Revision(
        after.inquiry_id,
        number,
        after.status,
        after.decision,
        after.decided_at,
        after.status_since,
        cause.event.event_id,
        cause.placement,
    )
    return Row(after, number, cause.placement), revision
