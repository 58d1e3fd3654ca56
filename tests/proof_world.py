"""A log and the ledger made of it, both in memory: what a proof is made of, for fast tests."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from adapters.kafka_log.record import RecordReader
from adapters.memory import MemoryLedger
from adapters.persona.body import read_body
from consumers.batch import read_slices, write_batch
from consumers.proof.inquiry import Prover
from consumers.proof.partition import Auditor
from domain.books import Position
from domain.errors import Undecodable
from domain.event import Record
from domain.ports import Slice
from domain.proof import Damage, Lost, Piece
from tests.ledgers import RULES
from tests.proofs import OLD_SECRET, SECRET, TOPIC, make_proof

Row = dict[str, Any]

DECODE = RecordReader(read_body, 2_000_000)


class Rows(NamedTuple):
    """What the views say of one inquiry."""

    decision: Row | None
    history: list[Row]
    revisions: list[Row]
    records: list[Row]


class World:
    """One partition. `views` may be changed, as may `log`: that is what is to be found."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.log: dict[int, Record | Lost] = {record.placement.offset: record for record in records}
        self.end = max(self.log) + 1
        self.damage: list[Damage] = []
        ledger = MemoryLedger(TOPIC)
        ledger.agree(RULES.versions)
        ledger.open([self.position._replace(next_offset=0)])
        write_batch(ledger, read_slices({0: Slice(records, self.end)}, {0: 0}, DECODE), RULES)
        names = ("current_decision", "inquiry_history", "decision_revision", "quarantine", "books")
        self.views: dict[str, list[Row]] = {name: ledger.view(name) for name in names}
        self.views["inquiry_record"] = [row for record in records for row in _record_rows(record)]

    @property
    def position(self) -> Position:
        """Of the ledger."""
        return Position(0, "cluster", "topic", 0, self.end)

    def prover(self, *secrets: str) -> Prover:
        """Looks up in `log`."""
        return Prover(lambda _, offset: self.log.get(offset, Lost.GONE), DECODE, make_proof(*secrets), RULES)

    def auditor(self) -> Auditor:
        """Scans `log`, two records at a time."""
        return Auditor(TOPIC, self._scan, DECODE, make_proof(SECRET, OLD_SECRET), RULES)

    def _scan(self, partition: int, first: int, end: int) -> Iterator[Piece]:
        for at in range(first, end, 2):
            following = min(at + 2, end)
            there = [self.log.get(offset) for offset in range(at, following)]
            records = [record for record in there if isinstance(record, Record)]
            yield Piece(records, [lost for lost in self.damage if at <= lost.first < following], following)

    def rows(self, inquiry_ids: Collection[str]) -> Mapping[str, Rows]:
        """`consumers.proof.audit.Rows`."""
        return {key: self._rows(key) for key in inquiry_ids}

    def _rows(self, inquiry_id: str) -> Rows:
        decisions, history, revisions, records = (
            [row for row in self.views[view] if row["inquiry_id"] == inquiry_id]
            for view in ("current_decision", "inquiry_history", "decision_revision", "inquiry_record")
        )
        return Rows(decisions[0] if decisions else None, history, revisions, records)

    def inquiries(self, partition: int) -> list[str]:
        """`consumers.proof.audit.Rows`."""
        return sorted({row["inquiry_id"] for row in self.views["current_decision"]})

    def quarantine(self, partition: int) -> list[Row]:
        """`consumers.proof.audit.Rows`."""
        return self.views["quarantine"]

    def quarantined_at(self, places: Collection[tuple[int, int]]) -> list[Row]:
        """`consumers.proof.audit.Rows`."""
        return [row for row in self.views["quarantine"] if (row["partition"], row["offset"]) in places]

    def books(self) -> list[Row]:
        """`consumers.proof.audit.Rows`."""
        return self.views["books"]


def _record_rows(record: Record) -> Iterator[Row]:
    """The row of `inquiry_record`, of a log without a redaction."""
    try:
        sighting = DECODE(record)
    except Undecodable:
        return
    if sighting is not None:
        row = {**sighting.event._asdict(), **sighting.placement._asdict(), "cleared_reference": None}
        yield {**row, "event_name": row.pop("name")}
