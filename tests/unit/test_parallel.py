"""Work in several processes: every result, in order; and no result where a process fails."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from consumers.bootstrap.parallel import WorkerLost, work_on
from domain.errors import LogUnavailable


@pytest.fixture(autouse=True)
def _two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


def double(task: int, reached: Callable[[int], None]) -> int:
    """Twice the task."""
    reached(task)
    return 2 * task


def fail(task: int, reached: Callable[[int], None]) -> int:
    raise LogUnavailable(f"task {task}")


def vanish(task: int, reached: Callable[[int], None]) -> int:
    if task:
        os._exit(9)
    return task


def test_results_come_in_the_order_of_the_tasks_and_progress_adds_up() -> None:
    told: list[int] = []
    assert work_on([1, 2, 3, 4, 5], double, told.append) == [2, 4, 6, 8, 10]
    assert sum(told) == 15


def test_one_task_needs_no_process() -> None:
    told: list[int] = []
    assert (work_on([7], double, told.append), told) == ([14], [7])
    assert work_on([], double, told.append) == []


def test_what_a_worker_refuses_is_raised_here() -> None:
    with pytest.raises(LogUnavailable, match="task "):
        work_on([0, 1], fail, lambda more: None)


def test_a_worker_that_vanishes_is_an_error_and_not_a_shorter_result() -> None:
    with pytest.raises(WorkerLost):
        work_on([0, 1], vanish, lambda more: None)
