"""What proves a ledger from its log: records by their place, and what became of those that cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from domain.event import Record


class Lost(StrEnum):
    """Why the log does not answer with a record."""

    GONE = "gone"  #: the log holds none there for a reader of what is committed
    DAMAGED = "damaged"  #: the batch it lies in fails its CRC, or is no batch


class Damage(NamedTuple):
    """Offsets of which the log tells no record though there were some, from `first` to before `following`."""

    lost: Lost
    first: int
    following: int


class Piece(NamedTuple):
    """Some of a partition, read in the order of the log up to before `next_offset`."""

    records: Sequence[Record]
    damage: Sequence[Damage]
    next_offset: int


Lookup = Callable[[int, int], Record | Lost]
"""(partition, offset) → the record there, or why there is none. LogUnavailable, TopicError."""

Scan = Callable[[int, int, int], Iterator[Piece]]
"""(partition, first, end) → its records from offset `first` to before `end`, in order; what is damaged is told, and
passed over. Offsets that hold none for a reader of what is committed are missing. LogUnavailable, TopicError;
PositionError where the log ends before."""
