"""Acknowledgements from another thread: whoever waits is woken, however the two threads run."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

import pytest

from adapters.web import acks
from adapters.web.acks import Acks


def test_a_loop_that_drains_before_the_waker_returns_is_woken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    wake = acks._wake

    def slow(loop: asyncio.AbstractEventLoop, drain: Callable[[], None]) -> bool:
        woken = wake(loop, drain)
        time.sleep(0.05)  # the loop runs `drain` meanwhile
        return woken

    monkeypatch.setattr(acks, "_wake", slow)
    assert asyncio.run(_wait_for(3)) == [True, True, True]


async def _wait_for(count: int) -> list[bool]:
    waiting, told = Acks(1.0), []
    for _ in range(count):
        future: Future[None] = Future()
        threading.Timer(0.05, future.set_result, [None]).start()
        told.append(await waiting.wait(future, lambda: None))
        await asyncio.sleep(0.1)
    return told
