"""One partition of the log, read for an audit: what its records say, what is wrong with them, what is missing. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from consumers.proof.inquiry import Examine
from consumers.proof.record import Examined
from consumers.proof.rows import Finding, name_place, place_of
from domain.books import Count, Position, Quarantined
from domain.errors import Undecodable
from domain.event import Record, Sighting
from domain.inquiry import Rules
from domain.ports import Decode
from domain.proof import Damage, Lost, Scan

Reached = Callable[[int], None]

_TOLD = {
    Lost.GONE: "the log begins behind them: they were removed",
    Lost.DAMAGED: "the batch fails its CRC, or is no batch",
}


class Auditor(NamedTuple):
    """What an audit of a whole log is made with."""

    topic: str
    scan: Scan
    decode: Decode
    examine: Examine
    rules: Rules


@dataclass(slots=True)
class Outcome:
    """What came of an audit, or of a part of one."""

    findings: list[Finding] = field(default_factory=list)
    records: int = 0
    inquiries: int = 0
    not_compared: int = 0  #: inquiries of which the log does not tell every record
    signatures: Counter[str] = field(default_factory=Counter)

    def saw(self, examined: Examined) -> None:
        """Count one record."""
        self.records += 1
        self.signatures[examined.signature.value] += 1

    def add(self, other: Outcome) -> None:
        """Take in another part."""
        self.findings += other.findings
        self.records += other.records
        self.inquiries += other.inquiries
        self.not_compared += other.not_compared
        self.signatures += other.signatures


@dataclass(slots=True)
class PartitionLog:
    """What the records of one partition say. `holes`: offsets without a record (first, following), in order; those of
    `unproven` hold records of inquiries that could not be compared."""

    topic: str
    position: Position
    groups: dict[str, list[Sighting]] = field(default_factory=dict)
    quarantined: list[Quarantined] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    damage: list[Damage] = field(default_factory=list)
    holes: list[tuple[int, int]] = field(default_factory=list)
    unproven: set[int] = field(default_factory=set)

    def is_missing(self, offset: int) -> bool:
        """Whether the log does not answer with a record at this offset."""
        at = bisect_right(self.holes, offset, key=lambda hole: hole[0])
        return at > 0 and offset < self.holes[at - 1][1]

    def is_damaged(self, offset: int) -> bool:
        """Whether that is damage, which is told by itself."""
        return any(lost.first <= offset < lost.following for lost in self.damage)

    def take(self, record: Record, decode: Decode) -> None:
        """Keep what the fold takes of a record, and count what it does not."""
        try:
            sighting = decode(record)
        except Undecodable as error:
            self.quarantined.append(Quarantined(record.placement, error.reason, error.detail))
            self.counts[Count.QUARANTINED] += 1
            return
        if sighting is None:
            self.counts[Count.IGNORED] += 1
        else:
            self.groups.setdefault(sighting.event.inquiry_id, []).append(sighting)

    def skip(self, first: int, following: int) -> None:
        """Between `first` and before `following` there is no record."""
        if first < following:
            self.holes.append((first, following))
            self.counts[Count.GAPS] += following - first

    def note(self, damage: Iterable[Damage]) -> None:
        """Damage in the order of the log; what adjoins is one."""
        for lost in damage:
            before = self.damage[-1] if self.damage else None
            if before is not None and (before.lost, before.following) == (lost.lost, lost.first):
                self.damage[-1] = before._replace(following=lost.following)
            else:
                self.damage.append(lost)

    def tell_damage(self) -> list[Finding]:
        """A finding for each piece of it."""
        return [
            Finding(
                name_place(self.topic, self.position.partition, lost.first),
                "log",
                f"{lost.lost}: offsets {lost.first} to {lost.following - 1} cannot be read: {_TOLD[lost.lost]}",
            )
            for lost in self.damage
        ]


def read_partition(position: Position, auditor: Auditor, outcome: Outcome, reached: Reached) -> PartitionLog:
    """Read a partition up to the ledger's position, and check each record. `reached`: told how many offsets more."""
    log, at = PartitionLog(auditor.topic, position), position.first_offset
    for piece in auditor.scan(position.partition, at, position.next_offset):
        began = at
        log.note(piece.damage)
        for record in piece.records:
            log.skip(at, record.placement.offset)
            at = record.placement.offset + 1
            log.take(record, auditor.decode)
            examined = auditor.examine(record)
            outcome.saw(examined)
            if examined.problems:
                place = place_of(record.placement)
                outcome.findings += [Finding(place, problem.check, problem.text) for problem in examined.problems]
        log.skip(at, piece.next_offset)
        at = piece.next_offset
        reached(at - began)
    outcome.findings += log.tell_damage()
    return log
