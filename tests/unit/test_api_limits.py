"""How much the API takes on at once, and how long it takes over it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from adapters.web.api.limits import ApiLimits, Limiter, stand_aside
from adapters.web.reply import reply, send_reply

LIMITS = ApiLimits(max_at_once=2, max_body_bytes=100, answer_within_s=0.05, read_within_s=0.05)

Scenario = Callable[["Process"], Awaitable[None]]


class Process:
    """An application that answers when told, and what it was asked."""

    def __init__(self, limits: ApiLimits = LIMITS) -> None:
        self.go_on = asyncio.Event()
        self.waits_aside = False
        self.begins_first = False
        self.bodies: list[bytes] = []
        self.app = Limiter(self._answer, limits)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.waits_aside:
            stand_aside(scope)
        self.bodies.append((await receive())["body"])
        whole = reply(200, b"{}")
        if self.begins_first:
            await send(whole.start)
        await self.go_on.wait()
        await send_reply(send, whole)

    async def ask(self, method: str = "GET", content: bytes | AsyncIterator[bytes] | None = None) -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://api") as client:
            return await client.request(method, "/", content=content)

    async def ask_later(self) -> asyncio.Task[httpx.Response]:
        """Under way by the time this returns."""
        before = len(self.bodies)
        task = asyncio.create_task(self.ask())
        while len(self.bodies) == before:
            await asyncio.sleep(0)
        return task


def run(scenario: Scenario, limits: ApiLimits = LIMITS) -> None:
    async def within() -> None:
        await scenario(Process(limits))

    asyncio.run(within())


def reason_of(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["reason"]


def test_one_too_many_at_once_is_told_to_come_again() -> None:
    async def scenario(process: Process) -> None:
        tasks = [await process.ask_later() for _ in range(2)]
        refused = await process.ask()
        assert reason_of(refused) == (503, "overloaded")
        assert refused.headers["retry-after"]
        process.go_on.set()
        assert [(await task).status_code for task in tasks] == [200, 200]
        assert (await process.ask()).status_code == 200

    run(scenario, replace(LIMITS, answer_within_s=5))


def test_who_only_waits_takes_nobodys_place_and_has_no_deadline() -> None:
    async def scenario(process: Process) -> None:
        process.waits_aside = True
        waiting = [await process.ask_later() for _ in range(20)]
        process.waits_aside = False
        late = await process.ask()
        assert reason_of(late) == (503, "too_slow")
        process.go_on.set()
        assert {(await task).status_code for task in waiting} == {200}

    run(scenario)


def test_what_takes_too_long_is_given_up_and_its_place_is_free() -> None:
    async def scenario(process: Process) -> None:
        assert {reason_of(await process.ask()) for _ in range(5)} == {(503, "too_slow")}
        process.go_on.set()
        assert (await process.ask()).status_code == 200

    run(scenario)


def test_an_answer_that_has_begun_is_not_answered_again() -> None:
    async def scenario(process: Process) -> None:
        process.begins_first = True
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        async def receive() -> Message:
            return {"type": "http.request", "body": b""}

        await process.app({"type": "http", "method": "GET", "headers": []}, receive, send)
        assert [message["type"] for message in sent] == ["http.response.start"]

    run(scenario)


def test_a_process_that_stops_answers_what_it_has() -> None:
    async def scenario(process: Process) -> None:
        task = await process.ask_later()
        task.cancel()
        assert reason_of(await task) == (503, "stopping")

    run(scenario, replace(LIMITS, answer_within_s=5))


@pytest.mark.parametrize("is_declared", [True, False])
def test_a_body_has_a_length_it_may_have(is_declared: bool) -> None:
    async def chunks(size: int) -> AsyncIterator[bytes]:
        for _ in range(size):
            yield b"x"

    async def scenario(process: Process) -> None:
        process.go_on.set()
        for size, status in ((100, 200), (101, 413)):
            content = b"x" * size if is_declared else chunks(size)
            assert (await process.ask("POST", content)).status_code == status
        assert process.bodies == [b"x" * 100]

    run(scenario)


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    async def never() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    async def scenario(process: Process) -> None:
        assert reason_of(await process.ask("POST", never())) == (408, "slow")
        assert process.bodies == []

    run(scenario)
