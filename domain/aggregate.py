"""One inquiry while a batch is read: each record changes the set of its events, and so the fold.

`Aggregate` is the working value of `fold_batch`, which is the pure heart of the projector: what the ledger holds and
what a batch brings go in, what has to be written comes out. It is never shared and never outlives its batch.

A record is one of four things (design, section 2): new and newest (O(1)), new and late (refold), a duplicate
(merged in), or a conflict (the smaller content counts, the losers go to quarantine).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from domain.books import Count, Quarantined, Tallies
from domain.errors import QuarantineReason
from domain.event import Event, Placement, Sighting, content, merge, order_key
from domain.inquiry import Inquiry, Rules, evolve, is_newest, refold
from domain.lifecycle import Step
from domain.revision import Revision, Row, revise

#: Says what happened, and nothing of what the two records held.
CONFLICT_DETAIL = "same event id with another name or time; the smaller (time, name) counts"


class Entry(NamedTuple):
    """One event in an inquiry's history: merged over its copies, its first record, and what the fold says of it."""

    event: Event
    placement: Placement
    step: Step


class Stored(NamedTuple):
    """What the ledger holds of one inquiry: the whole history where `complete`, else the entries asked for."""

    row: Row | None = None
    entries: tuple[Entry, ...] = ()
    sightings: tuple[Sighting, ...] = ()
    complete: bool = False


@dataclass(slots=True)
class Changes:
    """What one batch changes in the ledger. Lists of values, in no order that matters."""

    new_rows: list[Row] = field(default_factory=list)
    changed_rows: list[tuple[Row, int]] = field(default_factory=list)  #: with the revision they had before
    new_entries: list[Entry] = field(default_factory=list)
    changed_entries: list[Entry] = field(default_factory=list)
    revisions: list[Revision] = field(default_factory=list)
    sightings: list[Sighting] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    tallies: Tallies = field(default_factory=lambda: defaultdict(Counter))


_NOTHING = Stored(complete=True)


class NeedsHistory(Exception):
    """The fold of this inquiry needs its whole history."""


def fold_batch(
    stored: Mapping[str, Stored], batch: Mapping[str, Sequence[Sighting]], rules: Rules, changes: Changes
) -> list[str]:
    """Fold what a batch brings (inquiry id → its records in the order of the log) over what the ledger holds.

    Adds to `changes`, and returns the ids of those inquiries that could not be folded without their whole history:
    load it, and fold those again.
    """
    unfolded = []
    for inquiry_id, sightings in batch.items():
        aggregate = Aggregate(inquiry_id, stored.get(inquiry_id, _NOTHING), rules)
        try:
            for sighting in sightings:
                aggregate.read(sighting)
        except NeedsHistory:
            unfolded.append(inquiry_id)
        else:
            aggregate.settle(changes)
    return unfolded


class Aggregate:
    """The events of one inquiry, and their fold, record by record."""

    __slots__ = ("_complete", "_entries", "_fold", "_known", "_loaded", "_new", "_quarantined", "_revisions", "_row",
                 "_rules", "_stored", "_tallies")  # fmt: skip

    def __init__(self, inquiry_id: str, stored: Stored, rules: Rules) -> None:
        self._rules = rules
        self._stored = stored
        self._complete = stored.complete or stored.row is None
        self._loaded = {entry.event.event_id: entry for entry in stored.entries}
        self._entries = dict(self._loaded)
        self._known = {sighting.placement: sighting for sighting in stored.sightings}
        self._row = stored.row
        self._fold = stored.row.inquiry if stored.row else Inquiry(inquiry_id)
        self._new: dict[Placement, Sighting] = {}
        self._quarantined: list[Quarantined] = []
        self._revisions: list[Revision] = []
        self._tallies: list[tuple[int, Count, int]] = []

    def read(self, sighting: Sighting) -> None:
        """Take the next record of the log. NeedsHistory where the whole history is needed and not there."""
        entry = self._entries.get(sighting.event.event_id)
        if entry is None:
            self._add(sighting)
        elif content(entry.event) == content(sighting.event):
            self._merge(entry, sighting)
        else:
            self._contest(entry, sighting)

    def _add(self, sighting: Sighting) -> None:
        event = sighting.event
        if is_newest(self._fold, event, self._rules):
            self._fold, step = evolve(self._fold, event, self._rules)
            self._entries[event.event_id] = Entry(event, sighting.placement, step)
            self._revise(sighting)
        else:
            self._replace(sighting, event, sighting.placement)

    def _merge(self, entry: Entry, sighting: Sighting) -> None:
        """A duplicate: it adds no event, but it may know what the first did not."""
        self._remember(entry, sighting)
        self._tallies.append((sighting.placement.partition, Count.DUPLICATE, 1))
        merged = merge(entry.event, sighting.event)
        if merged is not entry.event:
            self._replace(sighting, merged, entry.placement)

    def _contest(self, entry: Entry, sighting: Sighting) -> None:
        """Same identity, other content: the smaller counts, whichever came first."""
        if content(entry.event) < content(sighting.event):
            self._remember(entry, sighting)
            self._quarantine(sighting.placement)
            return
        self._need_history()
        for placement in self._copies(entry):
            self._quarantine(placement)
            if placement != entry.placement:
                self._tallies.append((placement.partition, Count.DUPLICATE, -1))
        self._remember(entry, sighting)
        self._replace(sighting, sighting.event, sighting.placement)

    def _copies(self, entry: Entry) -> list[Placement]:
        """Where the records lie that say what `entry` says, its own among them."""
        same = {
            sighting.placement
            for sighting in (*self._known.values(), *self._new.values())
            if sighting.event.event_id == entry.event.event_id and content(sighting.event) == content(entry.event)
        }
        return sorted(same | {entry.placement})

    def _remember(self, entry: Entry, sighting: Sighting) -> None:
        """Keep each record of an event seen more than once, the first with what it said before it was merged."""
        if entry.placement not in self._known:
            self._new.setdefault(entry.placement, Sighting(entry.event, entry.placement))
        self._new[sighting.placement] = sighting

    def _quarantine(self, placement: Placement) -> None:
        self._quarantined.append(Quarantined(placement, QuarantineReason.CONFLICTING_DUPLICATE, CONFLICT_DETAIL))
        self._tallies.append((placement.partition, Count.QUARANTINED, 1))

    def _replace(self, cause: Sighting, event: Event, placement: Placement) -> None:
        """Put one event into the history, new or in the place of what it said before, and fold all of them again."""
        self._need_history()
        entries = {**self._entries, event.event_id: Entry(event, placement, _UNJUDGED)}
        ordered = sorted(entries.values(), key=lambda entry: order_key(entry.event))
        self._fold, steps = refold(self._fold.inquiry_id, [entry.event for entry in ordered], self._rules)
        for entry, step in zip(ordered, steps, strict=True):
            entries[entry.event.event_id] = entry if entry.step == step else entry._replace(step=step)
        self._entries = entries
        self._revise(cause)

    def _need_history(self) -> None:
        if not self._complete:
            raise NeedsHistory

    def _revise(self, cause: Sighting) -> None:
        self._row, revision = revise(self._row, self._fold, cause)
        if revision is not None:
            self._revisions.append(revision)

    def settle(self, changes: Changes) -> None:
        """Add to `changes` what differs from what was stored."""
        self._settle_row(changes)
        for event_id, entry in self._entries.items():
            before = self._loaded.get(event_id)
            if before is not entry:
                _settle_entry(changes, before, entry)
        changes.revisions += self._revisions
        changes.sightings += self._new.values()
        changes.quarantined += self._quarantined
        for partition, count, change in self._tallies:
            changes.tallies[partition][count] += change

    def _settle_row(self, changes: Changes) -> None:
        before, after = self._stored.row, self._row
        if after is None or after == before:
            return
        if before is None:
            changes.new_rows.append(after)
        else:
            changes.changed_rows.append((after, before.revision))


def _settle_entry(changes: Changes, before: Entry | None, after: Entry) -> None:
    if before is None:
        changes.new_entries.append(after)
    else:
        changes.changed_entries.append(after)
        changes.tallies[before.placement.partition][before.step.verdict] -= 1
    changes.tallies[after.placement.partition][after.step.verdict] += 1


def group_by_inquiry(sightings: Iterable[Sighting]) -> dict[str, list[Sighting]]:
    """The records of a batch by inquiry, each in the order given."""
    groups: dict[str, list[Sighting]] = {}
    for sighting in sightings:
        groups.setdefault(sighting.event.inquiry_id, []).append(sighting)
    return groups


def identities(batch: Mapping[str, Sequence[Sighting]], known: Collection[str]) -> list[tuple[str, str]]:
    """The (inquiry id, event id) pairs to look for: those of inquiries the ledger already has."""
    return [(key, sighting.event.event_id) for key in batch if key in known for sighting in batch[key]]


_UNJUDGED = Step(None, None, None, None, None)  # type: ignore[arg-type]  # never leaves `_replace`
