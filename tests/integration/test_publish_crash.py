"""Publishers that are killed, frozen or cut off: every revision is published, in order, and nothing old after it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import psycopg

from tests.integration.publishing import PublisherProcess, publishers
from tests.integration.scene import Scene, wait_until
from tests.integration.stand import Stand, make_stand, simulated

PAGE_ROWS = 40

#: Step of a page → whether a publisher that ends there leaves a page that is published again: its position had not
#: moved yet.
KILLED_AT = {"sending": False, "sent": False, "published": True, "moved": False}

#: Step → why one that was frozen there begins again, once it wakes up and another publishes. In the midst of sending it
#: may first find that it has missed Kafka's answer.
FROZEN_AT = {"read": {"fenced"}, "sending": {"fenced", "unavailable"}}


def count_repeated(stand: Stand) -> int:
    return len(stand.read()) - len(stand.revisions())


def test_a_publisher_killed_at_any_step_leaves_no_gap_and_repeats_a_page_at_most(scene: Scene) -> None:
    stand = make_stand(scene)
    stand.write(simulated(31, 500))
    with publishers() as start:
        for step in KILLED_AT:
            publisher = start(stand, step=step, turn=2 * PAGE_ROWS - 3 if step == "sending" else 2, page_rows=PAGE_ROWS)
            assert publisher.wait_for_step() == step
            assert publisher.wait() == -signal.SIGKILL
    stand.publish()
    stand.check()
    assert count_repeated(stand) == PAGE_ROWS * sum(KILLED_AT.values())


class Haunted(NamedTuple):
    """One frozen in the midst of its work, and its successor."""

    stand: Stand
    step: str
    zombie: PublisherProcess
    successor: PublisherProcess


def test_a_frozen_publisher_is_succeeded_fenced_and_of_use_again(make_scene: Callable[[], Scene]) -> None:
    with publishers() as start:
        haunted = [haunt(start, make_stand(make_scene()), step) for step in FROZEN_AT]
        stands = [each.stand for each in haunted]
        write_more(stands, 33)
        assert all(each.zombie.is_frozen() for each in haunted)
        for each in haunted:
            each.zombie.process.send_signal(signal.SIGCONT)
        write_more(stands, 34)
        assert stop([each.successor for each in haunted]) == [0, 0]
        write_more(stands, 35)
        assert stop([each.zombie for each in haunted]) == [0, 0]
    for stand, step, zombie, _ in haunted:
        assert {*zombie.retries.split()} & FROZEN_AT[step]
        stand.check()
        assert count_repeated(stand) == 0


def write_more(stands: Sequence[Stand], seed: int) -> None:
    """More for each ledger, until somebody has published it."""
    for stand in stands:
        stand.write(simulated(seed, 200))
    for stand in stands:
        wait_until(stand.is_published)


def stop(processes: Sequence[PublisherProcess]) -> list[int]:
    """Their exit codes."""
    for process in processes:
        process.process.terminate()
    return [process.wait() for process in processes]


def haunt(start: Callable[..., PublisherProcess], stand: Stand, step: str) -> Haunted:
    """Freeze one at its second page, and start the other."""
    stand.write(simulated(32, 200))
    how: dict[str, Any] = {"page_rows": PAGE_ROWS, "session_ms": 1_500}
    turn = 2 * PAGE_ROWS - 3 if step == "sending" else 2
    zombie = start(stand, step=step, turn=turn, deed=int(signal.SIGSTOP), **how)
    assert zombie.wait_for_step() == step
    wait_until(zombie.is_frozen)
    return Haunted(stand, step, zombie, start(stand, **how))


def test_while_one_publishes_another_stands_by_and_takes_over(scene: Scene) -> None:
    stand = make_stand(scene)
    with stand.publishing() as second:
        with stand.publishing() as first:
            write_more([stand], 36)
            assert min(first.revisions, second.revisions) == 0
            end_session(scene.url)
            write_more([stand], 37)
        write_more([stand], 38)
    assert sorted([*first.retries, *second.retries]) == ["unavailable"]
    stand.check()
    assert count_repeated(stand) == 0


def end_session(url: str) -> None:
    """Of whoever holds the lock."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = "
            "(SELECT oid FROM pg_database WHERE datname = current_database())"
        )
