"""The books: every offset of a partition is counted once, so that nothing can be lost in silence.

`next_offset - first_offset = applied + repeated + refused + ignored + duplicate + quarantined + gaps`
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from domain.errors import PositionError, QuarantineReason
from domain.event import Placement


class Count(StrEnum):
    """The seven things an offset can be. The first three follow today's verdicts."""

    APPLIED = "applied"
    REPEATED = "repeated"
    REFUSED = "refused"
    IGNORED = "ignored"
    DUPLICATE = "duplicate"
    QUARANTINED = "quarantined"
    GAPS = "gaps"


#: Partition → how much each count changes.
Tallies = dict[int, Counter[str]]


class Quarantined(NamedTuple):
    """A record that counts for nothing, with the reason. `detail` holds no personal data."""

    placement: Placement
    reason: QuarantineReason
    detail: str


class Position(NamedTuple):
    """How far a partition of one log has been read: offsets below `next_offset` are in the books."""

    partition: int
    cluster_id: str
    topic_id: str
    first_offset: int
    next_offset: int


class LogState(NamedTuple):
    """What the log says of itself. `offsets`: partition → (first offset, end offset for a committed reader)."""

    cluster_id: str
    topic_id: str
    offsets: Mapping[int, tuple[int, int]]


def open_position(log: LogState, partition: int) -> Position:
    """The position of a partition never read: at its first offset."""
    first, _ = log.offsets[partition]
    return Position(partition, log.cluster_id, log.topic_id, first, first)


def check_position(position: Position, log: LogState) -> None:
    """PositionError where reading on from `position` would skip or mix records; an older one is welcome."""
    where = f"partition {position.partition}"
    if (position.cluster_id, position.topic_id) != (log.cluster_id, log.topic_id):
        raise PositionError(
            f"{where}: the ledger was made from topic id {position.topic_id} of cluster {position.cluster_id}, "
            f"the log is topic id {log.topic_id} of cluster {log.cluster_id}: another or a recreated topic. "
            "Point LEDGER_KAFKA_BOOTSTRAP and LEDGER_TOPIC at the old one, or `reset` and make the ledger again."
        )
    first, end = log.offsets[position.partition]
    if not first <= position.next_offset <= end:
        raise PositionError(
            f"{where}: the ledger stands at offset {position.next_offset}, the log holds {first} to {end}: "
            "records were removed, or the log was restored from an older copy. Nothing is skipped: bring the "
            "records back, or `reset` and make the ledger from what is left."
        )
