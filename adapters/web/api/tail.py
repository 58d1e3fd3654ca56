"""One reader of changes for all who wait in this process: it wakes those whose inquiry was decided and those who wait
for a position, and hands every page to those who follow.

Nobody polls, and nobody holds a connection while waiting: a waiter is an entry in a dictionary and a future. It is
entered first and reads the row then, so that no change falls in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Protocol, TypeVar

from adapters.web.api.inbox import Inbox
from domain.books import Position
from domain.decision import Decision
from domain.errors import LedgerError
from domain.reading import ChangePage, ChangeReader, Offsets, ViewRow

#: Revisions asked for at once, and inquiries read at once.
_PAGE = 1_000

K = TypeVar("K")
T = TypeVar("T")

Woken = asyncio.Future[ViewRow | None]
Passed = asyncio.Future[bool]


class TailReader(ChangeReader, Protocol):
    """What the tail reads. LedgerUnavailable, SchemaError."""

    async def decisions(self, inquiry_ids: Collection[str]) -> Sequence[ViewRow]:
        """Rows of `current_decision`, of those inquiries that are known."""


def is_decided(row: ViewRow) -> bool:
    """Whether nobody has to wait for this decision any more."""
    return bool(row["decision"] != Decision.UNDECIDED)


class Tail:
    """Follows the ledger from now on. For one event loop."""

    def __init__(self, query: TailReader, notices: Callable[[], AsyncIterator[None]]) -> None:
        self._query = query
        self._notices = notices
        self._waiting: dict[str, set[Woken]] = {}
        self._passing: dict[int, set[tuple[int, Passed]]] = {}
        self._inboxes: set[Inbox] = set()
        self._positions: Mapping[int, Position] = {}
        self._offsets: Offsets = {}
        self._is_begun = False
        self._is_stopped = False
        #: Told how far each partition is projected, and whether the ledger was begun anew.
        self.on_move: Callable[[Offsets, bool], None] = _ignore

    @property
    def waiters(self) -> int:
        """How many wait for a decision or a position."""
        return sum(map(len, self._waiting.values())) + sum(map(len, self._passing.values()))

    @property
    def followers(self) -> int:
        """How many are given every page."""
        return len(self._inboxes)

    async def run(self) -> None:
        """Until cancelled. A ledger that cannot be read now is read on from the same place after the next notice."""
        async for _ in self._notices():
            try:
                await self.advance()
            except LedgerError:
                continue

    def stop(self) -> None:
        """Let everybody go, and whoever comes yet: those who wait get what there is."""
        self._is_stopped = True
        for waiter in [waiter for waiters in self._waiting.values() for waiter in waiters]:
            _resolve(waiter, None)
        for _, passed in [entry for entries in self._passing.values() for entry in entries]:
            _resolve(passed, False)
        for inbox in self._inboxes:
            inbox.close()

    @contextmanager
    def expecting(self, inquiry_id: str) -> Iterator[Woken]:
        """A future with the row of this inquiry, from when it is decided; with None when the process stops."""
        waiter: Woken = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(inquiry_id, set()).add(waiter)
        if self._is_stopped:
            waiter.set_result(None)
        try:
            yield waiter
        finally:
            _discard(self._waiting, inquiry_id, waiter)

    @contextmanager
    def passing(self, partition: int, offset: int) -> Iterator[Passed]:
        """A future that is true from when the partition is projected past this offset."""
        entry = (offset, asyncio.get_running_loop().create_future())
        self._passing.setdefault(partition, set()).add(entry)
        if self._is_stopped:
            entry[1].set_result(False)
        try:
            yield entry[1]
        finally:
            _discard(self._passing, partition, entry)

    @contextmanager
    def following(self) -> Iterator[Inbox]:
        """An inbox with every page from now on."""
        inbox = Inbox()
        self._inboxes.add(inbox)
        if self._is_stopped:
            inbox.close()
        try:
            yield inbox
        finally:
            self._inboxes.discard(inbox)

    async def advance(self) -> None:
        """Read what is new. LedgerError: then nothing of it counts as read."""
        found = {position.partition: position for position in await self._query.positions()}
        if not (self._is_begun and _continues(found, self._positions, self._offsets)):
            await self._begin(found)
        elif any(position.next_offset > self._offsets.get(number, -1) for number, position in found.items()):
            await self._read_on()
        self._positions = found

    async def _begin(self, found: Mapping[int, Position]) -> None:
        """At the start, and where the ledger was emptied or made of another log: everybody looks again."""
        self._is_begun = False
        for chunk in _chunks(list(self._waiting), _PAGE):
            await self._wake(chunk)
        self._offsets = {number: position.next_offset for number, position in found.items()}
        self._move(self._offsets, is_anew=True)
        for inbox in self._inboxes:
            inbox.overrun()
        self._is_begun = True

    async def _read_on(self) -> None:
        is_more = True
        while is_more:
            page = await self._query.changes(self._offsets, _PAGE)
            decided = {row["inquiry_id"] for row in page.rows if is_decided(row)}
            await self._wake(decided & self._waiting.keys())
            self._publish(page)
            is_more = len(page.rows) == _PAGE

    def _publish(self, page: ChangePage) -> None:
        self._offsets = page.offsets
        self._move(page.offsets, is_anew=False)
        if page.rows:
            for inbox in self._inboxes:
                inbox.put(page)

    async def _wake(self, inquiry_ids: Collection[str]) -> None:
        """Those who wait for one of these inquiries, with one query for all of them."""
        for row in await self._query.decisions(inquiry_ids) if inquiry_ids else ():
            if is_decided(row):
                for waiter in self._waiting.get(row["inquiry_id"], ()):
                    _resolve(waiter, row)

    def _move(self, offsets: Offsets, *, is_anew: bool) -> None:
        self.on_move(offsets, is_anew)
        for partition, entries in self._passing.items():
            for offset, passed in entries:
                if offset < offsets.get(partition, 0):
                    _resolve(passed, True)


def _ignore(offsets: Offsets, is_anew: bool) -> None:
    """Nobody listens."""


def _continues(found: Mapping[int, Position], before: Mapping[int, Position], offsets: Offsets) -> bool:
    """Whether these positions are later ones of the same ledger."""
    return all(
        number in found
        and found[number].next_offset >= offsets.get(number, 0)
        and found[number]._replace(next_offset=position.next_offset) == position
        for number, position in before.items()
    )


def _chunks(ids: Sequence[str], size: int) -> Iterator[list[str]]:
    left = iter(ids)
    while chunk := list(islice(left, size)):
        yield chunk


def _resolve(future: asyncio.Future[T], result: T) -> None:
    if not future.done():
        future.set_result(result)


def _discard(entries: dict[K, set[T]], key: K, entry: T) -> None:
    entries[key].discard(entry)
    if not entries[key]:
        del entries[key]
