"""Stands before the whole application: who may not read gets no further. Raw ASGI, since each request passes here.

Open are the probes, the login form and what a browser needs to draw it. `/metrics` needs a token where there are
tokens: it holds nothing personal, but tells how much business there is.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import NamedTuple

from starlette.types import ASGIApp, Receive, Scope, Send

from adapters.web.api.access import Access, bearer_of, cookies_of
from adapters.web.api.origin import is_for_loopback, is_foreign, login_path
from adapters.web.journal import Journal
from adapters.web.reply import Problem, Reply, reply, reply_problem, send_reply

_OPEN = frozenset({"/livez", "/readyz", "/login", "/logout"})
_STATIC = "/static/"
_NO_NAMES = {"", ".", ".."}

#: Where a person may have followed a link, everything else is for programs.
_FOR_PROGRAMS = ("/v1", "/metrics")

_CHALLENGE = b'Bearer realm="inquiry-ledger"'
_NO_STORE = (b"cache-control", b"no-store")

NO_TOKEN = Problem(
    401,
    "no_token",
    "a token is needed: send `Authorization: Bearer …`",
    ((b"www-authenticate", _CHALLENGE), _NO_STORE),
)
WRONG_TOKEN = Problem(
    401,
    "wrong_token",
    "this token is not known here",
    ((b"www-authenticate", _CHALLENGE + b', error="invalid_token"'), _NO_STORE),
)
TOO_MANY_WRONG = Problem(
    429, "too_many_wrong_tokens", "too many wrong tokens: try again later", ((b"retry-after", b"5"), _NO_STORE)
)
FOREIGN = Problem(
    403,
    "cross_site",
    "this request was made by a page of another site; open the address itself, and let a proxy hand on the field Host",
    (_NO_STORE,),
)
NOT_LOOPBACK = Problem(
    403, "wrong_host", "without tokens this is served on localhost only, under that name", (_NO_STORE,)
)


class _Asked(NamedTuple):
    scope: Scope
    fields: Mapping[bytes, bytes]

    @property
    def is_open(self) -> bool:
        """Only what is exactly so: a path with tricks in it is not open, whatever a router would make of it."""
        path: str = self.scope["path"]
        if path in _OPEN:
            return True
        return path.startswith(_STATIC) and "\\" not in path and not _NO_NAMES & set(path[1:].split("/"))

    @property
    def is_for_people(self) -> bool:
        """A page that a browser wants to show."""
        return (
            self.scope["method"] in ("GET", "HEAD")
            and b"text/html" in self.fields.get(b"accept", b"")
            and not self.scope["path"].startswith(_FOR_PROGRAMS)
        )


class Guard:
    """The application behind `access`."""

    def __init__(self, app: ASGIApp, access: Access, journal: Journal) -> None:
        self._app = app
        self._access = access
        self._journal = journal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            asked = _Asked(scope, dict(scope["headers"]))
            problem = self._judge(asked)
            if problem is not None:
                await send_reply(send, self._refuse(asked, problem))
                return
        await self._app(scope, receive, send)

    def _judge(self, asked: _Asked) -> Problem | None:
        """Why it may not pass. Who sends a token acts on purpose; a cookie, or a way to loopback, can be abused."""
        if not self._access.needs_token:
            return _judge_ambient(asked) if is_for_loopback(asked.fields) else NOT_LOOPBACK
        if asked.is_open:
            return FOREIGN if asked.scope["method"] == "POST" and is_foreign(asked.fields) else None
        if b"authorization" in asked.fields:
            token = bearer_of(asked.fields[b"authorization"].decode("latin-1"))
            return NO_TOKEN if token is None else self._judge_token(token)
        cookies = cookies_of(asked.fields.get(b"cookie", b"").decode("latin-1"))
        return _judge_ambient(asked) if any(map(self._access.remembers, cookies)) else NO_TOKEN

    def _judge_token(self, token: str) -> Problem | None:
        if self._access.knows(token):
            return None
        return WRONG_TOKEN if self._access.attempts.count() else TOO_MANY_WRONG

    def _refuse(self, asked: _Asked, problem: Problem) -> Reply:
        if problem is NO_TOKEN and asked.is_for_people:
            return reply(303, b"", b"text/plain", [(b"location", login_path(asked.scope).encode()), _NO_STORE])
        if problem is not TOO_MANY_WRONG:
            self._journal.refused(asked.scope, problem, time.perf_counter(), "")
        return reply_problem(problem)


def _judge_ambient(asked: _Asked) -> Problem | None:
    return FOREIGN if is_foreign(asked.fields) else None
