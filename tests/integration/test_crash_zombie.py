"""A projector that is frozen, loses its partitions to another, and wakes up: it changes nothing that is not its own."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import NamedTuple

from tests.integration.crashing import Worker, workers
from tests.integration.scene import Scene, new_group, wait_until
from tests.integration.traffic import append_all, traffic

#: Where it is frozen → whether its successor is in another group, and so does not wait for its session to end.
#: Frozen inside its transaction it holds locks: the successor meets them, and goes on when Postgres ends the session.
FROZEN_AT = {"polled": False, "begin": False, "loaded": True}


#: Half as long as in production.
SESSION_MS = 5_000


class Haunted(NamedTuple):
    """One frozen in the midst of its work, and its successor."""

    scene: Scene
    zombie: Worker
    successor: Worker


def test_a_frozen_projector_is_succeeded_fenced_and_of_use_again(make_scene: Callable[[], Scene]) -> None:
    sent = traffic(4, 2_400)
    with workers() as start:
        haunted = [haunt(start, make_scene(), step) for step in FROZEN_AT]
        for scene, zombie, _ in haunted:
            wait_until(scene.is_at_end)
            assert zombie.is_frozen()
            append_all(scene.bootstrap, scene.topic, sent[1_200:1_800])
        for scene, zombie, _ in haunted:
            wait_until(scene.is_at_end)
            zombie.process.send_signal(signal.SIGCONT)
        for scene, zombie, successor in haunted:
            append_all(scene.bootstrap, scene.topic, sent[1_800:2_100])
            wait_until(scene.is_at_end)
            assert successor.end() == 0
            append_all(scene.bootstrap, scene.topic, sent[2_100:])
            wait_until(scene.is_at_end)
            assert zombie.end() == 0
            assert "fenced" in zombie.retries
            scene.check()


def haunt(start: Callable[..., Worker], scene: Scene, step: str) -> Haunted:
    """Freeze one at its third batch, and start the other."""
    append_all(scene.bootstrap, scene.topic, traffic(4, 2_400)[:1_200])
    group = new_group()
    zombie = start(scene, group=group, session_ms=SESSION_MS, step=step, turn=3, deed=int(signal.SIGSTOP))
    assert zombie.wait_for_step() == step
    wait_until(zombie.is_frozen)
    assert not scene.is_at_end()
    successor = start(scene, group=new_group() if FROZEN_AT[step] else group, session_ms=SESSION_MS)
    return Haunted(scene, zombie, successor)
