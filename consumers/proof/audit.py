"""The audit: is every record genuine, and is every row of the ledger what the log comes to? Pure: records and rows in,
findings out.

All of it goes partition by partition, since an inquiry lies in one: `audit_partition` holds in memory what its records
say, so that each inquiry can be folded once all of them are read. Inquiries whose records lie in several partitions are
left to `conclude`, which also compares what is counted over a whole partition. A sample looks records up instead.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple, Protocol

from consumers.proof.inquiry import LOST_PROBLEMS, InquiryProof, Prover
from consumers.proof.partition import Auditor, Outcome, PartitionLog, Reached, read_partition
from consumers.proof.rows import (
    LOCATION,
    Expected,
    Finding,
    Stored,
    ViewRow,
    compare_inquiry,
    compare_rows,
    expect,
    name_place,
    quarantine_row,
)
from domain.books import Count, Position
from domain.event import Sighting
from domain.inquiry import Rules
from domain.proof import Lost

#: Inquiries whose rows are compared at a time.
_CHUNK = 1_000

Logs = Mapping[int, PartitionLog]


class Rows(Protocol):
    """The views as they were at one moment."""

    def rows(self, inquiry_ids: Collection[str]) -> Mapping[str, Any]:
        """Inquiry id → `consumers.proof.rows.Stored`."""

    def inquiries(self, partition: int) -> Sequence[str]:
        """The inquiries of which any row names this partition."""

    def quarantine(self, partition: int) -> Sequence[ViewRow]:
        """A partition's rows."""

    def quarantined_at(self, places: Collection[tuple[int, int]]) -> Sequence[ViewRow]:
        """The rows at these (partition, offset)."""

    def books(self) -> Sequence[ViewRow]:
        """A row a partition."""


class Part(NamedTuple):
    """What came of one partition, and what `conclude` needs of it: what it counts, what is in quarantine, and the
    records of the inquiries that were left out."""

    outcome: Outcome
    log: PartitionLog


def audit_partition(
    position: Position, auditor: Auditor, rows: Rows, left_out: Collection[str], reached: Reached
) -> Part:
    """Check each record of a partition up to the ledger's position, and compare every inquiry but those of
    `left_out`."""
    outcome = Outcome()
    log = read_partition(position, auditor, outcome, reached)
    ids = ({*log.groups} | {*rows.inquiries(position.partition)}) - {*left_out}
    for chunk in _cut(sorted(ids)):
        stored = rows.rows(chunk)
        for inquiry_id in chunk:
            sightings = log.groups.pop(inquiry_id, [])
            _compare(inquiry_id, sightings, stored[inquiry_id], {position.partition: log}, auditor.rules, outcome)
    return Part(outcome, log)


def conclude(parts: Sequence[Part], left_out: Collection[str], rows: Rows, rules: Rules) -> Outcome:
    """The whole outcome."""
    total, logs = Outcome(), {part.log.position.partition: part.log for part in parts}
    for part in parts:
        total.add(part.outcome)
    stored = rows.rows(left_out)
    for inquiry_id in left_out:
        sightings = [one for log in logs.values() for one in log.groups.get(inquiry_id, [])]
        _compare(inquiry_id, sightings, stored[inquiry_id], logs, rules, total)
    books = {row["partition"]: row for row in rows.books()}
    for partition, log in logs.items():
        total.findings += _compare_quarantine(log, rows.quarantine(partition))
        total.findings += _compare_books(log, books[partition])
    return total


def _compare(
    inquiry_id: str, sightings: Sequence[Sighting], stored: Stored, logs: Logs, rules: Rules, outcome: Outcome
) -> None:
    """Fold an inquiry and compare its rows, where the log has all the records that the ledger has."""
    lost = [row for row in stored.records if row["partition"] in logs and _is_missing(logs, row)]
    if lost:
        outcome.not_compared += 1
        outcome.findings += _tell_gone(logs, lost)
        _leave_unproven(logs, [*stored.records, *(sighting.placement._asdict() for sighting in sightings)])
        return
    outcome.inquiries += 1
    expected = expect(inquiry_id, sightings, stored, rules) if sightings else None
    outcome.findings += compare_inquiry(inquiry_id, expected, stored)
    if expected is not None:
        _count(expected, logs)


def _is_missing(logs: Logs, row: ViewRow) -> bool:
    return logs[row["partition"]].is_missing(row["offset"])


def _tell_gone(logs: Logs, lost: Sequence[ViewRow]) -> Iterator[Finding]:
    for row in lost:
        if not logs[row["partition"]].is_damaged(row["offset"]):
            place = name_place(row["topic"], row["partition"], row["offset"])
            yield Finding(place, "log", LOST_PROBLEMS[Lost.GONE])


def _leave_unproven(logs: Logs, records: Sequence[ViewRow]) -> None:
    for row in records:
        if row["partition"] in logs:
            logs[row["partition"]].unproven.add(row["offset"])


def _count(expected: Expected, logs: Logs) -> None:
    """What the fold counts, by partition."""
    for partition, tally in expected.fold.tallies.items():
        logs[partition].counts.update(tally)
    for quarantined in expected.fold.quarantined:
        logs[quarantined.placement.partition].quarantined.append(quarantined)


def _compare_quarantine(log: PartitionLog, stored: Sequence[ViewRow]) -> list[Finding]:
    """Rows of damaged records, and of inquiries that could not be compared, are not judged."""
    gone = [row for row in stored if log.is_missing(row["offset"]) and row["offset"] not in log.unproven]
    there = [row for row in stored if not log.is_missing(row["offset"]) and row["offset"] not in log.unproven]
    found = list(_tell_gone({log.position.partition: log}, gone))
    return found + compare_rows("quarantine", LOCATION, [quarantine_row(one) for one in log.quarantined], there)


def _compare_books(log: PartitionLog, stored: ViewRow) -> list[Finding]:
    """Where records are lost nobody can count them again."""
    if log.damage or log.unproven:
        return []
    counts = {count.value: log.counts[count] for count in Count}
    offsets = {"first_offset": log.position.first_offset, "next_offset": log.position.next_offset}
    expected = {"topic": log.topic, "partition": log.position.partition, **offsets, **counts, "balanced": True}
    return compare_rows("books", ("topic", "partition"), [expected], [stored])


def audit_inquiries(inquiry_ids: Sequence[str], prover: Prover, rows: Rows, reached: Reached) -> Outcome:
    """Look up the records of these inquiries, check each, and compare. `reached`: told how many inquiries more."""
    outcome = Outcome()
    for chunk in _cut(inquiry_ids):
        stored = rows.rows(chunk)
        for inquiry_id in chunk:
            _audit_inquiry(inquiry_id, stored[inquiry_id], prover, rows, outcome)
            reached(1)
    return outcome


def _audit_inquiry(inquiry_id: str, stored: Stored, prover: Prover, rows: Rows, outcome: Outcome) -> None:
    proof = prover(inquiry_id, stored)
    for found in proof.found:
        if found.examined is not None:
            outcome.saw(found.examined)
    outcome.findings += proof.findings
    if proof.expected is None:
        outcome.not_compared += 1
        return
    outcome.inquiries += 1
    outcome.findings += compare_quarantined(proof, stored, rows)


def compare_quarantined(proof: InquiryProof, stored: Stored, rows: Rows) -> list[Finding]:
    """Which of an inquiry's records should be in quarantine, and are not, or the other way round."""
    if proof.expected is None:
        return []
    places = [(row["partition"], row["offset"]) for row in stored.records]
    expected = [quarantine_row(one) for one in proof.expected.fold.quarantined]
    return compare_rows("quarantine", LOCATION, expected, rows.quarantined_at(places))


def _cut(ids: Sequence[str]) -> Iterator[list[str]]:
    left = iter(ids)
    while chunk := list(islice(left, _CHUNK)):
        yield chunk
