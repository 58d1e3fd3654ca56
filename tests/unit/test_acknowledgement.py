"""What an append comes to: each callback runs once, whichever thread is first, and who waits is woken."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from adapters.kafka_log.acknowledgement import Acknowledgement
from domain.errors import LogUnavailable


@pytest.fixture
def _impatient_threads() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_what_it_was_settled_with_is_its_result() -> None:
    answer: Acknowledgement[int] = Acknowledgement()
    assert not answer.done()
    answer.settle(7)
    assert answer.done()
    assert (answer.result(), answer.exception()) == (7, None)


def test_what_it_failed_with_is_raised() -> None:
    answer: Acknowledgement[int] = Acknowledgement()
    answer.fail(LogUnavailable("away"))
    assert isinstance(answer.exception(), LogUnavailable)
    with pytest.raises(LogUnavailable):
        answer.result()


def test_callbacks_run_in_order_when_it_is_settled_and_at_once_afterwards() -> None:
    answer: Acknowledgement[int] = Acknowledgement()
    told: list[int] = []
    answer.add_done_callback(lambda settled: told.append(settled.result()))
    answer.add_done_callback(lambda settled: told.append(settled.result() * 2))
    assert told == []
    answer.settle(7)
    answer.add_done_callback(lambda settled: told.append(settled.result() * 3))
    assert told == [7, 14, 21]


def test_who_waits_is_woken_by_another_thread_and_not_before() -> None:
    answer: Acknowledgement[int] = Acknowledgement()
    with pytest.raises(TimeoutError):
        answer.result(0.01)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(answer.result, 10)
        answer.settle(7)
        assert waiting.result(10) == 7


@pytest.mark.usefixtures("_impatient_threads")
def test_a_callback_that_is_added_while_it_is_settled_runs_once() -> None:
    answers: list[Acknowledgement[int]] = [Acknowledgement() for _ in range(5_000)]
    told: list[int] = []

    def settle() -> None:
        for number, answer in enumerate(answers):
            answer.settle(number)

    settler = threading.Thread(target=settle)
    settler.start()
    for answer in answers:
        answer.add_done_callback(lambda settled: told.append(settled.result()))
    settler.join()
    assert sorted(told) == list(range(5_000))
