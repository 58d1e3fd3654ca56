"""uvicorn's HTTP protocol with bounds it lacks with httptools: on the head's size, on connections, on time.

Without them a sender could keep a connection for ever by sending nothing, or fill the memory with header fields.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from adapters.web.one_write import OneWrite
from adapters.web.refusal import BAD_REQUEST, HEAD_TOO_LARGE, SLOW, TOO_MANY_CONNECTIONS, UPGRADE
from adapters.web.reply import Problem, reply_problem
from domain.errors import LedgerError

#: As much as asyncio and uvloop read at once.
_READ_BYTES = 262_144

#: httptools takes what follows a request for another protocol as that protocol: the body would be lost.
_BODILESS = (b"GET", b"HEAD")


class HeadRefused(LedgerError):
    """A request that is refused for its head."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    #: As h11, uvicorn's other parser, has it.
    max_head_bytes = 65_536

    #: Of one process. Each costs a file descriptor, of which a process has 1024 by default on Linux.
    max_connections = 900

    #: From a request's first byte (or the connection's begin) to its last. More than a body may take, so that the
    #: application answers first.
    request_timeout_s = 40.0

    _watch: asyncio.TimerHandle | None = None
    _since: float | None = None
    _head_bytes = 0
    _chunk_bytes = 0
    _is_in_head = True
    _problem = BAD_REQUEST

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Refused at once where there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            self._refuse(TOO_MANY_CONNECTIONS)
        else:
            self._since = self.loop.time()
            self._watch = self.loop.call_later(self.request_timeout_s, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """uvicorn's, and nothing to watch any more."""
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Counts a head that is not whole yet. It may be one reading too much: the end of the body before it."""
        self._chunk_bytes = len(data)
        super().data_received(data)
        if self._is_in_head and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > self.max_head_bytes + _READ_BYTES:
                self._refuse(HEAD_TOO_LARGE)

    def on_message_begin(self) -> None:
        """A request's first byte is here."""
        super().on_message_begin()
        self._since = self.loop.time()

    def on_headers_complete(self) -> None:
        """A request's head is here. What is raised makes uvicorn call `send_400_response`."""
        self._is_in_head = False
        most, self._head_bytes = self._head_bytes + self._chunk_bytes, 0
        if most > self.max_head_bytes and self._count_head() > self.max_head_bytes:
            self._problem = HEAD_TOO_LARGE
            raise HeadRefused
        if self.parser.should_upgrade() and self.parser.get_method() not in _BODILESS:
            self._problem = UPGRADE
            raise HeadRefused
        super().on_headers_complete()
        self.cycle.transport = OneWrite(self.transport, self.loop)  # type: ignore[assignment]

    def _count_head(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def on_message_complete(self) -> None:
        """A request's last byte is here."""
        self._is_in_head = True
        self._since = None
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """A problem document, where uvicorn has plain text."""
        self._refuse(self._problem)

    def _look(self) -> None:
        """One timer a connection, moved on when it rings: a timer a request costs more than the clock."""
        now = self.loop.time()
        end = self.request_timeout_s + (now if self._since is None else self._since)
        if end <= now:
            self._expire()
        else:
            self._watch = self.loop.call_at(end, self._look)

    def _expire(self) -> None:
        """Without an answer where the application may be giving one."""
        if self._is_in_head and (self.cycle is None or self.cycle.response_complete):
            self._refuse(SLOW)
        else:
            self.transport.close()

    def _refuse(self, problem: Problem) -> None:
        whole = reply_problem(problem)
        phrase = HTTPStatus(problem.status).phrase.encode()
        fields = [b"%b: %b" % field for field in whole.start["headers"]]
        head = b"\r\n".join([b"HTTP/1.1 %d %b" % (problem.status, phrase), *fields, b"", b""])
        self.transport.write(head + whole.body["body"])
        self.transport.close()
