"""`domain.reading` in memory: what readers are answered from a `MemoryLedger`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from adapters.memory.ledger import MemoryLedger, ViewRow
from domain.books import Position
from domain.event import Sighting
from domain.history import cleared_reference
from domain.reading import OPEN_DECISIONS, ChangePage, Offsets, Wanted


class MemoryQuery:
    """`domain.reading.DecisionReader` and `ChangeReader`, over a ledger that others write to meanwhile."""

    def __init__(self, ledger: MemoryLedger) -> None:
        self._ledger = ledger

    async def decision(self, inquiry_id: str) -> ViewRow | None:
        """The row of `current_decision`; None where the inquiry is unknown."""
        rows = self._of("current_decision", inquiry_id)
        return rows[0] if rows else None

    async def decisions(self, inquiry_ids: Collection[str]) -> Sequence[ViewRow]:
        """Rows of `current_decision`, of those inquiries that are known, by inquiry id."""
        return [row for row in self._ledger.view("current_decision") if row["inquiry_id"] in inquiry_ids]

    async def find(self, wanted: Wanted, after: str | None, limit: int) -> Sequence[ViewRow]:
        """Rows of `current_decision` with an id greater than `after`, by inquiry id."""
        rows = self._wanted(wanted)
        return [row for row in rows if after is None or row["inquiry_id"] > after][:limit]

    async def find_longest(self, wanted: Wanted, limit: int) -> Sequence[ViewRow]:
        """The first `limit` of them, those first that have been in their status the longest."""
        rows = self._wanted(wanted)
        return sorted(rows, key=lambda row: (row["status_since"] or row["last_event_at"], row["inquiry_id"]))[:limit]

    async def history(self, inquiry_id: str) -> Sequence[ViewRow]:
        """Rows of `inquiry_history`, in canonical order."""
        return self._of("inquiry_history", inquiry_id)

    async def revisions(self, inquiry_id: str) -> Sequence[ViewRow]:
        """Rows of `decision_revision`, by revision."""
        return self._of("decision_revision", inquiry_id)

    async def records(self, inquiry_id: str) -> Sequence[Sighting]:
        """Every record of its folded events, losers of conflicts included, in the order of the log."""
        repeated = self._ledger.sightings.get(inquiry_id, {})
        seen_again = {sighting.event.event_id for sighting in repeated.values()}
        entries = self._ledger.entries.get(inquiry_id, {})
        once = [Sighting(entry.event, entry.placement) for key, entry in entries.items() if key not in seen_again]
        return self._as_read(inquiry_id, [*repeated.values(), *once])

    def _as_read(self, inquiry_id: str, records: Iterable[Sighting]) -> list[Sighting]:
        ordered = sorted(records, key=lambda record: record.placement[:3])
        row = self._ledger.rows.get(inquiry_id)
        if row is None or row.inquiry.redacted_at is None:
            return ordered
        told = sorted({reference for record in ordered if (reference := record.event.reference_id) is not None})
        marks = {reference: cleared_reference(rank) for rank, reference in enumerate(told, 1)}
        return [_with_reference(record, marks.get(record.event.reference_id or "")) for record in ordered]

    async def changes(self, offsets: Offsets, limit: int) -> ChangePage:
        """The next revisions, at most `limit`: the first ones of all partitions before the second ones."""
        unread = {p.partition: self._unread(p, offsets) for p in self._ledger.stored.values()}
        ranked = [(rank, row["known_at"], p, row) for p, rows in unread.items() for rank, row in enumerate(rows)]
        chosen = [entry[3] for entry in sorted(ranked, key=lambda entry: entry[:3])[:limit]]
        chosen.sort(key=lambda row: (row["partition"], row["offset"]))
        taken, following = Counter(row["partition"] for row in chosen), dict(offsets)
        for partition, rows in unread.items():
            if taken[partition] == len(rows):
                end = self._ledger.stored[partition].next_offset
                following[partition] = max(end, offsets.get(partition, end))
            elif taken[partition]:
                following[partition] = rows[taken[partition] - 1]["offset"] + 1
        return ChangePage(chosen, following)

    def _unread(self, position: Position, offsets: Offsets) -> list[ViewRow]:
        start = offsets.get(position.partition, position.first_offset)
        rows = [row for row in self._ledger.view("decision_revision") if row["partition"] == position.partition]
        unread = (row for row in rows if start <= row["offset"] < position.next_offset)
        return sorted(unread, key=lambda row: row["offset"])

    async def positions(self) -> Sequence[Position]:
        """How far each partition is projected, by partition."""
        return [position for _, position in sorted(self._ledger.stored.items())]

    async def books(self) -> Sequence[ViewRow]:
        """Rows of `books`."""
        return self._ledger.view("books")

    async def quarantine(self, reason: str | None = None, limit: int = 100) -> Sequence[ViewRow]:
        """Rows of `quarantine`, in the order of the log."""
        return [row for row in self._ledger.view("quarantine") if reason in (None, row["reason"])][:limit]

    async def counts(self) -> Sequence[ViewRow]:
        """How many inquiries there are: `status`, `decision`, `inquiries`."""
        counted = Counter((row["status"], row["decision"]) for row in self._ledger.view("current_decision"))
        ordered = sorted(counted.items(), key=lambda item: (item[0][0] is None, item[0]))
        return [{"status": status, "decision": decision, "inquiries": n} for (status, decision), n in ordered]

    async def refused(self, limit: int = 100) -> Sequence[ViewRow]:
        """Rows of `inquiry_history` that the lifecycle refused, of the inquiries that moved last, the newest first."""
        having = [row for row in self._ledger.view("current_decision") if row["refused_events"]]
        moved_last = sorted(having, key=lambda row: row["last_event_at"], reverse=True)[:limit]
        ids = {row["inquiry_id"] for row in moved_last}
        rows = [row for row in self._ledger.view("inquiry_history") if row["verdict"] == "refused"]
        newest = sorted(rows, key=lambda row: row["occurred_at"], reverse=True)
        return [row for row in newest if row["inquiry_id"] in ids][:limit]

    def _of(self, view: str, inquiry_id: str) -> list[ViewRow]:
        return [row for row in self._ledger.view(view) if row["inquiry_id"] == inquiry_id]

    def _wanted(self, wanted: Wanted) -> list[ViewRow]:
        return [row for row in self._ledger.view("current_decision") if _is_wanted(row, wanted)]


def _with_reference(record: Sighting, reference_id: str | None) -> Sighting:
    return record._replace(event=record.event._replace(reference_id=reference_id))


def _is_wanted(row: ViewRow, wanted: Wanted) -> bool:
    said = {name: value for name, value in wanted._asdict().items() if value is not None}
    since = said.pop("unmoved_since", None)
    if any(row[name] != value for name, value in said.items()):
        return False
    return since is None or (_is_open(row) and row["status_since"] is not None and row["status_since"] <= since)


def _is_open(row: ViewRow) -> bool:
    return row["decision"] in OPEN_DECISIONS
