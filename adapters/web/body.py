"""A request's body under limits of size, memory and time. The exact bytes, or a refusal."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import Receive

from adapters.web.deadlines import Deadlines
from adapters.web.load import Hold, Load
from adapters.web.refusal import OVERLOADED, SLOW, TOO_LARGE, Disconnected, Refused

#: A length of more digits is too large whatever it says; `int` takes its time on thousands of them.
_MAX_LENGTH_DIGITS = 18


def declared_length(text: bytes, max_bytes: int) -> int:
    """What Content-Length says, 0 where it says nothing of use. Refused: too_large."""
    if not text.isdigit():
        return 0
    length = int(text) if len(text) <= _MAX_LENGTH_DIGITS else max_bytes + 1
    if length > max_bytes:
        raise Refused(TOO_LARGE)
    return length


Reading = asyncio.Task[Any] | None
"""The task that reads; asyncio's type allows for none."""


class BodyReader:
    """Reads bodies."""

    def __init__(self, load: Load, max_bytes: int, timeout_s: float) -> None:
        """`timeout_s`: how long one body may take, from the end of its head to its last byte."""
        self._load = load
        self._max_bytes = max_bytes
        self._deadlines: Deadlines[Reading] = Deadlines(timeout_s, self._cut_off)
        self._cut: set[Reading] = set()

    async def read(self, receive: Receive, hold: Hold) -> bytes:
        """The whole body, counted into `hold` as it comes. Refused: too_large, overloaded, slow. Disconnected."""
        task = asyncio.current_task()
        self._deadlines.begin(task)
        try:
            body, more = await self._read_chunk(receive, hold)
            return await self._read_on(receive, hold, bytearray(body)) if more else body
        except asyncio.CancelledError as error:
            if task is None or task not in self._cut:
                raise
            self._cut.remove(task)
            task.uncancel()
            raise Refused(SLOW) from error
        finally:
            self._deadlines.end(task)

    def _cut_off(self, task: Reading) -> None:
        if task is not None:
            self._cut.add(task)
            task.cancel()

    async def _read_on(self, receive: Receive, hold: Hold, body: bytearray) -> bytes:
        more = True
        while more:
            chunk, more = await self._read_chunk(receive, hold)
            body += chunk
        return bytes(body)

    async def _read_chunk(self, receive: Receive, hold: Hold) -> tuple[bytes, bool]:
        message = await receive()
        if message["type"] != "http.request":
            raise Disconnected
        chunk: bytes = message.get("body", b"")
        if hold.bytes + len(chunk) > self._max_bytes:
            raise Refused(TOO_LARGE)
        if not self._load.has_room(len(chunk)):
            raise Refused(OVERLOADED)
        hold.grow(len(chunk))
        return chunk, message.get("more_body", False)
