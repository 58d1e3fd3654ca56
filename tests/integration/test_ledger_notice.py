"""Being told: at once after a commit, once a second in any case, again after the connection was lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import aclosing, closing
from statistics import median

import psycopg
import pytest

from adapters.ledger.notice import notices
from tests.integration.notices_seen import Mover, listening, measure, until_listening

#: From the commit to the notice.
AT_ONCE_S = 0.1


@pytest.fixture
def mover(database_url: str) -> Iterator[Mover]:
    with closing(Mover(database_url)) as made:
        yield made


@pytest.fixture
def url(database_url: str, as_reader: Callable[[str], str]) -> str:
    """Of a user who may only read."""
    return as_reader(database_url)


def test_a_notice_comes_at_once_after_a_commit(url: str, mover: Mover) -> None:
    async def told() -> list[float]:
        async with listening(url) as seen:
            await until_listening(url)
            return await measure(seen, mover)

    assert median(asyncio.run(told())) < AT_ONCE_S


def test_many_commits_are_one_notice_to_who_is_busy_meanwhile(url: str, mover: Mover) -> None:
    async def count_waiting() -> int:
        async with aclosing(notices(url)) as coming:
            await anext(coming)
            await until_listening(url)
            for _ in range(20):
                await asyncio.to_thread(mover.move)
            await asyncio.sleep(0.2)
            await anext(coming)
            started, others = asyncio.get_running_loop().time(), 0
            while asyncio.get_running_loop().time() - started < AT_ONCE_S:
                await anext(coming)
                others += 1
            return others

    assert asyncio.run(count_waiting()) == 1, "the one that comes once a second"


@pytest.mark.usefixtures("mover")
def test_what_is_not_committed_is_not_told(url: str, database_url: str) -> None:
    async def told() -> tuple[float, float]:
        async with listening(url) as seen:
            await until_listening(url)
            with psycopg.connect(database_url) as writer:
                begun = await seen.wait()
                writer.execute("UPDATE ledger.position SET next_offset = next_offset + 1")
                silent = await seen.wait() - begun
            committed = asyncio.get_running_loop().time()
            return silent, await seen.wait() - committed

    silent, after = asyncio.run(told())
    assert silent > 0.9, "only the one that comes once a second"
    assert after < AT_ONCE_S


def test_a_lost_connection_is_made_again(url: str, mover: Mover, database_url: str) -> None:
    async def told() -> list[float]:
        async with listening(url) as seen:
            await until_listening(url)
            await asyncio.to_thread(end_listener, database_url)
            await until_listening(url)
            return await measure(seen, mover)

    assert median(asyncio.run(told())) < AT_ONCE_S


def test_whoever_stops_listening_leaves_no_connection(url: str) -> None:
    async def stop() -> None:
        async with listening(url):
            await until_listening(url)
        await until_listening(url, 0)

    asyncio.run(stop())


def test_a_url_that_cannot_be_understood_is_an_error_and_no_outage() -> None:
    async def listen() -> None:
        async with aclosing(notices("postgresql://127.0.0.1/ledger?nonsense=1")) as coming:
            async for _ in coming:
                pass

    with pytest.raises(psycopg.ProgrammingError):
        asyncio.run(listen())


def end_listener(url: str) -> None:
    """What an administrator does."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'inquiry-ledger-notices'"
        )
