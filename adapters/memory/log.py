"""`domain.ports.Log` and `domain.ports.Feed` in memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping

from domain.books import LogState
from domain.event import Record
from domain.ports import Slice


class MemoryLog:
    """`domain.ports.Log` and the log behind `MemoryFeed`: partitions of records, offsets counted from 0."""

    def __init__(self, topic: str, partitions: int) -> None:
        self.topic = topic
        self.topic_id = "topic-1"
        self.records: dict[int, list[Record | None]] = {partition: [] for partition in range(partitions)}

    def inspect(self) -> LogState:
        """Cluster id, topic id, offsets."""
        return LogState("cluster-1", self.topic_id, {p: (0, len(records)) for p, records in self.records.items()})

    def append(self, partition: int, record: Record | None) -> None:
        """Add a record, or an offset that holds none for a reader (None)."""
        self.records[partition].append(record)


class MemoryFeed:
    """`domain.ports.Feed`: one member that gets every partition of a `MemoryLog`."""

    def __init__(self, log: MemoryLog, max_records: int = 500) -> None:
        self._log = log
        self._max_records = max_records
        self._offsets: dict[int, int] = {}
        self._assigned: Callable[[Collection[int]], Mapping[int, int]] | None = None
        self._revoked: Callable[[Collection[int]], None] | None = None
        self.committed: dict[int, int] = {}

    def subscribe(
        self,
        assigned: Callable[[Collection[int]], Mapping[int, int]],
        revoked: Callable[[Collection[int]], None],
    ) -> None:
        """Join: the first poll assigns every partition."""
        self._assigned, self._revoked = assigned, revoked

    def rebalance(self) -> None:
        """Take every partition away; the next poll assigns them again."""
        assert self._revoked is not None
        self._revoked(list(self._offsets))
        self._offsets.clear()

    def poll(self, timeout_s: float) -> Mapping[int, Slice]:
        """The next records by partition."""
        assert self._assigned is not None
        if not self._offsets:
            self._offsets.update(self._assigned(list(self._log.records)))
        slices = {p: piece for p in self._log.records if (piece := self._take(p)) is not None}
        if not slices:
            time.sleep(min(timeout_s, 0.001))
        return slices

    def _take(self, partition: int) -> Slice | None:
        start = self._offsets[partition]
        taken = self._log.records[partition][start : start + self._max_records]
        if not taken:
            return None
        self._offsets[partition] = start + len(taken)
        return Slice([record for record in taken if record is not None], start + len(taken))

    def seek(self, offsets: Mapping[int, int]) -> None:
        """Read on from these offsets."""
        self._offsets.update({p: offset for p, offset in offsets.items() if p in self._offsets})

    def commit(self, offsets: Mapping[int, int]) -> None:
        """Remember what the group was told."""
        self.committed.update(offsets)

    def close(self) -> None:
        """Leave the group."""
        if self._revoked is not None and self._offsets:
            self._revoked(list(self._offsets))
