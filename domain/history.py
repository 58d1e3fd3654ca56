"""The two times of an inquiry: what held at one moment (valid time), by what was known at another (append time).

Both only choose records: the answer is the same fold, over fewer of them. Source of the rules: design, section 7.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from domain.aggregate import Changes, fold_batch
from domain.event import Sighting
from domain.inquiry import Rules
from domain.revision import Row


def known_by(records: Iterable[Sighting], known_at: datetime | None) -> list[Sighting]:
    """Those of an inquiry's records (losers of conflicts included) that were in the log by `known_at`; None: all."""
    return [record for record in records if known_at is None or record.placement.appended_at <= known_at]


def occurred_by(records: Iterable[Sighting], as_of: datetime | None) -> list[Sighting]:
    """Those records that say what happened by `as_of`; None: all."""
    return [record for record in records if as_of is None or record.event.occurred_at <= as_of]


def cleared_reference(rank: int) -> str:
    """What stands for a reference id that a redaction took from an inquiry's records: the fold must still know which
    of them had the same, and which the smaller one (`rank` counts from 1). No text of a record can be like it."""
    return f"{_CLEARED}{rank:09}"


#: No text of an event holds NUL (`domain.event.is_text`).
_CLEARED = "\0"


def fold_records(inquiry_id: str, records: Sequence[Sighting], rules: Rules) -> Row | None:
    """The row that a ledger has after reading just these records in the order of the log; None where there are none.
    A reference id that a redaction took from them is null, also in the fold of those before the redaction."""
    changes = Changes()
    fold_batch({}, {inquiry_id: log_order(records)}, rules, changes)
    return _clear(changes.new_rows[0]) if changes.new_rows else None


def _clear(row: Row) -> Row:
    if not (row.inquiry.reference_id or "").startswith(_CLEARED):
        return row
    return row._replace(inquiry=row.inquiry._replace(reference_id=None))


def log_order(records: Iterable[Sighting]) -> list[Sighting]:
    """By offset. An inquiry in two partitions has no one order: its records are taken by append time."""
    ordered = sorted(records, key=lambda record: record.placement[1:3])
    if len({record.placement.partition for record in ordered}) > 1:
        ordered.sort(key=lambda record: record.placement.appended_at)
    return ordered
