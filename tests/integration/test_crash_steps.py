"""`kill -9` of the projector at every step between poll and commit: nothing lost, nothing doubled."""

from __future__ import annotations

import signal
from typing import Any

from tests.integration.crashing import workers
from tests.integration.scene import Scene
from tests.integration.traffic import append_all, leave_gaps, traffic

#: Step → the how many-th time it is reached is the last.
STEPS = {
    "assigned": 1,
    "positions read": 1,
    "polled": 2,
    "decoding": 130,
    "begin": 2,
    "fenced": 2,
    "loaded": 2,
    "found": 2,
    "history read": 2,
    "storing": 4,
    "stored": 2,
    "before COMMIT": 2,
    "after COMMIT": 2,
    "telling the group": 2,
    "group told": 2,
}

#: Reached when it leaves the group, at the end of the topic.
AT_THE_END = ("revoked", "let go")


def test_a_projector_killed_at_any_step_loses_nothing_and_doubles_nothing(scene: Scene) -> None:
    sent = traffic(1, 4_200)
    append_all(scene.bootstrap, scene.topic, sent[:4_000])
    leave_gaps(scene.bootstrap, scene.topic, range(6), abort=True)
    for step, turn in STEPS.items():
        kill_at(scene, step, turn=turn)
    for number, step in enumerate(AT_THE_END):
        append_all(scene.bootstrap, scene.topic, sent[4_000 + 100 * number : 4_100 + 100 * number])
        kill_at(scene, step, until_end=True, max_records=1_000)
    scene.project()
    scene.check()


def kill_at(scene: Scene, step: str, **orders: Any) -> None:
    """Run one that kills itself there, in the midst of its work, and look at what it leaves."""
    with workers() as start:
        worker = start(scene, step=step, **orders)
        assert worker.wait_for_step() == step
        assert worker.wait() == -signal.SIGKILL
    scene.check_books()
