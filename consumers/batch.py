"""One batch: records of the log → what they say → one transaction in the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from domain.aggregate import Changes, Stored, fold_batch, group_by_inquiry, identities
from domain.books import Count, Quarantined, Tallies
from domain.errors import Undecodable
from domain.event import Sighting
from domain.inquiry import Rules
from domain.ports import Decode, Ledger, LedgerTransaction, Slice


@dataclass(slots=True)
class Batch:
    """What some slices of the log say. `moves`: partition → (expected offset, next offset)."""

    moves: dict[int, tuple[int, int]] = field(default_factory=dict)
    sightings: list[Sighting] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    tallies: Tallies = field(default_factory=dict)
    newest: dict[int, datetime] = field(default_factory=dict)  #: partition → append time of its last record

    @property
    def records(self) -> int:
        """How many offsets the batch moves over."""
        return sum(following - expected for expected, following in self.moves.values())


def read_slices(slices: Mapping[int, Slice], expected: Mapping[int, int], decode: Decode) -> Batch:
    """Decode every record. A record that cannot be read becomes a quarantine row; nothing is passed over."""
    batch = Batch()
    for partition, piece in slices.items():
        _read_slice(batch, partition, piece, expected[partition], decode)
    return batch


def _read_slice(batch: Batch, partition: int, piece: Slice, expected: int, decode: Decode) -> None:
    quarantined, ignored = len(batch.quarantined), 0
    for record in piece.records:
        try:
            sighting = decode(record)
        except Undecodable as error:
            batch.quarantined.append(Quarantined(record.placement, error.reason, error.detail))
            continue
        if sighting is None:
            ignored += 1
        else:
            batch.sightings.append(sighting)
    gaps = piece.next_offset - expected - len(piece.records)
    batch.moves[partition] = (expected, piece.next_offset)
    batch.tallies[partition] = Counter(
        {Count.QUARANTINED: len(batch.quarantined) - quarantined, Count.IGNORED: ignored, Count.GAPS: gaps}
    )
    if piece.records:
        batch.newest[partition] = piece.records[-1].placement.appended_at


def write_batch(ledger: Ledger, batch: Batch, rules: Rules) -> Changes:
    """Fold the batch over what the ledger holds, and store what changed, in one transaction."""
    changes = Changes(quarantined=list(batch.quarantined))
    for partition, tally in batch.tallies.items():
        changes.tallies[partition].update(tally)
    groups = group_by_inquiry(batch.sightings)
    with ledger.begin(batch.moves) as transaction:
        _fold(transaction, groups, rules, changes)
        transaction.store(changes)
    return changes


def _fold(
    transaction: LedgerTransaction, groups: Mapping[str, Sequence[Sighting]], rules: Rules, changes: Changes
) -> None:
    """Fold with the rows and the entries asked for; those that need their whole history once more, with it."""
    rows = transaction.load(groups.keys()) if groups else {}
    found = transaction.find(identities(groups, rows.keys()))
    stored = {key: Stored(row, tuple(found.get(key, ()))) for key, row in rows.items()}
    unfolded = fold_batch(stored, groups, rules, changes)
    if unfolded:
        histories = transaction.history(unfolded)
        whole = {key: histories[key]._replace(row=rows[key]) for key in unfolded}
        fold_batch(whole, {key: groups[key] for key in unfolded}, rules, changes)
