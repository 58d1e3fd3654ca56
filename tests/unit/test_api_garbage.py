"""What a request leaves behind for the garbage collector: the loop stands while it collects."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator

import pytest
from starlette.types import Message

from adapters.web.api.app import Api
from tests.apis import Reading
from tests.builders import event

TIMES = 20


@pytest.fixture(autouse=True)
def _collector() -> Iterator[None]:
    """Asked for by the test alone."""
    gc.disable()
    yield
    gc.enable()


async def ask(api: Api, target: str) -> int:
    """The status of a GET, without a client of which garbage could be left."""
    path, _, query = target.partition("?")
    statuses: list[int] = []

    async def receive() -> Message:
        message: Message = await asyncio.get_running_loop().create_future()
        return message

    async def send(message: Message) -> None:
        statuses.append(message.get("status", 0))

    headers = [(b"host", b"localhost"), (b"accept", b"*/*")]
    scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": query.encode()}
    await api({**scope, "root_path": "", "headers": headers, "http_version": "1.1", "scheme": "http"}, receive, send)
    return statuses[0]


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/v1/inquiries/inq_1", 200),
        ("/v1/inquiries/inq_1?wait=decision", 200),
        ("/v1/inquiries/inq_2?wait=decision&timeout=0.001", 404),
        ("/v1/inquiries/inq_1?as_of=2024-07-08T14:00:01Z", 200),
        ("/v1/inquiries/inq_1?limit=1", 400),
        ("/v1/inquiries", 200),
        ("/v1/changes", 200),
        ("/", 200),
        ("/inquiries/inq_1", 200),
        ("/nothing", 404),
    ],
)
def test_a_request_leaves_no_garbage(target: str, status: int) -> None:
    reading = Reading()
    reading.write(event("created", 1), event("approved", 2))

    async def scenario() -> int:
        api = reading.build()
        async with api.router.lifespan_context(api):
            assert await ask(api, target) == status  # what is made once is made
            gc.collect()
            for _ in range(TIMES):
                await ask(api, target)
            return gc.collect()

    assert asyncio.run(scenario()) < TIMES
