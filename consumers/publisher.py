"""The publisher: follows the revisions of the ledger into the decision feed; at least once, in order for each inquiry.

One publishes at a time, others stand by. The order of the steps is what makes a takeover safe: take the lock, open the
feed, and only then, on the session that holds the lock, read from where to publish. Opening the feed fences everybody
who opened it before, so nothing older can follow what is published now; and a position is read only after that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import structlog

from domain.errors import Contended, Fenced, LedgerError, Unavailable
from domain.publication import Move, Publishable
from domain.reading import ViewRow

PAGE_ROWS = 1_000
WAIT_S = 1.0
BACKOFF_FIRST_S = 0.1
BACKOFF_LAST_S = 5.0

log = structlog.get_logger(__name__)


class Publication(Protocol):
    """What of the ledger is published. All but `take` need the session that `take` began. LedgerUnavailable."""

    def take(self) -> bool:
        """Become the one that publishes; False while another is."""

    def progress(self) -> Mapping[int, tuple[int, int]]:
        """Partition → (up to where it is published, up to where it is projected)."""

    def read(self, limit: int) -> Publishable:
        """The next revisions, about `limit`."""

    def move(self, moves: Sequence[Move]) -> None:
        """What was read is published. Fenced where another has moved a position meanwhile."""

    def wait(self, timeout_s: float) -> None:
        """Until the ledger moves, or the time is out."""

    def close(self) -> None:
        """Let another publish."""


class Feed(Protocol):
    """Where decisions are published. LogUnavailable, TopicError."""

    def open(self) -> None:
        """Fence every feed that was opened before."""

    def publish(self, rows: Sequence[ViewRow]) -> None:
        """Returns once all of them are there, in this order. Fenced where another feed was opened since."""

    def close(self) -> None:
        """Drop the connection."""


class Meter(Protocol):
    """What the publisher reports of itself."""

    def published(self, revisions: int) -> None:
        """So many more are in the feed."""

    def lags(self, records: Mapping[int, int]) -> None:
        """How many offsets of each partition are in the ledger and not published; nothing while another publishes."""

    def retried(self, reason: str) -> None:
        """It begins again: `unavailable`, `contended` or `fenced`."""


class Publisher:
    """`run` returns when `stop` is set, or the end is reached."""

    def __init__(self, publication: Publication, feed: Feed, meter: Meter, page_rows: int = PAGE_ROWS) -> None:
        self._publication = publication
        self._feed = feed
        self._meter = meter
        self._page_rows = page_rows
        self._stop = threading.Event()
        self._ends: Mapping[int, int] | None = None
        self._delay_s = BACKOFF_FIRST_S

    def stop(self) -> None:
        """End `run` after the page at hand. Safe from a signal handler and from another thread."""
        self._stop.set()

    def run(self, *, until_end: bool = False) -> None:
        """Publish until stopped; with `until_end` until what is in the ledger at the start is published, by whomever.
        Whatever goes wrong, it begins again with the first step; a Refusal ends it."""
        is_over = self._is_at_end if until_end else self._stop.is_set
        while not self._stop.is_set():
            try:
                if self._stand_by(is_over):
                    self._publish(is_over)
            except (Unavailable, Contended, Fenced) as error:
                self._report(error)
            else:
                return
            finally:
                self._let_go()
            self._stop.wait(self._delay_s)
            self._delay_s = min(self._delay_s * 2, BACKOFF_LAST_S)

    def _stand_by(self, is_over: Callable[[], bool]) -> bool:
        """Until it is our turn; False where there is nothing to do any more."""
        if self._publication.take():
            return True
        log.info("standing_by")
        while not self._stop.is_set() and not is_over():
            self._stop.wait(WAIT_S)
            if self._publication.take():
                return True
        return False

    def _publish(self, is_over: Callable[[], bool]) -> None:
        """Page after page."""
        self._feed.open()
        log.info("publishing")
        while not self._stop.is_set():
            page = self._publication.read(self._page_rows)
            if page.rows:
                self._feed.publish(page.rows)
            if page.moves:
                self._publication.move(page.moves)
            self._delay_s = BACKOFF_FIRST_S
            self._meter.published(len(page.rows))
            self._meter.lags(page.lag)
            if is_over():
                return
            self._publication.wait(0 if page.moves else WAIT_S)

    def _is_at_end(self) -> bool:
        progress = self._publication.progress()
        if self._ends is None:
            self._ends = {partition: projected for partition, (_, projected) in progress.items()}
        return all(progress[partition][0] >= end for partition, end in self._ends.items() if partition in progress)

    def _let_go(self) -> None:
        """Another may publish now; what it does is its own to report."""
        self._feed.close()
        self._publication.close()
        self._meter.lags({})

    def _report(self, error: LedgerError) -> None:
        reason = {Fenced: "fenced", Contended: "contended"}.get(type(error), "unavailable")
        self._meter.retried(reason)
        if isinstance(error, Fenced):
            log.warning("fenced", problem=str(error))
        else:
            log.warning("retrying", problem=str(error), in_s=self._delay_s)
