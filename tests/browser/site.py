"""A running page, and the ledger behind it."""

from __future__ import annotations

from typing import NamedTuple

from consumers.batch import Batch, write_batch
from domain.books import Position
from domain.event import Event, Placement, Sighting
from domain.ports import Ledger
from tests.ledgers import RULES
from tests.sites import NOW, TOPIC


class Site(NamedTuple):
    """`url`: where it is, without a path."""

    url: str
    ledger: Ledger

    def open(self, partitions: int) -> None:
        """Begin a ledger of so many partitions."""
        self.ledger.agree(RULES.versions)
        self.ledger.open([Position(number, "cluster", "topic", 0, 0) for number in range(partitions)])

    def project(self, *events: Event) -> None:
        """Write the events as the next records of partition 0, as the projector does."""
        start = self.ledger.positions()[0].next_offset
        records = [Sighting(event, Placement(TOPIC, 0, offset, NOW)) for offset, event in enumerate(events, start)]
        write_batch(self.ledger, Batch({0: (start, start + len(events))}, records), RULES)
