"""How the projector ends while the ledger is away: at once, with the reason, and not after the ledger is back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

import pytest

from adapters.memory import MemoryLedger, MemoryTransaction
from domain.errors import LedgerError, LedgerUnavailable, PositionError
from domain.ports import Slice
from tests.unit.test_projector import World, fill

WITHIN_S = 30


class Away(MemoryLedger):
    """Positions can be read, and nothing written."""

    def begin(self, moves: Mapping[int, tuple[int, int]]) -> AbstractContextManager[MemoryTransaction]:  # type: ignore[override]
        raise LedgerUnavailable("away")


@pytest.fixture
def world() -> World:
    world = World(Away("topic"))
    fill(world.log, 40)
    return world


def end_of(world: World, until: Callable[[], None]) -> LedgerError:
    """What `run` raises, after `until`; in time."""
    raised: list[LedgerError] = []

    def run() -> None:
        try:
            world.projector.run()
        except LedgerError as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    until()
    thread.join(WITHIN_S)
    (error,) = raised
    return error


def test_a_refusal_is_not_held_back_by_a_batch_that_waits_for_the_ledger(world: World) -> None:
    poll = world.feed.poll

    def refuse(timeout_s: float) -> Mapping[int, Slice]:
        if world.meter.retries:
            raise PositionError("the log no longer holds it")
        return poll(timeout_s) if not world.meter.batches and world.projector._pending is None else {}

    world.feed.poll = refuse  # type: ignore[method-assign]
    assert isinstance(end_of(world, lambda: None), PositionError)


def test_stop_does_not_wait_for_a_ledger_that_is_away(world: World) -> None:
    def stop() -> None:
        deadline = threading.Event()
        while not world.meter.retries:
            deadline.wait(0.01)
        world.projector.stop()

    assert isinstance(end_of(world, stop), LedgerUnavailable)
