"""An answer's head and body in one system call. uvicorn writes them apart, and uvloop sends each at once: a second
call, and a second time that the other side wakes up, cost a request about a tenth of its time."""

from __future__ import annotations

import asyncio

_CONTINUE = b"HTTP/1.1 100"


class OneWrite:
    """What one request's answer is written to: its head waits for what follows, at most until the loop's next turn."""

    __slots__ = ("_held", "_is_begun", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""
        self._is_begun = False

    def write(self, data: bytes) -> None:
        """Hold a head; write all else, after the head."""
        if self._is_begun:
            self._write(data)
        elif data.startswith(_CONTINUE):
            self._transport.write(data)
        else:
            self._is_begun = True
            self._held = data
            self._loop.call_soon(self._flush)

    def is_closing(self) -> bool:
        """Of the connection."""
        return self._transport.is_closing()

    def close(self) -> None:
        """Close the connection, once all is written."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._held and not self._transport.is_closing():
            self._write(b"")

    def _write(self, data: bytes) -> None:
        held, self._held = self._held, b""
        self._transport.write(held + data if held else data)
