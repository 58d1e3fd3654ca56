"""How much one process takes on at once, and how long: for each request that is being answered, not for those that
wait. A request that begins to wait says so (`stand_aside`): 5 000 of those cost memory, not work.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.web.body import BodyReader, declared_length
from adapters.web.deadlines import Deadlines
from adapters.web.load import Hold, Load
from adapters.web.refusal import STOPPING, Disconnected, Refused
from adapters.web.reply import Problem, reply_problem, send_reply

_KEY = "inquiry_ledger.turn"
_RETRY = ((b"retry-after", b"2"), (b"cache-control", b"no-store"))

BUSY = Problem(503, "overloaded", "too many requests are being answered", _RETRY)
LATE = Problem(503, "too_slow", "the answer was not there in time", _RETRY)


@dataclass(frozen=True, slots=True)
class ApiLimits:
    """What one process takes on. `max_body_bytes_in_all` is of bodies in memory."""

    max_at_once: int = 512
    max_body_bytes: int = 65_536
    max_body_bytes_in_all: int = 16 * 1024 * 1024
    answer_within_s: float = 10.0
    read_within_s: float = 10.0


def stand_aside(scope: Scope) -> None:
    """From here on this request only waits, or streams: it takes nobody's place, and has no deadline."""
    turn: _Turn | None = scope.get(_KEY)
    if turn is not None:
        turn.end()


class Limiter:
    """The application within its limits."""

    def __init__(self, app: ASGIApp, limits: ApiLimits) -> None:
        self._app = app
        self._limits = limits
        self._load = Load(limits.max_at_once, limits.max_body_bytes_in_all)
        self._bodies = BodyReader(self._load, limits.max_body_bytes, limits.read_within_s)
        self._deadlines: Deadlines[_Turn] = Deadlines(limits.answer_within_s, _Turn.cut_off)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif not self._load.has_room(0):
            await send_reply(send, reply_problem(BUSY))
        else:
            await self._take(scope, receive, send)

    async def _take(self, scope: Scope, receive: Receive, send: Send) -> None:
        turn = _Turn(self._load, self._deadlines, send)
        scope[_KEY] = turn
        try:
            if scope["method"] not in ("GET", "HEAD"):
                receive = await self._read(scope, receive)
            turn.begin()
            await self._app(scope, receive, turn.send)
        except Refused as refused:
            await send_reply(send, reply_problem(refused.problem))
        except Disconnected:
            return
        except asyncio.CancelledError:
            await turn.give_up()
        finally:
            turn.end()
            del scope[_KEY]  # or each request would leave a cycle: scope, turn, send, scope

    async def _read(self, scope: Scope, receive: Receive) -> Receive:
        """The whole body first: what comes after it is only that the client goes away."""
        fields = dict(scope["headers"])
        declared_length(fields.get(b"content-length", b""), self._limits.max_body_bytes)
        with Hold(self._load) as hold:
            body = await self._bodies.read(receive, hold)
        messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive_read() -> Message:
            return messages.pop() if messages else await receive()

        return receive_read


class _Turn:
    """One request that is being answered."""

    __slots__ = ("_deadlines", "_is_counted", "_is_late", "_is_started", "_load", "_send", "_task")

    def __init__(self, load: Load, deadlines: Deadlines[Any], send: Send) -> None:
        self._load = load
        self._deadlines = deadlines
        self._send = send
        self._task = asyncio.current_task()
        self._is_counted = self._is_late = self._is_started = False

    def begin(self) -> None:
        """Counted, and with a deadline."""
        self._is_counted = True
        self._load.records += 1
        self._deadlines.begin(self)

    def end(self) -> None:
        """Counted no more."""
        if self._is_counted:
            self._is_counted = False
            self._load.records -= 1
            self._deadlines.end(self)

    async def send(self, message: Message) -> None:
        """To the client; remembers that the answer has begun."""
        self._is_started = True
        await self._send(message)

    def cut_off(self) -> None:
        """The deadline is over."""
        if self._task is not None:
            self._is_late = True
            self._task.cancel()

    async def give_up(self) -> None:
        """Answer in place of the application: too late, or the server stops and waited long enough."""
        if self._is_late and self._task is not None:
            self._task.uncancel()
        if not self._is_started:
            await send_reply(self._send, reply_problem(LATE if self._is_late else STOPPING))
