"""The least that can hold what `fold_batch` says: enough to state the laws of the fold without any adapter."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from domain.aggregate import Changes, Entry, Stored, fold_batch, group_by_inquiry, identities
from domain.event import Placement, Sighting, order_key
from domain.inquiry import Rules
from domain.revision import Revision, Row
from tests.model import (
    Judgement,
    Saying,
    expect_counts,
    expect_history,
    expect_inquiry,
    expect_quarantine,
    expect_revisions,
)

Contents = dict[str, Any]


class SmallLedger:
    """What batches left behind. `whole`: hand over each inquiry's whole history, asked for or not."""

    def __init__(self, rules: Rules, *, whole: bool = False) -> None:
        self._rules = rules
        self._whole = whole
        self.rows: dict[str, Row] = {}
        self.entries: defaultdict[str, dict[str, Entry]] = defaultdict(dict)
        self.sightings: defaultdict[str, dict[Placement, Sighting]] = defaultdict(dict)
        self.revisions: list[Revision] = []
        self.quarantined: list[tuple[Placement, str]] = []
        self.tallies: defaultdict[int, Counter[str]] = defaultdict(Counter)

    def take(self, batch: Sequence[Sighting]) -> list[str]:
        """Fold a batch and keep what it changed. Returns the inquiries whose history had to be loaded for it."""
        changes, unfolded = self.fold(batch)
        self._keep(changes)
        return unfolded

    def fold(self, batch: Sequence[Sighting]) -> tuple[Changes, list[str]]:
        """What a batch changes, not kept, and the inquiries whose history had to be loaded for it."""
        groups, changes = group_by_inquiry(batch), Changes()
        unfolded = fold_batch(self._stored(groups), groups, self._rules, changes)
        rest = {key: groups[key] for key in unfolded}
        assert fold_batch({key: self._history(key) for key in rest}, rest, self._rules, changes) == []
        return changes, unfolded

    def _stored(self, groups: Mapping[str, Sequence[Sighting]]) -> dict[str, Stored]:
        if self._whole:
            return {key: self._history(key) for key in groups if key in self.rows}
        stored = {key: Stored(self.rows[key]) for key in groups if key in self.rows}
        for key, event_id in set(identities(groups, self.rows.keys())):
            if event_id in self.entries[key]:
                found = (*stored[key].entries, self.entries[key][event_id])
                stored[key] = stored[key]._replace(entries=found)
        return stored

    def _history(self, key: str) -> Stored:
        entries, sightings = self.entries[key].values(), self.sightings[key].values()
        return Stored(self.rows[key], tuple(entries), tuple(sightings), complete=True)

    def _keep(self, changes: Changes) -> None:
        self._keep_rows(changes)
        for entry in changes.new_entries:
            assert entry.event.event_id not in self.entries[entry.event.inquiry_id], "new, but there already"
        for entry in (*changes.new_entries, *changes.changed_entries):
            self.entries[entry.event.inquiry_id][entry.event.event_id] = entry
        for sighting in changes.sightings:  # the first word about a record stays
            self.sightings[sighting.event.inquiry_id].setdefault(sighting.placement, sighting)
        self.revisions += changes.revisions
        self.quarantined += [(lost.placement, lost.reason.value) for lost in changes.quarantined]
        for partition, tally in changes.tallies.items():
            self.tallies[partition].update(tally)

    def _keep_rows(self, changes: Changes) -> None:
        for row in changes.new_rows:
            assert row.inquiry.inquiry_id not in self.rows, "new, but there already"
        for row, before in changes.changed_rows:
            assert self.rows[row.inquiry.inquiry_id].revision == before, "compare and set by the revision"
        for row in (*changes.new_rows, *(row for row, _ in changes.changed_rows)):
            self.rows[row.inquiry.inquiry_id] = row

    def contents(self) -> Contents:
        """All of it, in an order that does not tell how it came in."""
        return {
            "inquiries": {key: _columns(row) for key, row in self.rows.items()},
            "history": {key: _history(self.entries[key]) for key in self.rows},
            "counts": _tidy(self.tallies),
            "quarantine": sorted(self.quarantined),
            "revisions": [revision._asdict() for revision in sorted(self.revisions, key=lambda r: r[:2])],
            "rows": {key: (row.revision, row.placement) for key, row in self.rows.items()},
            "copies": {key: dict(copies) for key, copies in self.sightings.items() if copies},
        }


def _columns(row: Row) -> dict[str, Any]:
    return {name: value for name, value in row.inquiry._asdict().items() if name != "last_rank"}


def _history(entries: Mapping[str, Entry]) -> list[tuple[Any, ...]]:
    ordered = sorted(entries.values(), key=lambda entry: order_key(entry.event))
    return [(entry.event, entry.placement, Judgement(*entry.step)) for entry in ordered]


def _tidy(tallies: Mapping[int, Mapping[str, int]]) -> dict[int, dict[str, int]]:
    kept = {number: {str(key): n for key, n in tally.items() if n} for number, tally in tallies.items()}
    return {number: tally for number, tally in kept.items() if tally}


def expect_contents(log: Sequence[Sighting], saying: Saying) -> Contents:
    """What `SmallLedger.contents` must be after this log, by the naive model."""
    groups = group_by_inquiry(log)
    counts: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for records in groups.values():
        counts[records[0].placement.partition].update(expect_counts(records))
    revisions = {key: expect_revisions(records, saying) for key, records in groups.items()}
    lost = sorted(place for records in groups.values() for place in expect_quarantine(records))
    return {
        "inquiries": {key: expect_inquiry(records, saying) for key, records in groups.items()},
        "history": {key: expect_history(records) for key, records in groups.items()},
        "counts": _tidy(counts),
        "quarantine": [(place, "conflicting_duplicate") for place in lost],
        "revisions": [revision for key in sorted(groups) for revision in revisions[key]],
        "rows": {key: (made[-1]["revision"], made[-1]["placement"]) for key, made in revisions.items()},
        "copies": {key: copies for key, records in groups.items() if (copies := _expect_copies(records))},
    }


def _expect_copies(records: Sequence[Sighting]) -> dict[Placement, Sighting]:
    """Every record of an event seen more than once, as it was read."""
    seen = Counter(record.event.event_id for record in records)
    return {record.placement: record for record in records if seen[record.event.event_id] > 1}


def order_free(contents: Contents) -> Contents:
    """The part that the set of records alone decides: all but places in the log and the way there."""
    return {
        "inquiries": contents["inquiries"],
        "history": {key: [(e, j) for e, _, j in rows] for key, rows in contents["history"].items()},
        "counts": contents["counts"],
        "quarantine": Counter(reason for _, reason in contents["quarantine"]),
    }


def fold_log(log: Sequence[Sighting], rules: Rules, *, sizes: Sequence[int] = (), whole: bool = False) -> SmallLedger:
    """A ledger that read this log in batches of these sizes, and the rest in one."""
    ledger = SmallLedger(rules, whole=whole)
    start = 0
    for size in (*sizes, len(log)):
        if batch := log[start : start + size]:
            ledger.take(batch)
        start += size
    return ledger
