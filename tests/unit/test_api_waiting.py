"""`wait` and `at_least`: nobody polls, nothing is missed, and nobody waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from adapters.web.api.app import Api
from tests.apis import Reading, problem, settle
from tests.builders import event

PATH = "/v1/inquiries/inq_1"
WAIT: dict[str, Any] = {"wait": "decision", "timeout": 20}

Scenario = Callable[[httpx.AsyncClient], Awaitable[None]]


@pytest.fixture
def reading() -> Reading:
    """One inquiry that is not decided."""
    reading = Reading()
    reading.write(event("created", 1))
    return reading


def play(reading: Reading, scenario: Scenario) -> None:
    async def run() -> None:
        async with reading.client() as client:
            await scenario(client)

    asyncio.run(run())


async def begin(reading: Reading, client: httpx.AsyncClient, path: str = PATH, **asked: Any) -> asyncio.Task[Any]:
    """Ask, and let it come so far that it waits."""
    before = reading.count("ledger_api_waiters")
    task = asyncio.create_task(client.get(path, params=asked))
    await settle(lambda: task.done() or reading.count("ledger_api_waiters") > before)
    await asyncio.sleep(0.01)  # it has read the row by then; a test below shows that it need not have
    return task


def test_a_waiter_is_answered_when_its_inquiry_is_decided(reading: Reading) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        waiter = await begin(reading, client, **WAIT)
        reading.write(event("started", 2))
        await asyncio.sleep(0.02)
        assert not waiter.done()
        reading.write(event("approved", 3))
        answer = await waiter
        assert (answer.status_code, answer.json()["decision"], answer.json()["revision"]) == (200, "approved", 3)
        assert answer.headers["etag"].startswith('W/"3-')

    play(reading, scenario)


def test_what_is_decided_is_answered_at_once(reading: Reading) -> None:
    reading.write(event("marked-for-review", 2))
    assert reading.get(PATH, **WAIT)["decision"] == "needs_review"


def test_an_inquiry_that_is_unknown_is_waited_for_too(reading: Reading) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        waiter = await begin(reading, client, "/v1/inquiries/inq_2", **WAIT)
        reading.write(event("declined", 3, inquiry_id="inq_2"), partition=1)
        assert (await waiter).json()["decision"] == "declined"

    play(reading, scenario)


def test_a_wait_that_runs_out_answers_what_there_is(reading: Reading) -> None:
    assert reading.get(PATH, wait="decision", timeout=0.05)["decision"] == "undecided"
    assert reading.get(PATH, wait="decision", timeout=0)["decision"] == "undecided"
    unknown = reading.ask("/v1/inquiries/inq_2", params={"wait": "decision", "timeout": 0.05})
    assert problem(unknown, 404)["reason"] == "unknown_inquiry"


def test_who_has_the_row_is_told_304_where_the_wait_runs_out(reading: Reading) -> None:
    tag = reading.ask(PATH).headers["etag"]
    asked = {"wait": "decision", "timeout": 0.05}
    assert reading.ask(PATH, params=asked, headers={"if-none-match": tag}).status_code == 304


def test_no_change_falls_between_reading_and_waiting(reading: Reading) -> None:
    """The decision comes while the row is read: after the waiter was entered, before it waits."""

    async def scenario(client: httpx.AsyncClient) -> None:
        waiter = asyncio.create_task(client.get(PATH, params=WAIT))
        asked = len(reading.query.asked)
        await settle(lambda: len(reading.query.asked) > asked)
        reading.write(event("approved", 3))
        assert (await waiter).json()["decision"] == "approved"

    play(reading, scenario)


def test_many_who_come_at_once_are_read_with_few_queries(reading: Reading) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        await settle(lambda: "positions" in reading.query.asked)
        reading.query.asked.clear()
        waiters = [asyncio.create_task(client.get(f"/v1/inquiries/inq_{n}", params=WAIT)) for n in range(300)]
        await settle(lambda: reading.count("ledger_api_waiters") == 300)
        for number in range(300):
            reading.write(event("approved", 3, inquiry_id=f"inq_{number}"))
        answers = await asyncio.gather(*waiters)
        assert {answer.json()["decision"] for answer in answers} == {"approved"}
        assert len(reading.query.asked) < 60

    play(reading, scenario)


def test_a_ledger_that_was_away_is_looked_at_again(reading: Reading) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        waiter = await begin(reading, client, **WAIT)
        reading.query.is_away = True
        reading.write(event("approved", 3))
        refused = problem(await client.get(PATH), 503)
        assert refused["reason"] == "unavailable"
        assert not waiter.done()
        reading.query.is_away = False
        reading.notify()
        assert (await waiter).json()["decision"] == "approved"

    play(reading, scenario)


def test_a_wait_that_runs_out_while_the_ledger_is_away_is_503(reading: Reading) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        waiter = await begin(reading, client, wait="decision", timeout=0.1)
        reading.query.is_away = True
        refused = await waiter
        problem(refused, 503)
        assert refused.headers["retry-after"] == "5"

    play(reading, scenario)


def test_a_ledger_that_is_made_again_wakes_who_is_decided_in_it(reading: Reading) -> None:
    """It is emptied and projected between two notices, up to a place below the one before."""
    reading.write(*(event("started", second) for second in range(2, 9)))

    async def scenario(client: httpx.AsyncClient) -> None:
        waiter = await begin(reading, client, **WAIT)
        reading.ledger.reset()
        reading.begin()
        reading.write(event("approved", 3))
        assert (await waiter).json()["decision"] == "approved"

    play(reading, scenario)


def test_who_waits_when_the_process_stops_gets_what_there_is(reading: Reading) -> None:
    async def scenario() -> None:
        api: Api = reading.build()
        async with (
            api.router.lifespan_context(api),
            httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://localhost") as client,
        ):
            row, position = await begin(reading, client, **WAIT), await begin(reading, client, at_least="0:5")
            changes = asyncio.create_task(client.get("/v1/changes", params={"wait": 20, "cursor": await end(client)}))
            await settle(lambda: reading.count("ledger_api_streams") == 1)
            api.stop()
            assert (await row).json()["decision"] == "undecided"
            problem(await position, 409)
            assert (await changes).json()["items"] == []

    asyncio.run(scenario())


async def end(client: httpx.AsyncClient) -> str:
    cursor: str = (await client.get("/v1/changes")).json()["cursor"]
    return cursor


def test_a_client_that_goes_is_not_waited_for(reading: Reading) -> None:
    async def scenario() -> None:
        api, gone = reading.build(), asyncio.Event()
        scope = {
            "type": "http",
            "method": "GET",
            "path": PATH,
            "raw_path": PATH.encode(),
            "query_string": b"wait=decision&timeout=200",
            "headers": [(b"host", b"localhost")],
        }
        messages = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> Any:
            if messages:
                return messages.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            """Nobody hears it."""

        async with api.router.lifespan_context(api):
            request = asyncio.create_task(api(scope, receive, send))
            await settle(lambda: reading.count("ledger_api_waiters") == 1)
            gone.set()
            await asyncio.wait_for(request, 5)
            assert reading.count("ledger_api_waiters") == 0

    asyncio.run(scenario())


def test_at_least_waits_until_the_record_is_read(reading: Reading) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        waiter = await begin(reading, client, at_least="0:1", timeout=20)
        reading.write(event("created", 1, inquiry_id="inq_2"), partition=1)
        await asyncio.sleep(0.02)
        assert not waiter.done()
        reading.write(event("started", 2))
        assert (await waiter).json()["status"] == "pending"

    play(reading, scenario)


def test_at_least_what_is_read_is_answered_at_once(reading: Reading) -> None:
    assert reading.get(PATH, at_least="0:0")["status"] == "created"


def test_at_least_goes_with_the_past(reading: Reading) -> None:
    assert reading.get(PATH, at_least="0:0", as_of="2024-07-08T14:00:01Z")["status"] == "created"


def test_at_least_and_wait_share_their_time(reading: Reading) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        waiter = await begin(reading, client, at_least="0:1", wait="decision", timeout=20)
        reading.write(event("started", 2))
        await asyncio.sleep(0.02)
        assert not waiter.done()
        reading.write(event("approved", 3))
        assert (await waiter).json()["decision"] == "approved"

    play(reading, scenario)


def test_at_least_that_runs_out_says_how_far_the_ledger_is(reading: Reading) -> None:
    refused = problem(reading.ask(PATH, params={"at_least": "0:7", "timeout": 0.05}), 409)
    assert refused["position"] == {"partition": 0, "next_offset": 1}


def test_a_partition_that_only_the_log_has_is_waited_for(reading: Reading) -> None:
    reading.ends[5] = 9

    async def scenario(client: httpx.AsyncClient) -> None:
        async with asyncio.timeout(5):
            while (await client.get(PATH, params={"at_least": "5:1", "timeout": 0.01})).status_code == 400:
                await asyncio.sleep(0.01)  # the end of the log has not been looked at yet
        refused = problem(await client.get(PATH, params={"at_least": "5:1", "timeout": 0.01}), 409)
        assert refused["position"] == {"partition": 5, "next_offset": None}

    play(reading, scenario)


@pytest.mark.parametrize(
    "place", ["", "1", ":", "0:", ":1", "0:-1", "0:1:2", "0:x", "٠:1", "0: 1", "9:1", f"0:{2**63}", f"{2**31}:0"]
)
def test_a_place_that_is_none_is_refused(reading: Reading, place: str) -> None:
    refused = problem(reading.ask(PATH, params={"at_least": place, "timeout": 0}), 400)
    assert refused["parameter"] == "at_least"


@pytest.mark.parametrize(
    ("name", "value"), [("wait", "forever"), ("timeout", "-1"), ("timeout", "301"), ("timeout", "nan"), ("timeout", "")]
)
def test_what_cannot_be_waited_for_is_refused(reading: Reading, name: str, value: str) -> None:
    assert problem(reading.ask(PATH, params={name: value}), 400)["parameter"] == name
