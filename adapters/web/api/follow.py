"""Changes as they come, for one server-sent event stream: read from the ledger until it has caught up, then taken from
the tail, which reads once for all. A reader that falls behind reads for itself again, from where it stands.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from adapters.web.api.cursor import ChangeCursor, encode_changes, topic_id_of
from adapters.web.api.encoding import to_json
from adapters.web.api.inbox import Inbox
from adapters.web.api.tail import Tail
from domain.errors import LedgerError
from domain.reading import ChangePage, ChangeReader, Offsets, ViewRow

_PAGE = 500
_TRY_AGAIN_S = 1.0


class Follower:
    """One stream, and where it stands."""

    def __init__(self, query: ChangeReader, cursor: ChangeCursor) -> None:
        self._query = query
        self._cursor = cursor

    async def events(self, tail: Tail) -> AsyncGenerator[bytes, None]:
        """Chunks of events `revision`: each with its row and, as `id`, the cursor after it. Ends where the process
        stops, and where the ledger is made of another log: who comes again with its cursor is told so. A ledger that
        cannot be read meanwhile is read on later."""
        with tail.following() as inbox:
            while not inbox.is_closed:
                page = await self._read(inbox)
                if page is None:
                    return
                if page.rows:
                    yield self._take(page)
                while not page.rows and not (inbox.is_overrun or inbox.is_closed):
                    await inbox.wait()
                    for kept in inbox.take():
                        yield self._take(kept)

    async def _read(self, inbox: Inbox) -> ChangePage | None:
        """The next page from the ledger, after which the inbox goes on; None where there is none to come."""
        while not inbox.is_closed:
            inbox.restart()
            try:
                return await asyncio.shield(self._read_once())
            except LedgerError:
                await asyncio.sleep(_TRY_AGAIN_S)
        return None

    async def _read_once(self) -> ChangePage | None:
        """Not to be cancelled when the client goes: a connection that is left in the middle is lost to all."""
        if topic_id_of(await self._query.positions()) not in ("", self._cursor.topic_id):
            return None
        return await self._query.changes(self._cursor.offsets, _PAGE)

    def _take(self, page: ChangePage) -> bytes:
        """The events of what is new to this stream, which then stands after them."""
        chunks = []
        for row in page.rows:
            if row["offset"] >= self._cursor.offsets.get(row["partition"], 0):
                self._move({row["partition"]: row["offset"] + 1})
                chunks.append(_event(row, self._cursor))
        self._move(page.offsets)
        return b"".join(chunks)

    def _move(self, offsets: Offsets) -> None:
        before = self._cursor.offsets
        further = {partition: max(offset, before.get(partition, 0)) for partition, offset in offsets.items()}
        self._cursor = self._cursor._replace(offsets={**before, **further})


def _event(row: ViewRow, cursor: ChangeCursor) -> bytes:
    return b"id: %b\r\nevent: revision\r\ndata: %b\r\n\r\n" % (encode_changes(cursor).encode(), to_json(row))
