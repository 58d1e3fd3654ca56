"""`changes`: every revision once, in the order of its partition, whatever the reader does in between."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import aclosing
from itertools import groupby
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.web.api.cursor import ChangeCursor, cursor_at, decode_changes, encode_changes
from adapters.web.api.follow import Follower
from adapters.web.api.tail import Tail
from tests.apis import TOPIC, Reading, problem, settle
from tests.builders import event

PATH = "/v1/changes"
BEGIN = ChangeCursor(TOPIC, "topic", {})

_EVENT = re.compile(r"id: (\S+)\r\nevent: revision\r\ndata: (.+)\r\n\r\n")


@pytest.fixture
def reading() -> Reading:
    """Twenty revisions in each of two partitions."""
    reading = Reading()
    for number in range(20):
        for partition in (0, 1):
            reading.write(event("created", 1, inquiry_id=f"inq_{partition}_{number:02}"), partition=partition)
    return reading


def places(rows: list[dict[str, Any]]) -> list[tuple[int, int]]:
    return [(row["partition"], row["offset"]) for row in rows]


def in_order(found: list[tuple[int, int]]) -> dict[int, list[int]]:
    by_partition = groupby(sorted(found, key=lambda place: place[0]), key=lambda place: place[0])
    return {partition: [offset for _, offset in group] for partition, group in by_partition}


@pytest.mark.parametrize("limit", [1, 3, 40, 1000])
def test_pages_have_every_revision_once_in_order_of_the_partition(reading: Reading, limit: int) -> None:
    found, page = [], reading.get(PATH, limit=limit)
    while page["items"]:
        assert len(page["items"]) <= limit
        found += places(page["items"])
        page = reading.get(PATH, limit=limit, cursor=page["cursor"])
    assert in_order(found) == {0: [*range(20)], 1: [*range(20)]}


def test_a_row_has_the_columns_of_the_view(reading: Reading) -> None:
    (row,) = reading.get(PATH, limit=1)["items"]
    assert set(row) == set(reading.ledger.view("decision_revision")[0])


def test_there_is_a_cursor_at_the_end_and_it_goes_on_from_there(reading: Reading) -> None:
    at_end = reading.get(PATH, limit=1000)["cursor"]
    assert reading.get(PATH, cursor=at_end) == {"items": [], "cursor": at_end}
    reading.write(event("approved", 3, inquiry_id="inq_0_07"))
    assert places(reading.get(PATH, cursor=at_end)["items"]) == [(0, 20)]


def test_a_cursor_moves_over_records_that_changed_nothing(reading: Reading) -> None:
    reading.write(event("created", 1, inquiry_id="inq_0_00"))
    assert decode_changes(reading.get(PATH, limit=1000)["cursor"]).offsets == {0: 21, 1: 20}


def test_a_cursor_of_an_empty_ledger_reads_from_the_first_revision() -> None:
    reading = Reading()
    reading.ledger.reset()
    cursor = reading.get(PATH)["cursor"]
    reading.begin()
    reading.write(event("created", 1))
    assert places(reading.get(PATH, cursor=cursor)["items"]) == [(0, 0)]


def test_a_long_poll_answers_when_there_is_something(reading: Reading) -> None:
    async def scenario() -> None:
        async with reading.client() as client:
            cursor = (await client.get(PATH, params={"limit": 1000})).json()["cursor"]
            poll = asyncio.create_task(client.get(PATH, params={"cursor": cursor, "wait": 20}))
            await settle(lambda: reading.count("ledger_api_streams") == 1)
            reading.write(event("approved", 3, inquiry_id="inq_1_03"), partition=1)
            assert places((await poll).json()["items"]) == [(1, 20)]

    asyncio.run(scenario())


def test_a_long_poll_that_runs_out_has_a_cursor_all_the_same(reading: Reading) -> None:
    cursor = reading.get(PATH, limit=1000)["cursor"]
    assert reading.get(PATH, cursor=cursor, wait=0.05) == {"items": [], "cursor": cursor}


@pytest.mark.parametrize(
    ("cursor", "says"),
    [
        (encode_changes(ChangeCursor("other", "topic", {})), "is of another topic"),
        (encode_changes(ChangeCursor(TOPIC, "before", {0: 3})), "deleted and created again"),
        ("", "that this path has given"),
        ("garbage!", "that this path has given"),
        ("é", "that this path has given"),
        ("W10", "that this path has given"),
        ("x" * 10_000, "that this path has given"),
        ("[" * 5_000, "that this path has given"),
        (encode_changes(ChangeCursor(TOPIC, "topic", {0: -1})), "that this path has given"),
        (encode_changes(ChangeCursor(TOPIC, "topic", {0: 2**63})), "that this path has given"),
        (encode_changes(ChangeCursor(TOPIC, "topic", {2**31: 1})), "that this path has given"),
    ],
)
def test_a_cursor_of_another_log_is_refused(reading: Reading, cursor: str, says: str) -> None:
    refused = problem(reading.ask(PATH, params={"cursor": cursor}), 400)
    assert refused["parameter"] == "cursor"
    assert says in refused["detail"]


@pytest.mark.parametrize(("name", "value"), [("limit", "0"), ("limit", "1001"), ("wait", "61"), ("wait", "-1")])
def test_a_bad_parameter_is_refused_by_name(reading: Reading, name: str, value: str) -> None:
    assert problem(reading.ask(PATH, params={name: value}), 400)["parameter"] == name


@pytest.mark.parametrize("stands_at", ["garbage", encode_changes(ChangeCursor(TOPIC, "before", {}))])
def test_a_stream_is_not_begun_at_a_place_that_is_none(reading: Reading, stands_at: str) -> None:
    headers = {"accept": "text/event-stream", "last-event-id": stands_at}
    assert problem(reading.ask(PATH, headers=headers), 400)["parameter"] == "Last-Event-ID"


@given(st.builds(ChangeCursor, st.text(), st.text(), st.dictionaries(st.integers(0, 99), st.integers(0, 2**63 - 1))))
def test_a_cursor_is_read_as_it_was_written(cursor: ChangeCursor) -> None:
    text = encode_changes(cursor)
    assert decode_changes(text) == cursor
    assert text.isascii()
    assert re.fullmatch(r"[\w-]+", text)


class Event(NamedTuple):
    """A server-sent event."""

    cursor: ChangeCursor
    row: dict[str, Any]


class Stream:
    """A follower, its tail, and what came of it."""

    def __init__(self, reading: Reading, begin: ChangeCursor = BEGIN) -> None:
        self.tail = Tail(reading.query, reading.notices)
        self._chunks = Follower(reading.query, begin).events(self.tail)
        self.events: list[Event] = []

    async def read(self) -> None:
        """Until it ends."""
        async with aclosing(self._chunks) as chunks:
            async for chunk in chunks:
                found = _EVENT.findall(chunk.decode())
                assert found or not chunk
                self.events += [Event(decode_changes(cursor), json.loads(row)) for cursor, row in found]

    @property
    def places(self) -> list[tuple[int, int]]:
        return places([event.row for event in self.events])


def test_a_stream_has_what_there_is_and_then_what_comes(reading: Reading) -> None:
    async def scenario() -> None:
        reading.build()
        stream = Stream(reading)
        tasks = [asyncio.create_task(stream.tail.run()), asyncio.create_task(stream.read())]
        await settle(lambda: len(stream.events) == 40)
        for number in range(20):
            reading.write(event("approved", 3, inquiry_id=f"inq_1_{number:02}"), partition=1)
            await asyncio.sleep(0)
        await settle(lambda: len(stream.events) == 60)
        assert in_order(stream.places) == {0: [*range(20)], 1: [*range(40)]}
        stream.tail.stop()
        await tasks[1]
        tasks[0].cancel()

    asyncio.run(scenario())


@pytest.mark.parametrize("at", [0, 1, 19, 39])
def test_a_stream_resumes_after_any_of_its_events(reading: Reading, at: int) -> None:
    async def scenario() -> None:
        reading.build()
        first = await read_all(Stream(reading), 40)
        again = await read_all(Stream(reading, first[at].cursor), 39 - at)
        assert in_order(places([event.row for event in first[: at + 1] + again])) == {0: [*range(20)], 1: [*range(20)]}

    asyncio.run(scenario())


async def read_all(stream: Stream, count: int) -> list[Event]:
    task = asyncio.create_task(stream.read())
    await settle(lambda: len(stream.events) == count)
    stream.tail.stop()
    await task
    return stream.events


def test_a_stream_that_falls_behind_reads_for_itself_and_misses_nothing(reading: Reading) -> None:
    async def scenario() -> None:
        reading.build()
        stream = Stream(reading, cursor_at(TOPIC, reading.ledger.stored.values()))
        reader = asyncio.create_task(stream.read())
        await settle(lambda: stream.tail.followers == 1)
        await stream.tail.advance()
        await asyncio.sleep(0.01)
        for second in range(200):  # more than its inbox holds, before it gets a turn
            reading.write(event("created", second, inquiry_id=f"inq_{second}"))
            await stream.tail.advance()
        await settle(lambda: len(stream.events) == 200)
        assert in_order(stream.places) == {0: [*range(20, 220)]}
        stream.tail.stop()
        await reader

    asyncio.run(scenario())


def test_a_stream_goes_on_when_the_ledger_is_back(reading: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.web.api.follow._TRY_AGAIN_S", 0.01)

    async def scenario() -> None:
        reading.build()
        reading.query.is_away = True
        stream = Stream(reading)
        task = asyncio.create_task(stream.read())
        await settle(lambda: reading.query.asked.count("positions") > 2)
        reading.query.is_away = False
        await settle(lambda: len(stream.events) == 40)
        stream.tail.stop()
        await task

    asyncio.run(scenario())


def test_a_stream_ends_where_the_ledger_is_made_of_another_log(reading: Reading) -> None:
    async def scenario() -> None:
        reading.build()
        stream = Stream(reading)
        tasks = [asyncio.create_task(stream.tail.run()), asyncio.create_task(stream.read())]
        await settle(lambda: len(stream.events) == 40)
        reading.ledger.reset()
        reading.begin("another topic id")
        reading.notify()
        await asyncio.wait_for(tasks[1], 5)
        tasks[0].cancel()

    asyncio.run(scenario())
