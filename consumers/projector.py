"""The projector: reads the log, writes the ledger, exactly once in effect.

The position in Postgres is the truth: it is read on every assignment, moves in the transaction of its rows, and fences
a writer that lost its partition. While one batch is being written (by a thread, since Postgres does the work), the
next is read and decoded. The group's offset in Kafka is committed afterwards, for lag tools only.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, Protocol, TypeVar

import structlog

from consumers.batch import Batch, read_slices, write_batch
from domain.aggregate import Changes
from domain.books import Position, check_position, open_position
from domain.errors import Contended, Fenced, LedgerUnavailable, LogUnavailable, Unavailable
from domain.inquiry import Rules
from domain.ports import Decode, Feed, Ledger, Log

POLL_S = 0.5
INSPECT_EVERY_S = 5.0
BACKOFF_FIRST_S = 0.1
BACKOFF_LAST_S = 5.0

T = TypeVar("T")

log = structlog.get_logger(__name__)


class Run(NamedTuple):
    """What one run did: offsets moved over, and the seconds from the first record read to the last one written."""

    records: int
    seconds: float


class Meter(Protocol):
    """What the projector reports of itself."""

    def wrote(self, batch: Batch, changes: Changes, seconds: float) -> None:
        """A batch is in the ledger."""

    def lags(self, records: Mapping[int, int]) -> None:
        """How many records of each assigned partition are not yet in the ledger."""

    def retried(self, reason: str) -> None:
        """A batch is tried again, or dropped: `unavailable`, `contended` or `fenced`."""


class Projector:
    """One member of the consumer group. `run` returns when `stop` is set, or the end is reached."""

    def __init__(self, feed: Feed, source: Log, ledger: Ledger, decode: Decode, rules: Rules, meter: Meter) -> None:
        self._feed = feed
        self._log = source
        self._ledger = ledger
        self._decode = decode
        self._rules = rules
        self._meter = meter
        self._stop = threading.Event()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="ledger-writer")
        self._pending: Future[None] | None = None
        self._positions: dict[int, Position] = {}  # as they stood when last loaded
        self._read: dict[int, int] = {}  # partition → next offset to decode
        self._written: dict[int, int] = {}  # partition → next offset in the ledger
        self._records = 0
        self._first_read = self._last_written = 0.0

    def stop(self) -> None:
        """End `run` after the batch at hand. Safe from a signal handler and from another thread."""
        self._stop.set()

    def run(self, *, until_end: bool = False, reached: Callable[[int, int], None] | None = None) -> Run:
        """Project until stopped; with `until_end` until the assigned partitions reach the end the topic had at the
        start. `reached(done, total)` is called with offsets, for a progress bar. Refusal and RulesError end it."""
        self._retry(lambda: self._ledger.agree(self._rules.versions))
        ends = {partition: end for partition, (_, end) in self._retry(self._log.inspect).offsets.items()}
        self._feed.subscribe(self._assigned, self._revoked)
        try:
            self._loop(ends, until_end, reached)
            self._settle()
        finally:
            self._stop.set()  # where an error is on its way up, a batch that waits for Postgres must not hold it back,
            self._writer.shutdown()
            self._pending = None  # and must not put its own in its place
            self._feed.close()
        return Run(self._records, self._last_written - self._first_read)

    def _loop(self, ends: Mapping[int, int], until_end: bool, reached: Callable[[int, int], None] | None) -> None:
        inspected = time.monotonic()
        while not self._stop.is_set():
            self._step()
            if reached is not None:
                reached(*self._progress(ends))
            if until_end and self._is_at(ends):
                return
            if time.monotonic() - inspected >= INSPECT_EVERY_S:
                inspected = time.monotonic()
                self._inspect()

    def _step(self) -> None:
        """Read and decode the next batch while the last one is being written; then hand it to the writer."""
        try:
            slices = self._feed.poll(0.02 if self._pending else POLL_S)
        except LogUnavailable as error:
            log.warning("log_unavailable", problem=str(error))
            self._stop.wait(BACKOFF_FIRST_S)
            return
        if slices and not self._first_read:
            self._first_read = time.perf_counter()
        slices = {partition: piece for partition, piece in slices.items() if partition in self._read}
        batch = read_slices(slices, self._read, self._decode) if slices else None
        if (batch or (self._pending and self._pending.done())) and not self._settle():
            return  # fenced: what was read is dropped, and read again from where the ledger stands
        if batch:
            self._hand_over(batch)

    def _hand_over(self, batch: Batch) -> None:
        self._read.update({partition: following for partition, (_, following) in batch.moves.items()})
        self._pending = self._writer.submit(self._write, batch)

    def _settle(self) -> bool:
        """Wait for the batch being written. False where it was fenced, and the positions were read again."""
        pending, self._pending = self._pending, None
        if pending is None:
            return True
        try:
            pending.result()
        except Fenced as error:
            self._meter.retried("fenced")
            log.warning("fenced", problem=str(error))
            self._resync()
            return False
        self._feed.commit({partition: self._written[partition] for partition in self._read})
        return True

    def _write(self, batch: Batch) -> None:
        """In the writer's thread. A lost connection and a contended row are tried again; nothing is passed over."""
        started = time.perf_counter()
        changes = self._retry(lambda: write_batch(self._ledger, batch, self._rules))
        self._written.update({partition: following for partition, (_, following) in batch.moves.items()})
        self._records += batch.records
        self._last_written = time.perf_counter()
        self._meter.wrote(batch, changes, self._last_written - started)

    def _retry(self, call: Callable[[], T]) -> T:
        """Try `call` again with back-off while the other side is away; once stopped, the error goes up."""
        delay = BACKOFF_FIRST_S
        while True:
            try:
                return call()
            except (Unavailable, Contended) as error:
                if self._stop.is_set():
                    raise
                self._meter.retried("contended" if isinstance(error, Contended) else "unavailable")
                log.warning("retrying", problem=str(error), in_s=delay)
                self._stop.wait(delay)
                delay = min(delay * 2, BACKOFF_LAST_S)

    def _assigned(self, partitions: Collection[int]) -> Mapping[int, int]:
        """From where to read each new partition: where the ledger stands, never where the group does."""
        self._settle()
        log.info("assigned", partitions=sorted(partitions))
        return self._load_positions(partitions)

    def _revoked(self, partitions: Collection[int]) -> None:
        """Finish what is being written, then let go."""
        self._settle()
        for partition in partitions:
            for held in (self._positions, self._read, self._written):
                held.pop(partition, None)
        log.info("revoked", partitions=sorted(partitions))

    def _resync(self) -> None:
        """Another writer was here, or the ledger was emptied: go on from where it stands now."""
        self._retry(lambda: self._ledger.agree(self._rules.versions))
        self._feed.seek(self._load_positions(self._read.keys()))

    def _load_positions(self, partitions: Collection[int]) -> dict[int, int]:
        """The ledger's position of each partition, checked against the log; opened where there is none yet."""
        if not partitions:
            return {}
        state = self._retry(self._log.inspect)
        stored = self._retry(self._ledger.positions)
        missing = [open_position(state, partition) for partition in partitions if partition not in stored]
        if missing:
            self._retry(lambda: self._ledger.open(missing))
            stored = self._retry(self._ledger.positions)
        for partition in partitions:
            check_position(stored[partition], state)
            self._positions[partition] = stored[partition]
        offsets = {partition: stored[partition].next_offset for partition in partitions}
        self._read.update(offsets)
        self._written.update(offsets)
        return offsets

    def _inspect(self) -> None:
        """Report the lag, refuse to go on where the topic was recreated, or records were removed, under us, and read
        again what a ledger lacks that was emptied or restored under us."""
        try:
            state = self._log.inspect()
            is_moved = self._is_moved()
        except LogUnavailable as error:
            log.warning("log_unavailable", problem=str(error))
            return
        except LedgerUnavailable as error:
            log.warning("ledger_unavailable", problem=str(error))
            return
        if is_moved:
            log.warning("ledger_moved", problem="it was emptied or restored, or another has written")
            self._resync()
            return  # what was asked of the log before may be too old by now
        for partition, position in self._positions.items():
            check_position(position._replace(next_offset=self._written[partition]), state)
        self._meter.lags({p: state.offsets[p][1] - self._written[p] for p in self._positions})

    def _is_moved(self) -> bool:
        """Whether the ledger stands elsewhere than we wrote. A batch under way finds that out by itself."""
        if self._pending is not None:
            return False
        stored = self._ledger.positions()
        return any(p not in stored or stored[p].next_offset != offset for p, offset in self._written.items())

    def _is_at(self, ends: Mapping[int, int]) -> bool:
        """Whether our partitions are at their end. Before we have any, and when others have them all, the ledger
        tells how far those are."""
        if self._written:
            return all(self._written[partition] >= ends.get(partition, 0) for partition in self._written)
        stored = self._retry(self._ledger.positions)
        return all(partition in stored and stored[partition].next_offset >= end for partition, end in ends.items())

    def _progress(self, ends: Mapping[int, int]) -> tuple[int, int]:
        """(offsets done, offsets there were at the start) over the assigned partitions."""
        first = {partition: position.first_offset for partition, position in self._positions.items()}
        done = sum(min(self._written[p], ends.get(p, 0)) - first[p] for p in first)
        return done, sum(ends.get(p, first[p]) - first[p] for p in first)
