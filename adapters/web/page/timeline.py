"""An inquiry's events in canonical order, each with how it was delivered and what the lifecycle made of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import NamedTuple

from adapters.web.page.words import tell_event
from domain.event import Sighting
from domain.reading import ViewRow


class Item(NamedTuple):
    """One event. `row`: of `inquiry_history`; `text`: what became of it, in a sentence; `learned_after`: from when it
    happened until the log had it; `overtaken_by`: how many events that happened after it were known before it;
    `copies`: its further records, in the order of the log; `contradictions`: those among them that say otherwise, and
    are in quarantine."""

    row: ViewRow
    text: str
    learned_after: timedelta
    overtaken_by: int
    copies: Sequence[Sighting]
    contradictions: Sequence[Sighting]


def lay_out(history: Sequence[ViewRow], records: Sequence[Sighting]) -> list[Item]:
    """`history`: rows of `inquiry_history`; `records`: every record of these events, in the order of the log."""
    found: defaultdict[str, list[Sighting]] = defaultdict(list)
    for record in records:
        found[record.event.event_id].append(record)
    overtaken = list(_count_overtaken(history))
    return [_item(row, found[row["event_id"]], late) for row, late in zip(history, overtaken, strict=True)]


def _item(row: ViewRow, records: Sequence[Sighting], overtaken_by: int) -> Item:
    others = [record for record in records if _place(record) != (row["partition"], row["offset"])]
    told = (row["occurred_at"], row["event_name"])
    contradictions = [record for record in others if (record.event.occurred_at, record.event.name) != told]
    copies = [record for record in others if record not in contradictions]
    learned_after = row["appended_at"] - row["occurred_at"]
    return Item(row, tell_event(row), learned_after, overtaken_by, copies, contradictions)


def _place(record: Sighting) -> tuple[int, int]:
    return record.placement.partition, record.placement.offset


def _count_overtaken(history: Sequence[ViewRow]) -> Iterator[int]:
    """Of each event: how many of the events after it the log had first. An inquiry in two partitions has no order of
    offsets: it goes by append time."""
    is_whole = len({row["partition"] for row in history}) < 2
    known = [row["offset"] if is_whole else row["appended_at"] for row in history]
    for number, place in enumerate(known):
        yield sum(later < place for later in known[number + 1 :])
