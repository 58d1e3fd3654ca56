"""The projector's loop, on memory: positions, fencing, retries, ends."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pytest

from adapters.memory import MemoryFeed, MemoryLedger, MemoryLog, MemoryTransaction
from consumers import projector
from consumers.batch import Batch
from consumers.projector import Projector
from domain.aggregate import Changes
from domain.books import Position
from domain.decision import Decision, DecisionPolicy
from domain.errors import Contended, LedgerUnavailable, PositionError, QuarantineReason, RulesError, Undecodable
from domain.event import Event, Placement, Record, Sighting, from_millis
from domain.inquiry import Rules
from domain.lifecycle import Lifecycle
from tests.ledgers import RULES

NAMES = ["inquiry.created", "inquiry.started", "inquiry.completed", "inquiry.approved"]


class Meter:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.batches = 0
        self.retries: list[str] = []
        self.lag: Mapping[int, int] = {}

    def wrote(self, batch: Batch, changes: Changes, seconds: float) -> None:
        self.batches += 1

    def lags(self, records: Mapping[int, int]) -> None:
        self.lag = records

    def retried(self, reason: str) -> None:
        self.retries.append(reason)


def record(partition: int, offset: int, value: bytes = b"") -> Record:
    return Record(Placement("topic", partition, offset, from_millis(offset)), None, value, ())


def decode(record: Record) -> Sighting | None:
    """The value is the number of the inquiry; the offset makes the event."""
    if record.value == b"rubbish":
        raise Undecodable(QuarantineReason.NOT_JSON, "not JSON")
    if record.value == b"other":
        return None
    offset = record.placement.offset
    inquiry = f"inq_{record.placement.partition}_{offset // 4}"
    return Sighting(Event(inquiry, f"evt_{offset}", NAMES[offset % 4], from_millis(offset)), record.placement)


def fill(log: MemoryLog, count: int) -> MemoryLog:
    for partition, records in log.records.items():
        for _ in range(count):
            log.append(partition, record(partition, len(records)))
    return log


class World:
    """A log of two partitions, a ledger, and a projector between them."""

    def __init__(self, ledger: MemoryLedger | None = None, max_records: int = 7, rules: Rules = RULES) -> None:
        self.log = MemoryLog("topic", 2)
        self.ledger = ledger or MemoryLedger("topic")
        self.feed = MemoryFeed(self.log, max_records)
        self.meter = Meter()
        self.projector = Projector(self.feed, self.log, self.ledger, decode, rules, self.meter)

    def run(self) -> World:
        self.projector.run(until_end=True)
        return self

    def offsets(self) -> list[int]:
        return [row["next_offset"] for row in self.ledger.view("books")]

    def statuses(self) -> set[str]:
        return {row["status"] for row in self.ledger.view("current_decision")}


def test_it_reads_to_the_end_that_the_topic_had_at_the_start() -> None:
    world = World()
    fill(world.log, 40)
    world.run()
    assert [row["next_offset"] for row in world.ledger.view("books")] == [40, 40]
    assert all(row["balanced"] for row in world.ledger.view("books"))
    assert len(world.ledger.view("current_decision")) == 20
    assert world.statuses() == {"approved"}
    assert world.feed.committed == {0: 40, 1: 40}


def test_an_empty_topic_ends_at_once() -> None:
    assert World().run().ledger.view("books")[0]["next_offset"] == 0


def test_offsets_without_a_record_are_gaps_and_do_not_stop_it() -> None:
    world = World()
    fill(world.log, 3)
    world.log.append(0, None)
    world.run()
    assert [row["gaps"] for row in world.ledger.view("books")] == [1, 0]
    assert all(row["balanced"] for row in world.ledger.view("books"))


def test_rubbish_goes_to_quarantine_and_the_partition_goes_on() -> None:
    world = World()
    world.log.append(0, record(0, 0, b"rubbish"))
    world.log.append(0, record(0, 1, b"other"))
    world.log.append(0, record(0, 2))
    world.run()
    assert [(row["offset"], row["reason"]) for row in world.ledger.view("quarantine")] == [(0, "not_json")]
    books = world.ledger.view("books")[0]
    assert (books["quarantined"], books["ignored"], books["applied"], books["balanced"]) == (1, 1, 1, True)


def test_a_second_run_goes_on_where_the_ledger_stands_not_where_the_group_does() -> None:
    first = World()
    fill(first.log, 10)
    first.run()
    second = World(first.ledger)
    fill(second.log, 16)
    second.feed.committed = {0: 3, 1: 16}
    second.run()
    assert [row["next_offset"] for row in second.ledger.view("books")] == [16, 16]
    assert sum(row["duplicate"] for row in second.ledger.view("books")) == 0


def test_a_writer_that_was_overtaken_drops_its_batch_and_reads_on_from_the_ledger() -> None:
    class Overtaken(MemoryLedger):
        overtaken = False

        @contextmanager
        def begin(self, moves: Mapping[int, tuple[int, int]]) -> Iterator[MemoryTransaction]:
            if not self.overtaken and moves.get(0, (0, 0))[0] > 0:
                self.overtaken = True
                other = World(self)
                other.log.records = world.log.records
                other.run()
            with super().begin(moves) as transaction:
                yield transaction

    world = World(Overtaken("topic"))
    fill(world.log, 40)
    world.run()
    assert "fenced" in world.meter.retries
    books = world.ledger.view("books")
    assert [(row["applied"], row["duplicate"], row["balanced"]) for row in books] == [(40, 0, True)] * 2


def test_a_ledger_that_was_emptied_meanwhile_is_made_again_from_the_start() -> None:
    class Emptied(MemoryLedger):
        emptied = False

        @contextmanager
        def begin(self, moves: Mapping[int, tuple[int, int]]) -> Iterator[MemoryTransaction]:
            if not self.emptied and moves.get(0, (0, 0))[0] > 0:
                self.reset()
                self.emptied = True
            with super().begin(moves) as transaction:
                yield transaction

    world = World(Emptied("topic"))
    fill(world.log, 40)
    world.run()
    assert [(row["applied"], row["balanced"]) for row in world.ledger.view("books")] == [(40, True)] * 2


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A projector that has read all there is, looks after its ledger often, and goes on."""
    monkeypatch.setattr(projector, "INSPECT_EVERY_S", 0.0)
    world = World()
    fill(world.log, 40)
    thread = threading.Thread(target=world.projector.run)
    thread.start()
    _wait(lambda: world.offsets() == [40, 40])
    yield world
    world.projector.stop()
    thread.join(10)
    assert not thread.is_alive()


def test_a_ledger_that_is_emptied_while_nothing_comes_is_made_again(running: World) -> None:
    running.ledger.reset()
    _wait(lambda: running.offsets() == [40, 40])
    assert [(row["applied"], row["balanced"]) for row in running.ledger.view("books")] == [(40, True)] * 2


def test_a_ledger_that_is_restored_while_nothing_comes_is_brought_up_again(running: World) -> None:
    older = World()
    fill(older.log, 8)
    older.run()
    running.ledger.__dict__.update(older.ledger.__dict__)
    _wait(lambda: running.offsets() == [40, 40])
    assert [(row["applied"], row["balanced"]) for row in running.ledger.view("books")] == [(40, True)] * 2


def test_a_ledger_of_another_log_put_under_a_projector_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projector, "INSPECT_EVERY_S", 0.0)
    world = World()
    with pytest.raises(PositionError, match="another or a recreated topic"):
        world.projector.run(reached=lambda *_: world.ledger.stored.update({0: Position(0, "cluster-2", "t", 0, 3)}))


def test_a_ledger_that_cannot_be_asked_is_asked_again_later(running: World) -> None:
    def away() -> Mapping[int, Position]:
        asked.set()
        raise LedgerUnavailable("away")

    asked, running.ledger.positions = threading.Event(), away  # type: ignore[method-assign]
    assert asked.wait(5)
    fill(running.log, 2)
    _wait(lambda: running.offsets() == [42, 42])


@pytest.mark.parametrize("error", [LedgerUnavailable("away"), Contended("row")])
def test_a_ledger_that_is_away_is_waited_for_and_nothing_is_lost(error: Exception) -> None:
    class Away(MemoryLedger):
        failures = 2

        @contextmanager
        def begin(self, moves: Mapping[int, tuple[int, int]]) -> Iterator[MemoryTransaction]:
            if self.failures:
                self.failures -= 1
                raise error
            with super().begin(moves) as transaction:
                yield transaction

    world = World(Away("topic"))
    fill(world.log, 20)
    world.run()
    assert len(world.meter.retries) == 2
    assert [(row["applied"], row["balanced"]) for row in world.ledger.view("books")] == [(20, True)] * 2


def test_a_commit_whose_answer_was_lost_is_not_written_twice() -> None:
    class Deaf(MemoryLedger):
        deaf = True

        @contextmanager
        def begin(self, moves: Mapping[int, tuple[int, int]]) -> Iterator[MemoryTransaction]:
            with super().begin(moves) as transaction:
                yield transaction
            if self.deaf:
                self.deaf = False
                raise LedgerUnavailable("the answer to COMMIT was lost")

    world = World(Deaf("topic"))
    fill(world.log, 20)
    world.run()
    assert world.meter.retries == ["unavailable", "fenced"]
    assert [(row["applied"], row["duplicate"]) for row in world.ledger.view("books")] == [(20, 0)] * 2


def test_a_rebalance_settles_the_batch_at_hand_and_reads_the_positions_again() -> None:
    world = World()
    fill(world.log, 40)
    poll, polls = world.feed.poll, itertools.count()

    def shaken(timeout_s: float) -> object:
        if next(polls) in (1, 3):
            world.feed.rebalance()
        return poll(timeout_s)

    world.feed.poll = shaken  # type: ignore[assignment, method-assign]
    world.run()
    assert [(row["applied"], row["duplicate"]) for row in world.ledger.view("books")] == [(40, 0)] * 2


def test_stop_ends_it_after_the_batch_at_hand() -> None:
    world = World()
    fill(world.log, 40)
    thread = threading.Thread(target=world.projector.run)
    thread.start()
    _wait(lambda: world.meter.batches > 0)
    world.projector.stop()
    thread.join(10)
    assert not thread.is_alive()
    assert all(row["balanced"] for row in world.ledger.view("books"))


def test_a_recreated_topic_is_refused() -> None:
    world = World()
    fill(world.log, 4)
    world.run()
    again = World(world.ledger)
    again.log.topic_id = "topic-2"
    with pytest.raises(PositionError, match="recreated"):
        again.run()


def test_a_position_above_the_end_or_below_the_first_offset_is_refused() -> None:
    world = World()
    fill(world.log, 4)
    world.ledger.open([Position(0, "cluster-1", "topic-1", 0, 9)])
    with pytest.raises(PositionError, match="stands at offset 9"):
        world.run()


def test_a_ledger_of_another_policy_is_refused() -> None:
    world = World()
    fill(world.log, 4)
    world.run()
    other = World(world.ledger, rules=Rules(Lifecycle(), DecisionPolicy({"completed": Decision.APPROVED})))
    with pytest.raises(RulesError):
        other.run()


def test_progress_counts_offsets_up_to_the_end_of_the_start() -> None:
    world = World()
    fill(world.log, 20)
    seen: list[tuple[int, int]] = []
    world.projector.run(until_end=True, reached=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (40, 40)
    assert seen == sorted(seen)


def _wait(condition: Callable[[], bool]) -> None:
    deadline = threading.Event()
    for _ in range(500):
        if condition():
            return
        deadline.wait(0.01)
    raise AssertionError("did not happen within 5 s")
