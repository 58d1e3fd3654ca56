"""Under load: projectors killed at random, and several at once that come and go."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from contextlib import ExitStack
from random import Random

import pytest

from adapters.kafka_log import feed as feed_module
from tests.integration.crashing import workers
from tests.integration.scene import Running, Scene, new_group, running, wait_until
from tests.integration.traffic import load

KILLS = 5


def test_projectors_killed_at_random_under_load_lose_nothing_and_double_nothing(scene: Scene) -> None:
    rng, group = Random(7), new_group()
    with workers() as start, load(scene.bootstrap, scene.topic, 2):
        for _ in range(KILLS):
            before = scene.offsets()
            worker = start(scene, group=group, max_records=40, session_ms=1_500)
            wait_until(lambda before=before: scene.offsets() != before)  # type: ignore[misc]
            time.sleep(rng.uniform(0, 0.3))
            assert worker.end(signal.SIGKILL) == -signal.SIGKILL
            scene.check_books()
    scene.project()
    scene.check()


def test_projectors_share_the_partitions_and_one_comes_and_goes(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "HEARTBEAT_INTERVAL_MS", 300)  # how soon a member hears of another
    group = new_group()
    with load(scene.bootstrap, scene.topic, 3), ExitStack() as stack:
        members = [stack.enter_context(running(scene, group, max_records=50)) for _ in range(2)]
        wait_until(lambda: share(members))
        with running(scene, group, max_records=50) as third:
            wait_until(lambda: share([*members, third]))
            before = [member.meter.batches for member in (*members, third)]
            wait_until(lambda: all(m.meter.batches > b + 2 for m, b in zip((*members, third), before, strict=True)))
        wait_until(lambda: share(members))
    scene.project()
    scene.check()


def share(members: Sequence[Running]) -> bool:
    """Whether each has a part, and together they have all of the six partitions."""
    held = [member.feed.held for member in members]
    return all(held) and frozenset().union(*held) == frozenset(range(6)) and sum(map(len, held)) == 6
