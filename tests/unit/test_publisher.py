"""The publisher's loop: what it does in which order, and how it begins again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence

import pytest
from prometheus_client import CollectorRegistry

from adapters.settings import Settings
from consumers import bootstrap
from consumers.publisher import BACKOFF_FIRST_S, BACKOFF_LAST_S, WAIT_S, Publisher
from consumers.publisher_metrics import PublisherMetrics
from domain.errors import Contended, Fenced, LedgerUnavailable, LogUnavailable, SettingsError, TopicError
from domain.publication import Move, Publishable
from domain.reading import ViewRow

Hook = Callable[[], None]


class World:
    """A ledger of one partition and its feed, both of which do as they are told, and write down what was done."""

    def __init__(self, revisions: int = 0) -> None:
        self.revisions = revisions
        self.published_to = 0
        self.feed: list[int] = []
        self.done: list[str] = []
        self.is_free = True
        self.trouble: dict[str, list[Exception]] = {}  # step → what it meets, one after the other
        self.hooks: dict[str, list[Hook]] = {}
        self.registry = CollectorRegistry()
        self.publisher = Publisher(self, _Feed(self), PublisherMetrics(self.registry), page_rows=2)

    def step(self, name: str) -> None:
        self.done.append(name)
        for what in (self.hooks, self.trouble):
            if what.get(name):
                met = what[name].pop(0)
                if isinstance(met, Exception):
                    raise met
                met()

    def take(self) -> bool:
        self.step("take")
        return self.is_free

    def progress(self) -> Mapping[int, tuple[int, int]]:
        return {0: (self.published_to, self.revisions)}

    def read(self, limit: int) -> Publishable:
        self.step("read")
        following = min(self.published_to + limit, self.revisions)
        rows: Sequence[ViewRow] = [{"revision": number} for number in range(self.published_to, following)]
        moves = [Move(0, "id", ("id", self.published_to), following)] if rows else []
        return Publishable(rows, moves, {0: self.revisions - following})

    def move(self, moves: Sequence[Move]) -> None:
        self.step("move")
        self.published_to = moves[0].next_offset

    def wait(self, timeout_s: float) -> None:
        self.step(f"wait {timeout_s}")

    def close(self) -> None:
        self.done.append("let go")

    def metric(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


class _Feed:
    def __init__(self, world: World) -> None:
        self._world = world

    def open(self) -> None:
        self._world.step("open")

    def publish(self, rows: Sequence[ViewRow]) -> None:
        self._world.step("publish")
        self._world.feed += [row["revision"] for row in rows]

    def close(self) -> None:
        self._world.done.append("close")


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited; nothing is."""
    waited: list[float] = []

    def wait(event: threading.Event, seconds: float) -> bool:
        waited.append(seconds)
        return event.is_set()

    monkeypatch.setattr(threading.Event, "wait", wait)
    return waited


def test_it_takes_the_lock_opens_the_feed_and_only_then_reads() -> None:
    world = World(3)
    world.publisher.run(until_end=True)
    page = ["read", "publish", "move"]
    assert world.done == ["take", "open", *page, "wait 0", *page, "close", "let go"]
    assert world.feed == [0, 1, 2]


def test_it_waits_only_where_there_is_nothing_to_publish() -> None:
    world = World(1)
    world.hooks[f"wait {WAIT_S}"] = [lambda: None, world.publisher.stop]
    world.publisher.run()
    assert world.done[5:] == ["wait 0", *["read", f"wait {WAIT_S}"] * 2, "close", "let go"]


def test_a_position_moves_only_after_its_page_is_published() -> None:
    world = World(4)
    world.trouble["publish"] = [LogUnavailable("away")]
    world.publisher.run(until_end=True)
    assert world.done[:6] == ["take", "open", "read", "publish", "close", "let go"]
    assert world.feed == [0, 1, 2, 3]


def test_a_page_whose_position_could_not_be_moved_is_published_again() -> None:
    world = World(4)
    world.trouble["move"] = [LedgerUnavailable("away")]
    world.publisher.run(until_end=True)
    assert world.feed == [0, 1, 0, 1, 2, 3]


@pytest.mark.parametrize("step", ["take", "open", "read", "publish", "move", "wait 0"])
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (LogUnavailable("away"), "unavailable"),
        (LedgerUnavailable("away"), "unavailable"),
        (Contended("held"), "contended"),
        (Fenced("taken over"), "fenced"),
    ],
)
def test_whatever_goes_wrong_it_begins_again_with_the_lock(step: str, error: Exception, reason: str) -> None:
    world = World(3)
    world.trouble[step] = [error]
    world.publisher.run(until_end=True)
    failed = world.done.index(step)
    assert world.done[failed + 1 : failed + 5] == ["close", "let go", "take", "open"]
    assert world.metric("ledger_publish_retries_total", reason=reason) == 1
    assert list(dict.fromkeys(world.feed)) == [0, 1, 2]


def test_between_attempts_it_waits_longer_and_longer_until_a_page_is_through(pauses: list[float]) -> None:
    world = World(3)
    world.trouble["open"] = [LogUnavailable("away")] * 8
    world.trouble["move"] = [LedgerUnavailable("away")]
    world.publisher.run(until_end=True)
    expected = [min(BACKOFF_FIRST_S * 2**number, BACKOFF_LAST_S) for number in range(9)]
    assert pauses == expected


def test_a_refusal_ends_it_and_lets_another_publish() -> None:
    world = World(1)
    world.trouble["open"] = [TopicError("no topic")]
    with pytest.raises(TopicError):
        world.publisher.run()
    assert world.done[-2:] == ["close", "let go"]


def test_told_to_stop_it_finishes_the_page() -> None:
    world = World(9)
    world.hooks["publish"] = [world.publisher.stop]
    world.publisher.run()
    assert (world.feed, world.published_to) == ([0, 1], 2)
    assert world.done[-2:] == ["close", "let go"]


def test_while_another_publishes_it_stands_by_and_touches_nothing() -> None:
    world = World(2)
    world.is_free = False
    world.hooks["take"] = [lambda: None, lambda: None, lambda: setattr(world, "is_free", True)]
    world.publisher.run(until_end=True)
    assert world.done[:4] == ["take", "take", "take", "open"]
    assert world.feed == [0, 1]


def test_until_the_end_is_also_reached_where_another_publishes() -> None:
    world = World(2)
    world.is_free = False
    world.hooks["take"] = [lambda: None, lambda: setattr(world, "published_to", 2)]
    world.publisher.run(until_end=True)
    assert world.done == ["take", "take", "close", "let go"]


def test_until_the_end_means_what_was_there_at_the_start() -> None:
    world = World(2)
    world.hooks["publish"] = [lambda: setattr(world, "revisions", world.revisions + 2)] * 9
    world.publisher.run(until_end=True)
    assert world.published_to < world.revisions


def test_it_counts_what_it_publishes_and_reports_the_lag_while_it_is_its_own() -> None:
    world = World(5)
    lags: list[float | None] = []
    world.hooks["wait 0"] = [lambda: lags.append(world.metric("ledger_publish_lag_records", partition="0"))] * 2
    world.publisher.run(until_end=True)
    assert lags == [3, 1]
    assert world.metric("ledger_published_total") == 5
    assert world.metric("ledger_publish_lag_records", partition="0") is None


def test_decisions_are_not_published_to_where_events_are_read_from() -> None:
    said = Settings(topic="inquiry.decisions")
    with pytest.raises(SettingsError, match="LEDGER_TOPIC"), bootstrap.publisher(said, CollectorRegistry()):
        pass
