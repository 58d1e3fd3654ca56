"""Driving a ledger in tests: batches of sightings in, rows of the views out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from consumers.batch import Batch, write_batch
from domain.books import Position
from domain.decision import DecisionPolicy
from domain.event import Event, Placement, Sighting, from_millis
from domain.inquiry import Rules
from domain.lifecycle import Lifecycle
from domain.ports import Ledger

RULES = Rules(Lifecycle(), DecisionPolicy())

#: The views, and the columns of each that tell where and when a record was read rather than what is true.
ORDER_OF_READING = {"revision", "partition", "offset", "appended_at", "topic"}
VIEWS = ("current_decision", "inquiry_history", "decision_revision", "quarantine", "books")

Rows = dict[str, list[dict[str, Any]]]


class Views(NamedTuple):
    """A ledger, its topic, and a way to read its views."""

    ledger: Ledger
    topic: str
    read: Callable[[str], list[dict[str, Any]]]

    def rows(self) -> Rows:
        """Every row of every view."""
        return {name: self.read(name) for name in VIEWS}

    def order_free(self) -> Rows:
        """What must not depend on the order of delivery: all but where and when records were read."""
        rows = self.rows()
        del rows["decision_revision"]
        told = {
            name: [{key: value for key, value in row.items() if key not in ORDER_OF_READING} for row in rows[name]]
            for name in rows
        }
        told["quarantine"].sort(key=lambda row: (row["reason"], row["detail"]))
        return told


def place(events: Sequence[Event], topic: str, partition: int = 0, start: int = 0) -> list[Sighting]:
    """The events as consecutive records of one partition, a second apart."""
    return [
        Sighting(event, Placement(topic, partition, offset, from_millis(1_800_000_000_000 + 1000 * offset)))
        for offset, event in enumerate(events, start)
    ]


def begin(views: Views, rules: Rules = RULES, partitions: Sequence[int] = (0,)) -> None:
    """Agree on the rules, and open the partitions at offset 0."""
    views.ledger.agree(rules.versions)
    views.ledger.open([Position(partition, "cluster", "topic", 0, 0) for partition in partitions])


def batch_of(sightings: Sequence[Sighting]) -> Batch:
    """One batch of consecutive records, whatever their partitions."""
    batch = Batch(sightings=list(sightings))
    for sighting in sightings:
        placement = sighting.placement
        first, _ = batch.moves.get(placement.partition, (placement.offset, 0))
        batch.moves[placement.partition] = (first, placement.offset + 1)
        batch.tallies.setdefault(placement.partition, Counter())
    return batch


def project(views: Views, events: Sequence[Event], cuts: Sequence[int] = (), rules: Rules = RULES) -> Views:
    """Write the events in this order, in batches that end at `cuts` and at the end."""
    begin(views, rules)
    sightings = place(events, views.topic)
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(sightings)}), len(sightings)]
    for start, end in pairwise(edges):
        if start < end:
            write_batch(views.ledger, batch_of(sightings[start:end]), rules)
    return views
