"""What readers ask of the ledger, and in which form it answers: for the read API, the page and the publisher.

A row is a mapping by the column names of its view (design, section 6); times are UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from domain.books import Position
from domain.decision import Decision
from domain.event import Sighting

ViewRow = Mapping[str, Any]

#: Decisions that somebody may still be waiting for.
OPEN_DECISIONS = (Decision.UNDECIDED, Decision.NEEDS_REVIEW)

#: Partition → the offset from which on revisions are wanted.
Offsets = Mapping[int, int]


class Wanted(NamedTuple):
    """Which inquiries: all of what is said must hold. `unmoved_since`: in their status since then or longer, and with a
    decision of OPEN_DECISIONS."""

    reference_id: str | None = None
    status: str | None = None
    decision: str | None = None
    template_id: str | None = None
    unmoved_since: datetime | None = None


class ChangePage(NamedTuple):
    """Revisions (rows of `decision_revision`), by partition and offset, and from where to go on. A partition that is
    read to its end goes on at its position, so that `offsets` moves also over records that changed nothing."""

    rows: Sequence[ViewRow]
    offsets: Offsets


class DecisionReader(Protocol):
    """Reads inquiries. LedgerUnavailable, SchemaError."""

    async def decision(self, inquiry_id: str) -> ViewRow | None:
        """The row of `current_decision`; None where the inquiry is unknown."""

    async def find(self, wanted: Wanted, after: str | None, limit: int) -> Sequence[ViewRow]:
        """Rows of `current_decision` with an id greater than `after`, by inquiry id: who pages through them sees each
        inquiry that is there all the while exactly once."""

    async def find_longest(self, wanted: Wanted, limit: int) -> Sequence[ViewRow]:
        """The first `limit` of them, those first that have been in their status the longest."""

    async def history(self, inquiry_id: str) -> Sequence[ViewRow]:
        """Rows of `inquiry_history`, in canonical order."""

    async def revisions(self, inquiry_id: str) -> Sequence[ViewRow]:
        """Rows of `decision_revision`, by revision."""

    async def records(self, inquiry_id: str) -> Sequence[Sighting]:
        """Every record of its folded events, losers of conflicts included: what `domain.history` folds. Once the
        inquiry is redacted, a `domain.history.cleared_reference` stands for each reference id."""


class ChangeReader(Protocol):
    """Follows what changes. LedgerUnavailable, SchemaError."""

    async def changes(self, offsets: Offsets, limit: int) -> ChangePage:
        """The next revisions, at most `limit`, no partition starved by another; a partition not named in `offsets`
        from its first. One snapshot: no revision below the page's offsets can become visible later."""

    async def positions(self) -> Sequence[Position]:
        """How far each partition is projected."""
