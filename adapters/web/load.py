"""How much the edge holds at once: records that wait for the log, and bytes of bodies in memory.

A record is held until the log has settled it, also when its sender was told 503 long ago: the producer holds it too.
A sender that is slow holds only the bytes it has sent, so slow senders do not keep others out.
"""

from __future__ import annotations


class Load:
    """What is held now, against what may be."""

    def __init__(self, max_records: int, max_bytes: int) -> None:
        """`max_bytes` is of bodies, whole or in part."""
        self.records = 0
        self.bytes = 0
        self._max_records = max_records
        self._max_bytes = max_bytes

    def has_room(self, more_bytes: int) -> bool:
        """Whether one more record may come, with so many bytes that are not yet held."""
        return self.records < self._max_records and self.bytes + more_bytes <= self._max_bytes


class Hold:
    """What one delivery holds, until the end of its block; or, once the log has its record, until that is settled."""

    __slots__ = ("_load", "bytes", "records")

    def __init__(self, load: Load) -> None:
        self._load = load
        self.bytes = 0
        self.records = 0

    def __enter__(self) -> Hold:
        return self

    def __exit__(self, *_: object) -> None:
        if not self.records:
            self.release()

    def grow(self, size: int) -> None:
        """Hold `size` bytes more."""
        self.bytes += size
        self._load.bytes += size

    def hand_over(self) -> None:
        """The log has the record now: whoever hears that it is settled calls `release`."""
        self.records = 1
        self._load.records += 1

    def release(self) -> None:
        """Hold nothing any more."""
        self._load.bytes -= self.bytes
        self._load.records -= self.records
        self.bytes = self.records = 0
