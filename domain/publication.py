"""What of the revisions is published: pages in the order of the log, and how far each partition has come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from domain.reading import ViewRow


class Move(NamedTuple):
    """A partition's publication goes from where it stood `before` (topic id, next offset; None: never begun) to the
    next offset of the topic with this id."""

    partition: int
    topic_id: str
    before: tuple[str, int] | None
    next_offset: int


class Publishable(NamedTuple):
    """A page of revisions, each with what the ledger knows of its inquiry now (names of columns, times UTC). `moves`:
    what changes once they are published; `lag`: partition → offsets in the ledger that are not published then."""

    rows: Sequence[ViewRow]
    moves: Sequence[Move]
    lag: Mapping[int, int]
