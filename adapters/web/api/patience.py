"""Waiting for what the tail will tell: not longer than asked, and not for a client that has gone."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from starlette.requests import Request

from adapters.web.refusal import Disconnected

T = TypeVar("T")


async def within(future: asyncio.Future[T], timeout_s: float, request: Request) -> T | None:
    """The future's result; None where it has none in time. Disconnected. One task a waiter, and one timer."""
    if timeout_s <= 0 and not future.done():
        return None
    timer = asyncio.get_running_loop().call_later(timeout_s, future.cancel)
    gone = asyncio.ensure_future(_until_gone(request))
    gone.add_done_callback(lambda _: future.cancel())
    try:
        return await future
    except asyncio.CancelledError:
        if not future.cancelled() or _is_cancelling():
            raise
        if gone.done():
            raise Disconnected from None
        return None
    finally:
        timer.cancel()
        gone.cancel()


def _is_cancelling() -> bool:
    """Whether it is this task that is cancelled: the server stops, and waited long enough."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        continue
