"""A topic, a database, and projectors between them; and what the rows must then be."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import count, zip_longest
from typing import Any, NamedTuple

from adapters.kafka_log.feed import Assigned, KafkaFeed, Revoked
from adapters.kafka_log.record import RecordReader
from adapters.kafka_log.topic import KafkaTopic
from adapters.ledger.read import LedgerReader
from adapters.ledger.write import PostgresLedger
from adapters.memory import MemoryLedger
from adapters.persona.body import read_body
from consumers.batch import Batch
from consumers.projector import Projector
from domain.aggregate import Changes
from domain.ports import Ledger
from tests.ledgers import RULES, VIEWS, Rows

MAX_BODY_BYTES = 2_000_000

#: How long anything may take on a machine that is busy with other things.
PATIENCE_S = 90.0

_numbers = count()


class Meter:
    """Remembers why batches were tried again."""

    def __init__(self) -> None:
        self.retries: list[str] = []
        self.batches = 0

    def wrote(self, batch: Batch, changes: Changes, seconds: float) -> None:
        self.batches += 1

    def lags(self, records: Mapping[int, int]) -> None:
        pass

    def retried(self, reason: str) -> None:
        self.retries.append(reason)


class Scene(NamedTuple):
    """Where a topic is, and the database that it is projected into."""

    bootstrap: str
    topic: str
    url: str

    def project(self, **how: Any) -> Meter:
        """One projector of a group of its own, to the end of the topic."""
        with closing(PostgresLedger(self.url, self.topic)) as ledger:
            return project(self.bootstrap, self.topic, ledger, **how)

    def rows(self) -> Rows:
        """Every row of every view."""
        with LedgerReader(self.url) as reader:
            return {name: reader.view(name) for name in VIEWS}

    def offsets(self) -> dict[int, int]:
        """How far each partition is in the ledger."""
        with LedgerReader(self.url) as reader:
            return {row["partition"]: row["next_offset"] for row in reader.books()}

    def is_at_end(self) -> bool:
        """Whether the ledger holds all that the topic does."""
        with KafkaTopic(self.bootstrap, self.topic) as log:
            return self.offsets() == {partition: end for partition, (_, end) in log.inspect().offsets.items()}

    def expected(self) -> Rows:
        """The rows of a run over the topic that nothing disturbs."""
        ledger = MemoryLedger(self.topic)
        project(self.bootstrap, self.topic, ledger)
        return {name: ledger.view(name) for name in VIEWS}

    def check_books(self) -> None:
        """Every offset is counted once, and the rows tell the same counts."""
        with LedgerReader(self.url) as reader:
            books, counted = reader.books(), reader.recount()
        assert all(row["balanced"] for row in books)
        assert [{**row, **again} for row, again in zip(books, counted, strict=True)] == books

    def check(self) -> None:
        """Nothing is lost, nothing doubled: the rows are those of an undisturbed run."""
        self.check_books()
        assert differences(self.rows(), self.expected()) == []


def differences(rows: Rows, expected: Rows, limit: int = 3) -> list[tuple[str, Any, Any]]:
    """The first rows of each view that are not as expected."""
    pairs = ((name, zip_longest(rows[name], expected[name])) for name in VIEWS)
    return [found for name, view in pairs for found in [(name, *pair) for pair in view if pair[0] != pair[1]][:limit]]


def new_group() -> str:
    """A consumer group that nobody is in: a killed member would be waited for until its session ends."""
    return f"group-{next(_numbers)}-{time.monotonic_ns()}"


def make_projector(feed: KafkaFeed, log: KafkaTopic, ledger: Ledger) -> tuple[Projector, Meter]:
    """A projector as `bootstrap` wires it, and what it reports."""
    meter = Meter()
    return Projector(feed, log, ledger, RecordReader(read_body, MAX_BODY_BYTES), RULES, meter), meter


def project(bootstrap: str, topic: str, ledger: Ledger, **how: Any) -> Meter:
    """Project to the end that the topic has now, in a group of its own."""
    with KafkaTopic(bootstrap, topic) as log:
        projector, meter = make_projector(KafkaFeed(bootstrap, topic, new_group(), **how), log, ledger)
        projector.run(until_end=True)
    return meter


class WatchedFeed(KafkaFeed):
    """Tells which partitions it has."""

    held: frozenset[int] = frozenset()

    def gain(self, partitions: Collection[int], assigned: Assigned) -> None:
        super().gain(partitions, assigned)
        self.held |= set(partitions)

    def lose(self, partitions: Collection[int], revoked: Revoked) -> None:
        super().lose(partitions, revoked)
        self.held -= set(partitions)


class Running(NamedTuple):
    """A projector in a thread. `ended` holds what it ended with, once it has: an error, or None."""

    feed: WatchedFeed
    projector: Projector
    meter: Meter
    ended: list[BaseException | None]


@contextmanager
def running(scene: Scene, group: str | None = None, max_records: int = 5000) -> Iterator[Running]:
    """A projector that runs on in a thread, stopped at the end of the block; its error is raised there."""
    feed = WatchedFeed(scene.bootstrap, scene.topic, group or new_group(), max_records=max_records)
    with KafkaTopic(scene.bootstrap, scene.topic) as log, closing(PostgresLedger(scene.url, scene.topic)) as ledger:
        projector, meter = make_projector(feed, log, ledger)
        ended: list[BaseException | None] = []
        thread = threading.Thread(target=lambda: ended.append(_outcome(projector)))
        thread.start()
        try:
            yield Running(feed, projector, meter, ended)
        finally:
            projector.stop()
            thread.join(PATIENCE_S)
            assert not thread.is_alive()
            if ended[0] is not None:
                raise ended[0]


def _outcome(projector: Projector) -> BaseException | None:
    try:
        projector.run()
    except BaseException as error:  # noqa: BLE001 - for the thread that waits
        return error
    return None


def wait_until(is_so: Callable[[], bool], timeout_s: float = PATIENCE_S) -> None:
    """Look again and again until it is so."""
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, f"not within {timeout_s:.0f} s"
        time.sleep(0.02)
