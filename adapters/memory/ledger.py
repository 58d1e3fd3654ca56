"""`domain.ports.Ledger` in memory, and its views."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from domain.aggregate import Changes, Entry, Stored
from domain.books import Count, Position, Quarantined
from domain.errors import Contended, Fenced, RulesError
from domain.event import Placement, Sighting, order_key
from domain.revision import Revision, Row

ViewRow = dict[str, Any]


class MemoryLedger:
    """`domain.ports.Ledger`, for one topic."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.versions: tuple[str, str] | None = None
        self.stored: dict[int, Position] = {}
        self.tallies: dict[int, Counter[str]] = {}
        self.rows: dict[str, Row] = {}
        self.entries: dict[str, dict[str, Entry]] = {}
        self.sightings: dict[str, dict[Placement, Sighting]] = {}
        self.revisions: list[Revision] = []
        self.quarantined: list[Quarantined] = []

    def agree(self, versions: tuple[str, str]) -> None:
        """Write down the versions in an empty ledger; RulesError where others stand."""
        if self.versions not in (None, versions) and self.rows:
            raise RulesError(f"the ledger's rows were made under {self.versions}")
        self.versions = versions

    def positions(self) -> Mapping[int, Position]:
        """The stored position of each partition."""
        return dict(self.stored)

    def open(self, positions: Sequence[Position]) -> None:
        """Store positions of partitions never read before."""
        for position in positions:
            self.stored.setdefault(position.partition, position)

    @contextmanager
    def begin(self, moves: Mapping[int, tuple[int, int]]) -> Iterator[MemoryTransaction]:
        """One transaction that moves each partition from the expected offset to the next."""
        if self.versions is None:
            raise Fenced("the ledger was emptied meanwhile")
        for partition, (expected, _) in moves.items():
            if partition not in self.stored or self.stored[partition].next_offset != expected:
                raise Fenced(f"partition {partition}")
        transaction = MemoryTransaction(self)
        yield transaction
        transaction.commit(moves)

    def reset(self) -> None:
        """Empty the ledger, rules and positions included."""
        self.__init__(self.topic)  # type: ignore[misc]

    def view(self, name: str) -> list[ViewRow]:
        """All rows of a view of design section 6, ordered by its key."""
        return _VIEWS[name](self)


class MemoryTransaction:
    """`domain.ports.LedgerTransaction`: what is stored is applied when the block ends."""

    def __init__(self, ledger: MemoryLedger) -> None:
        self._ledger = ledger
        self._changes = Changes()

    def load(self, inquiry_ids: Collection[str]) -> Mapping[str, Row]:
        """The rows of these inquiries that exist."""
        return {key: self._ledger.rows[key] for key in inquiry_ids if key in self._ledger.rows}

    def find(self, identities: Collection[tuple[str, str]]) -> Mapping[str, Sequence[Entry]]:
        """Inquiry id → those entries whose identity was asked for."""
        found: dict[str, list[Entry]] = {}
        for inquiry_id, event_id in set(identities):
            entry = self._ledger.entries.get(inquiry_id, {}).get(event_id)
            if entry is not None:
                found.setdefault(inquiry_id, []).append(entry)
        return found

    def history(self, inquiry_ids: Collection[str]) -> Mapping[str, Stored]:
        """All entries and sightings of these inquiries."""
        return {
            key: Stored(
                None,
                tuple(self._ledger.entries.get(key, {}).values()),
                tuple(self._ledger.sightings.get(key, {}).values()),
                complete=True,
            )
            for key in inquiry_ids
        }

    def store(self, changes: Changes) -> None:
        """Keep what a batch changed until the block ends."""
        self._changes = changes

    def commit(self, moves: Mapping[int, tuple[int, int]]) -> None:
        """Apply it all."""
        ledger, changes = self._ledger, self._changes
        for row, before in changes.changed_rows:
            if ledger.rows[row.inquiry.inquiry_id].revision != before:
                raise Contended("another writer changed an inquiry of this batch")
        for row in (*changes.new_rows, *(row for row, _ in changes.changed_rows)):
            ledger.rows[row.inquiry.inquiry_id] = row
        for entry in (*changes.new_entries, *changes.changed_entries):
            ledger.entries.setdefault(entry.event.inquiry_id, {})[entry.event.event_id] = entry
        for sighting in changes.sightings:
            ledger.sightings.setdefault(sighting.event.inquiry_id, {}).setdefault(sighting.placement, sighting)
        ledger.revisions += changes.revisions
        ledger.quarantined += changes.quarantined
        for partition, tally in changes.tallies.items():
            ledger.tallies.setdefault(partition, Counter()).update(tally)
        for partition, (_, following) in moves.items():
            ledger.stored[partition] = ledger.stored[partition]._replace(next_offset=following)


def _current_decision(ledger: MemoryLedger) -> list[ViewRow]:
    assert ledger.versions is not None or not ledger.rows
    lifecycle, policy = ledger.versions or ("", "")
    rules = {"lifecycle_version": lifecycle, "policy_version": policy}
    rows = []
    for _, row in sorted(ledger.rows.items()):
        inquiry = row.inquiry._asdict()
        del inquiry["last_rank"]
        rows.append({**inquiry, "revision": row.revision, **rules, **row.placement._asdict()})
    return rows


def _inquiry_history(ledger: MemoryLedger) -> list[ViewRow]:
    rows = []
    for inquiry_id, entries in sorted(ledger.entries.items()):
        ordered = sorted(entries.values(), key=lambda entry: order_key(entry.event))
        rows += [_history_row(inquiry_id, position, entry) for position, entry in enumerate(ordered, 1)]
    return rows


def _history_row(inquiry_id: str, position: int, entry: Entry) -> ViewRow:
    return {
        "inquiry_id": inquiry_id,
        "position": position,
        "event_id": entry.event.event_id,
        "event_name": entry.event.name,
        "occurred_at": entry.event.occurred_at,
        **entry.step._asdict(),
        "payload_status": entry.event.payload_status,
        **entry.placement._asdict(),
    }


def _decision_revision(ledger: MemoryLedger) -> list[ViewRow]:
    rows = []
    for revision in sorted(ledger.revisions, key=lambda revision: revision[:2]):
        row = revision._asdict()
        placement = row.pop("placement")._asdict()
        placement["known_at"] = placement.pop("appended_at")
        rows.append({**row, **placement})
    return rows


def _quarantine(ledger: MemoryLedger) -> list[ViewRow]:
    ordered = sorted(ledger.quarantined)
    return [{**q.placement._asdict(), "reason": q.reason.value, "detail": q.detail} for q in ordered]


def _books(ledger: MemoryLedger) -> list[ViewRow]:
    return [_books_row(ledger, position) for _, position in sorted(ledger.stored.items())]


def _books_row(ledger: MemoryLedger, position: Position) -> ViewRow:
    tally = ledger.tallies.get(position.partition, Counter())
    counts = {count.value: tally[count] for count in Count}
    moved = position.next_offset - position.first_offset
    return {
        "topic": ledger.topic,
        "partition": position.partition,
        "first_offset": position.first_offset,
        "next_offset": position.next_offset,
        **counts,
        "balanced": moved == sum(counts.values()),
    }


_VIEWS: Mapping[str, Callable[[MemoryLedger], list[ViewRow]]] = {
    "current_decision": _current_decision,
    "inquiry_history": _inquiry_history,
    "decision_revision": _decision_revision,
    "quarantine": _quarantine,
    "books": _books,
}
