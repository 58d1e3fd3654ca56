"""One inquiry's records, looked up in the log by the places that the ledger has of them, and checked. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from consumers.proof.record import Examined
from consumers.proof.rows import Expected, Finding, Stored, compare_inquiry, expect, name_place
from domain.errors import Undecodable
from domain.event import Record, Sighting
from domain.inquiry import Rules
from domain.ports import Decode
from domain.proof import Lookup, Lost

Examine = Callable[[Record], Examined]

LOST_PROBLEMS = {
    Lost.GONE: "gone: the log holds no record here, the ledger has one",
    Lost.DAMAGED: "damaged: the batch that it lies in fails its CRC, or is no batch",
}


class Found(NamedTuple):
    """A record of an inquiry: the ledger's row of it, what the log holds there, what the checks say of that, and what
    the fold takes of it."""

    row: dict[str, Any]
    record: Record | Lost
    examined: Examined | None = None
    sighting: Sighting | None = None

    @property
    def place(self) -> str:
        """Where it lies."""
        return name_place(self.row["topic"], self.row["partition"], self.row["offset"])


class InquiryProof(NamedTuple):
    """What the log says of an inquiry. `expected` is None where it says nothing, or not all."""

    found: Sequence[Found]
    expected: Expected | None
    findings: Sequence[Finding]


class Prover(NamedTuple):
    """What an inquiry is proved with."""

    lookup: Lookup
    decode: Decode
    examine: Examine
    rules: Rules

    def __call__(self, inquiry_id: str, stored: Stored) -> InquiryProof:
        """Look up, check, fold again, compare."""
        found = [self._find(inquiry_id, dict(row)) for row in stored.records]
        findings = [finding for one in found for finding in _judge(one)]
        sightings = [one.sighting for one in found if one.sighting is not None]
        if len(sightings) < len(found):
            return InquiryProof(found, None, findings)
        expected = expect(inquiry_id, sightings, stored, self.rules) if sightings else None
        return InquiryProof(found, expected, [*findings, *compare_inquiry(inquiry_id, expected, stored)])

    def _find(self, inquiry_id: str, row: dict[str, Any]) -> Found:
        record = self.lookup(row["partition"], row["offset"])
        if isinstance(record, Lost):
            return Found(row, record)
        try:
            sighting = self.decode(record)
        except Undecodable:
            sighting = None
        is_his = sighting is not None and sighting.event.inquiry_id == inquiry_id
        return Found(row, record, self.examine(record), sighting if is_his else None)


def _judge(found: Found) -> list[Finding]:
    if isinstance(found.record, Lost):
        return [Finding(found.place, "log", LOST_PROBLEMS[found.record])]
    problems = found.examined.problems if found.examined else ()
    findings = [Finding(found.place, problem.check, problem.text) for problem in problems]
    if found.sighting is None:
        findings.append(Finding(found.place, "log", "the record here is not one of this inquiry"))
    return findings
