"""Requests that come together are read together, and none is answered from before it came."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Any

import pytest

from adapters.web.api.rows import Rows
from domain.errors import LedgerUnavailable
from domain.reading import ViewRow
from tests.apis import settle


class Table:
    """Rows that are read when a test says so. What is read is what there is at the begin of a query."""

    def __init__(self) -> None:
        self.rows: dict[str, int] = {}
        self.queries: list[asyncio.Future[None]] = []
        self.asked: list[list[str]] = []

    async def decisions(self, inquiry_ids: Collection[str]) -> Sequence[ViewRow]:
        self.asked.append(sorted(inquiry_ids))
        seen = [{"inquiry_id": key, "revision": self.rows[key]} for key in inquiry_ids if key in self.rows]
        query: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.queries.append(query)
        await query
        return seen

    async def answer(self, number: int) -> None:
        await settle(lambda: len(self.queries) > number)
        self.queries[number].set_result(None)


def play(scenario: Any) -> None:
    asyncio.run(scenario(Table()))


def test_requests_of_one_moment_share_a_query() -> None:
    async def scenario(table: Table) -> None:
        table.rows = {"a": 1, "b": 2}
        rows = Rows(table)
        reading = asyncio.gather(*(rows.read(key) for key in ("a", "b", "a", "c")))
        await table.answer(0)
        found = await reading
        assert [row and row["revision"] for row in found] == [1, 2, 1, None]
        assert table.asked == [["a", "b", "c"]]

    play(scenario)


def test_a_request_never_shares_a_query_that_began_before_it() -> None:
    async def scenario(table: Table) -> None:
        table.rows = {"a": 1}
        rows = Rows(table)
        first, second = asyncio.create_task(rows.read("a")), asyncio.create_task(rows.read("b"))
        await settle(lambda: len(table.queries) == 1)
        third = asyncio.create_task(rows.read("c"))
        await settle(lambda: len(table.queries) == 2)
        table.rows["a"] = 2
        later = asyncio.create_task(rows.read("a"))
        await table.answer(1)
        await table.answer(2)
        await table.answer(0)
        assert (await later) == {"inquiry_id": "a", "revision": 2}
        assert (await first) == {"inquiry_id": "a", "revision": 1}
        assert (await second, await third) == (None, None)

    play(scenario)


def test_a_failure_is_told_to_everybody_who_shares_it_and_to_nobody_else() -> None:
    async def scenario(table: Table) -> None:
        rows = Rows(table)
        together = [asyncio.create_task(rows.read(key)) for key in ("a", "b")]
        await settle(lambda: len(table.queries) == 1)
        table.queries[0].set_exception(LedgerUnavailable("of this test"))
        for task in together:
            with pytest.raises(LedgerUnavailable):
                await task
        again = asyncio.create_task(rows.read("a"))
        await table.answer(1)
        assert await again is None

    play(scenario)


def test_who_does_not_wait_any_more_is_in_nobodys_way() -> None:
    async def scenario(table: Table) -> None:
        table.rows = {"a": 1}
        rows = Rows(table)
        gone, stays = asyncio.create_task(rows.read("a")), asyncio.create_task(rows.read("a"))
        await settle(lambda: len(table.queries) == 1)
        gone.cancel()
        await table.answer(0)
        assert (await stays) == {"inquiry_id": "a", "revision": 1}

    play(scenario)


def test_an_error_that_nobody_meant_lets_nobody_wait_for_ever() -> None:
    async def scenario(table: Table) -> None:
        reported: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context))
        task = asyncio.create_task(Rows(table).read("a"))
        await settle(lambda: len(table.queries) == 1)
        table.queries[0].set_exception(ZeroDivisionError())
        with pytest.raises(asyncio.CancelledError):
            await task

    play(scenario)
