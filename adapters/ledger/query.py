"""Reading the views from an event loop, through a pool: for the read API, the page and the waiters.

Postgres may go away and come back: a call fails with LedgerUnavailable within seconds meanwhile, and the first one
after it works, as nothing of the old connections is kept.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from adapters.ledger import selects
from adapters.ledger.changes import CHANGES, parameters, to_page
from adapters.ledger.columns import to_record
from adapters.ledger.connection import CONNECT_TIMEOUT_S, OPTIONS, translated
from domain.books import Position
from domain.decision import Decision
from domain.errors import Contended, LedgerUnavailable
from domain.event import Sighting
from domain.lifecycle import Status
from domain.reading import OPEN_DECISIONS, ChangePage, Offsets, Wanted

ViewRow = dict[str, Any]

#: How long a call may wait for a connection, Postgres may work on a statement, and its answer may take to come.
CONNECTION_WITHIN_S = 2.0
STATEMENT_TIMEOUT_MS = 3_000
ANSWER_WITHIN_S = 4.0

#: Keywords of a connection, and of the pool. (A reference in a bench has the same ones.)
CONNECTION: Mapping[str, Any] = {
    "autocommit": True,
    "prepare_threshold": None,
    "connect_timeout": CONNECT_TIMEOUT_S,
    "options": f"{OPTIONS} -c statement_timeout={STATEMENT_TIMEOUT_MS}",
    "application_name": "inquiry-ledger-reader",
}
TIMEOUTS: Mapping[str, Any] = {
    "timeout": CONNECTION_WITHIN_S,
    "reconnect_timeout": CONNECTION_WITHIN_S,  # given up, and begun anew by the next call: no growing pauses
}
MIN_SIZE, MAX_SIZE = 2, 8

Connection = psycopg.AsyncConnection[DictRow]


class LedgerQuery:
    """`domain.reading.DecisionReader` and `ChangeReader` on Postgres, for one topic. To be opened in a running loop;
    opening waits for nothing, so that a server can start before its Postgres."""

    def __init__(self, url: str, topic: str, *, min_size: int = MIN_SIZE, max_size: int = MAX_SIZE) -> None:
        self._topic = topic
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            url,
            open=False,
            name="ledger",
            min_size=min_size,
            max_size=max_size,
            connection_class=Connection,
            kwargs={**CONNECTION, "row_factory": dict_row},
            **TIMEOUTS,
        )

    async def open(self) -> None:
        """Begin to connect."""
        await self._pool.open()

    async def close(self) -> None:
        """Close every connection. It cannot be opened again."""
        await self._pool.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def decision(self, inquiry_id: str) -> ViewRow | None:
        """The row of `current_decision`; None where the inquiry is unknown."""
        rows = await self._rows(selects.DECISION, {"id": inquiry_id})
        return rows[0] if rows else None

    async def decisions(self, inquiry_ids: Collection[str]) -> Sequence[ViewRow]:
        """Rows of `current_decision`, of those inquiries that are known, by inquiry id."""
        return await self._rows(selects.DECISIONS, {"ids": [*filter(_can_be_kept, inquiry_ids)]})

    async def find(self, wanted: Wanted, after: str | None, limit: int) -> Sequence[ViewRow]:
        """Rows of `current_decision` with an id greater than `after`, by inquiry id."""
        return await self._rows(selects.FIND, {**_filters(wanted), "after": after, "limit": limit})

    async def find_longest(self, wanted: Wanted, limit: int) -> Sequence[ViewRow]:
        """The first `limit` of them, those first that have been in their status the longest; one that never had a
        status counts from its last event."""
        return await self._rows(selects.FIND_LONGEST, {**_filters(wanted), "limit": limit})

    async def history(self, inquiry_id: str) -> Sequence[ViewRow]:
        """Rows of `inquiry_history`, in canonical order."""
        return await self._rows(selects.HISTORY, {"id": inquiry_id})

    async def revisions(self, inquiry_id: str) -> Sequence[ViewRow]:
        """Rows of `decision_revision`, by revision."""
        return await self._rows(selects.REVISIONS, {"id": inquiry_id})

    async def records(self, inquiry_id: str) -> Sequence[Sighting]:
        """Every record of its folded events, losers of conflicts included, in the order of the log."""
        return [to_record(row) for row in await self._rows(selects.RECORDS, {"id": inquiry_id})]

    async def changes(self, offsets: Offsets, limit: int) -> ChangePage:
        """The next revisions: see `adapters.ledger.changes`."""
        return to_page(await self._rows(CHANGES, parameters(self._topic, offsets, limit)), offsets)

    async def positions(self) -> Sequence[Position]:
        """How far each partition of the topic is projected, by partition."""
        return [Position(**row) for row in await self._rows(selects.POSITIONS, {"topic": self._topic})]

    async def books(self) -> Sequence[ViewRow]:
        """Rows of `books`."""
        return await self._rows(selects.BOOKS, {})

    async def quarantine(self, reason: str | None = None, limit: int = 100) -> Sequence[ViewRow]:
        """Rows of `quarantine`, in the order of the log."""
        return await self._rows(selects.QUARANTINE, {"reason": reason, "limit": limit})

    async def counts(self) -> Sequence[ViewRow]:
        """How many inquiries there are: `status`, `decision`, `inquiries`. Reads every row."""
        return await self._rows(selects.COUNTS, {})

    async def refused(self, limit: int = 100) -> Sequence[ViewRow]:
        """Rows of `inquiry_history` that the lifecycle refused, of the inquiries that moved last, the newest first."""
        return await self._rows(selects.REFUSED, {"limit": limit})

    async def _rows(self, statement: str, values: Mapping[str, Any]) -> list[ViewRow]:
        if not all(map(_can_be_kept, values.values())):
            return []
        with _translated():
            try:
                return await self._ask(statement, values)
            except _Ended:
                await self._pool.check()  # its neighbours have ended as well: a restart ends them all
                return await self._ask(statement, values)

    async def _ask(self, statement: str, values: Mapping[str, Any]) -> list[ViewRow]:
        async with self._pool.connection() as connection:
            deadline = asyncio.get_running_loop().call_later(ANSWER_WITHIN_S, _hang_up, connection)
            try:
                return await (await connection.execute(statement, values)).fetchall()
            except psycopg.OperationalError as error:
                if connection.closed and _is_before(deadline):
                    raise _Ended from error
                raise
            finally:
                deadline.cancel()


class _Ended(psycopg.OperationalError):
    """The connection that the pool gave was ended by the server: another may work."""


def _is_before(deadline: asyncio.TimerHandle) -> bool:
    return asyncio.get_running_loop().time() < deadline.when()


def _hang_up(connection: Connection) -> None:
    """End a connection whose server does not answer, not even to a request to cancel: to whoever waits on it, it looks
    as if the server had ended it."""
    with suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)


def _can_be_kept(value: Any) -> bool:
    """Whether Postgres can keep this text, so that there can be rows with it."""
    return not isinstance(value, str) or ("\0" not in value and _is_unicode(value))


def _is_unicode(value: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _filters(wanted: Wanted) -> dict[str, Any]:
    """The parameters of FIND and FIND_LONGEST."""
    possible = Decision if wanted.unmoved_since is None else OPEN_DECISIONS
    return {
        **wanted._asdict(),
        "decisions": [decision.value for decision in possible if wanted.decision in (None, decision)],
        "statuses": [status.value for status in Status if wanted.status in (None, status)],
    }


@contextmanager
def _translated() -> Iterator[None]:
    """To a reader also a lock that somebody holds, or a standby that is in the way, means: try again."""
    try:
        with translated():
            yield
    except Contended as error:
        raise LedgerUnavailable("Postgres is busy with what would be read: try again") from error
