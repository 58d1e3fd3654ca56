"""How far the ledger is behind its log: never less than it is, and known, not estimated."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from adapters.web.api.lag import Lag
from domain.errors import LogUnavailable
from tests.apis import Reading, settle
from tests.builders import event


class Log:
    """A log whose ends, and a clock whose time, a test sets."""

    def __init__(self) -> None:
        self.ends: dict[int, int] = {0: 0, 1: 0}
        self.now = 1000.0
        self.is_away = False
        self.lag = Lag(self.read_ends, lambda: self.now)

    def read_ends(self) -> dict[int, int]:
        if self.is_away:
            raise LogUnavailable("of this test")
        return dict(self.ends)

    def look(self, *, after_s: float = 0.0, **ends: int) -> None:
        """Time passes, records are appended, and the end is looked at."""
        self.now += after_s
        self.ends.update({int(name.removeprefix("p")): end for name, end in ends.items()})
        asyncio.run(self.lag.look())


@pytest.fixture
def log() -> Log:
    return Log()


def test_nothing_is_known_before_the_first_look(log: Log) -> None:
    assert log.lag.seconds() is None
    log.lag.move({0: 5, 1: 5}, False)
    assert log.lag.seconds() is None


def test_a_ledger_that_has_all_of_it_is_not_behind(log: Log) -> None:
    log.lag.move({0: 7, 1: 3}, False)
    log.look(p0=7, p1=3)
    assert log.lag.seconds() == 0


def test_a_ledger_that_has_not_reached_a_look_yet_is_known_by_the_one_before(log: Log) -> None:
    log.lag.move({0: 7, 1: 3}, False)
    log.look(p0=7, p1=3)
    log.look(after_s=4, p0=8)
    log.look(after_s=5, p0=9)
    assert log.lag.seconds() == 9
    log.lag.move({0: 8, 1: 3}, False)
    assert log.lag.seconds() == 5
    log.lag.move({0: 9, 1: 3}, False)
    assert log.lag.seconds() == 0


def test_every_partition_has_to_be_there(log: Log) -> None:
    log.look(p0=1, p1=1)
    log.lag.move({0: 1}, False)
    assert log.lag.seconds() is None
    log.lag.move({0: 1, 1: 1}, False)
    assert log.lag.seconds() == 0


@pytest.mark.parametrize(("after_s", "told"), [(0.5, 0), (0.99, 0), (1.0, 1), (1.01, 2), (61.5, 62)])
def test_seconds_are_rounded_up_so_that_it_is_never_less(log: Log, after_s: float, told: int) -> None:
    log.look()
    log.now += after_s
    assert log.lag.seconds() == told


def test_where_the_log_does_not_answer_the_number_grows(log: Log) -> None:
    log.look()
    log.is_away = True
    log.look(after_s=30)
    log.look(after_s=30)
    assert log.lag.seconds() == 60
    log.is_away = False
    log.look(after_s=1)
    assert log.lag.seconds() == 0


def test_a_ledger_that_is_emptied_knows_nothing_until_it_has_caught_up(log: Log) -> None:
    log.lag.move({0: 7, 1: 3}, False)
    log.look(p0=7, p1=3)
    log.lag.move({}, True)
    assert log.lag.seconds() is None
    log.look(after_s=2)
    log.lag.move({0: 7, 1: 3}, False)
    assert log.lag.seconds() == 0


def test_ends_of_a_log_that_was_deleted_are_not_waited_for(log: Log) -> None:
    log.look(p0=1_000)
    log.look(after_s=1, p0=2)
    log.lag.move({0: 2, 1: 0}, False)
    assert log.lag.seconds() == 0


def test_a_night_behind_costs_no_memory_and_stays_known(log: Log) -> None:
    async def look_all_night() -> None:
        await log.lag.look()
        for number in range(3_000):
            log.now += 1
            log.ends[0] = 1 + number
            await log.lag.look()

    asyncio.run(look_all_night())
    assert log.lag.seconds() == 3_000
    log.lag.move({0: 1_500, 1: 0}, False)
    told = log.lag.seconds()
    assert told is not None
    assert 1_500 <= told <= 1_520
    assert len(log.lag._looks) <= 1_000


def test_every_answer_with_data_says_it() -> None:
    reading = Reading(ends={0: 1, 1: 0})
    reading.write(event("created", 1))
    paths = ("/v1/inquiries/inq_1", "/v1/inquiries", "/v1/inquiries/inq_1/history", "/v1/changes", "/v1/lifecycle")

    async def scenario() -> list[Any]:
        async with reading.client() as client:
            await settle(lambda: reading.count("ledger_api_lag_seconds") == 0)
            return [await client.get(path) for path in paths]

    assert {answer.headers["ledger-lag-seconds"] for answer in asyncio.run(scenario())} == {"0"}


def test_readiness_wants_it_known_and_small(monkeypatch: pytest.MonkeyPatch) -> None:
    reading = Reading(ends={0: 5})
    (problem,) = reading.ask("/readyz").json()["problems"]
    assert "not known yet" in problem
    monkeypatch.setattr(Lag, "seconds", lambda lag: 61)
    assert reading.ask("/readyz").json()["problems"] == ["the ledger is 61 s behind the log"]
    monkeypatch.setattr(Lag, "seconds", lambda lag: 60)
    assert reading.ask("/readyz").json() == {"status": "ready", "problems": []}
