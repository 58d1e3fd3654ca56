"""Time-outs of one length, one timer for all of them."""

from __future__ import annotations

import asyncio

from adapters.web.deadlines import Deadlines


def test_what_does_not_end_in_time_expires_in_the_order_in_which_it_began() -> None:
    async def scenario() -> list[str]:
        expired: list[str] = []
        deadlines = Deadlines(0.05, expired.append)
        for name in "abcd":
            deadlines.begin(name)
            await asyncio.sleep(0.01)
        deadlines.end("b")
        deadlines.end("never begun")
        assert expired == []
        while len(expired) < 3:
            await asyncio.sleep(0.005)
        deadlines.end("a")
        await asyncio.sleep(0.06)
        return expired

    assert asyncio.run(scenario()) == ["a", "c", "d"]


def test_none_expires_before_its_time() -> None:
    async def scenario() -> dict[int, float]:
        loop, lived = asyncio.get_running_loop(), {}
        began: dict[int, float] = {}

        def expire(number: int) -> None:
            lived[number] = loop.time() - began[number]

        deadlines = Deadlines(0.05, expire)
        for number in range(10):
            began[number] = loop.time()
            deadlines.begin(number)
            await asyncio.sleep(0.013)
            if number % 3:
                deadlines.end(number)
        while len(lived) < 4:
            await asyncio.sleep(0.005)
        return lived

    lived = asyncio.run(scenario())
    assert sorted(lived) == [0, 3, 6, 9]
    assert min(lived.values()) >= 0.05


def test_a_new_loop_begins_anew() -> None:
    expired: list[str] = []
    deadlines = Deadlines(0.02, expired.append)

    async def begin(name: str, seconds: float) -> None:
        deadlines.begin(name)
        await asyncio.sleep(seconds)

    asyncio.run(begin("left behind", 0))
    asyncio.run(begin("waited for", 0.05))
    assert expired == ["waited for"]
