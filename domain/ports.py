"""What the core asks of the world outside, in its own words. Adapters satisfy these; they do not inherit from them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from domain.aggregate import Changes, Entry, Stored
from domain.books import LogState, Position
from domain.event import Record, Sighting
from domain.revision import Row


class Slice(NamedTuple):
    """Consecutive records of one partition. `next_offset` is where to read on: past the last record and past
    offsets that hold none for a reader (transaction markers, aborted records)."""

    records: Sequence[Record]
    next_offset: int


class Feed(Protocol):
    """Reads the log's partitions as one member of a consumer group. Not thread-safe."""

    def subscribe(
        self,
        assigned: Callable[[Collection[int]], Mapping[int, int]],
        revoked: Callable[[Collection[int]], None],
    ) -> None:
        """Join the group. `assigned` is asked from which offset to read each new partition; `revoked` is told before
        partitions go (or after they went). Both run inside `poll`."""

    def poll(self, timeout_s: float) -> Mapping[int, Slice]:
        """The next records by partition; empty when there are none within `timeout_s`. LogUnavailable."""

    def seek(self, offsets: Mapping[int, int]) -> None:
        """Read on from these offsets (partitions that are no longer assigned are passed over)."""

    def commit(self, offsets: Mapping[int, int]) -> None:
        """Tell the group how far the ledger is, for lag tools only. Best effort: a failure is not an error."""

    def close(self) -> None:
        """Leave the group."""


class Log(Protocol):
    """What a log says of itself."""

    def inspect(self) -> LogState:
        """Cluster id, topic id, and the offsets of each partition. TopicError, LogUnavailable."""


Decode = Callable[[Record], Sighting | None]
"""A record → what the fold takes of it; None for what it ignores. Undecodable for what cannot be read."""


class LedgerTransaction(Protocol):
    """The one transaction of a batch: what is loaded is locked, what is stored becomes visible at once."""

    def load(self, inquiry_ids: Collection[str]) -> Mapping[str, Row]:
        """The rows of these inquiries that exist, locked in inquiry order."""

    def find(self, identities: Collection[tuple[str, str]]) -> Mapping[str, Sequence[Entry]]:
        """Inquiry id → those entries whose (inquiry id, event id) was asked for."""

    def history(self, inquiry_ids: Collection[str]) -> Mapping[str, Stored]:
        """All entries and sightings of these inquiries; `row` is left None for the caller."""

    def store(self, changes: Changes) -> None:
        """Write what a batch changed, its tallies into the books. Once a transaction. Of a sighting stored before,
        the first version stays: it says what the record itself said, not what was merged into it since."""


class Ledger(Protocol):
    """Where the projection lives."""

    def agree(self, versions: tuple[str, str]) -> None:
        """Write down (lifecycle_version, policy_version) in an empty ledger; RulesError where others stand."""

    def positions(self) -> Mapping[int, Position]:
        """The stored position of each partition of this topic. LedgerUnavailable."""

    def open(self, positions: Sequence[Position]) -> None:
        """Store positions of partitions never read before; one that is there stays."""

    def begin(self, moves: Mapping[int, tuple[int, int]]) -> AbstractContextManager[LedgerTransaction]:
        """One transaction that moves each partition from the expected offset to the next. Committed at the end of
        the block, rolled back when it raises. Fenced where a position is not the expected one; RulesError where
        the rows are made under other rules by now; Contended; LedgerUnavailable."""
