"""What the benches measure with: a measurement that flatters is worse than none."""

from __future__ import annotations

import asyncio
import os
import resource
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import islice

import pytest

from adapters.persona.body import read_body
from adapters.persona.signature import SignatureChecker
from adapters.reference.edge_load import inquiry_id, make_requests
from adapters.reference.http_load import Load, PacedLoad, centiles, due_times, is_whole, measure
from adapters.reference.read_load import make_reads
from adapters.reference.wait_load import sum_up
from consumers.bench import Measurement
from consumers.bootstrap.benches import open_files
from consumers.cli.workers import Workers
from domain.errors import UsageError

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"


def test_an_answer_is_whole_with_its_last_byte() -> None:
    assert is_whole(OK)
    assert is_whole(BUSY)
    assert not any(is_whole(OK[:length]) for length in range(len(OK)))


def test_a_pace_is_even() -> None:
    assert list(islice(due_times(200, 10.0), 4)) == [10.0, 10.005, 10.01, 10.015]


def test_centiles_are_of_all_that_was_measured() -> None:
    p50_ms, p99_ms = centiles([number / 1000 for number in range(1, 1000)])
    assert p50_ms == pytest.approx(500)
    assert p99_ms == pytest.approx(990)


class Server(asyncio.Protocol):
    """Answers each request in its turn, after `delay_s`; hangs up where the answer is empty."""

    answer = OK
    delay_s = 0.0
    seen: list[bytes]

    def __init__(self) -> None:
        self.seen = []

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.seen.append(data)
        asyncio.get_running_loop().call_later(self.delay_s, self._reply)

    def _reply(self) -> None:
        if self.answer and not self.transport.is_closing():
            self.transport.write(self.answer)
        else:
            self.transport.close()


@asynccontextmanager
async def serving(answer: bytes = OK, delay_s: float = 0.0) -> AsyncIterator[str]:
    kind = type("Configured", (Server,), {"answer": answer, "delay_s": delay_s})
    server = await asyncio.get_running_loop().create_server(kind, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        yield f"http://{host}:{port}"


def run(load: Load, answer: bytes = OK, delay_s: float = 0.0) -> dict[str, float]:
    async def within() -> dict[str, float]:
        async with serving(answer, delay_s) as url:
            return (await measure(load, url, 2, 0.05, 0.3))._asdict()

    return asyncio.run(within())


def test_a_load_counts_answers_and_what_was_refused() -> None:
    good, bad = run(Load([b"GET"])), run(Load([b"GET"]), BUSY)
    assert good["rate"] > 100
    assert good["refused"] == 0
    assert bad["refused"] == pytest.approx(bad["rate"] * 0.3, rel=0.2)


def test_a_server_that_hangs_up_is_counted() -> None:
    load = Load([b"GET"])
    load.seconds = [0.0, 0.0]

    async def scenario() -> None:
        async with serving(b"") as url:
            await load.open(url, 3)
            load.begin()
            while load.refused < 3:
                await asyncio.sleep(0.001)

    asyncio.run(asyncio.wait_for(scenario(), 5))


def test_a_pace_is_kept_where_the_server_could_do_more() -> None:
    assert run(PacedLoad([b"GET"], 100))["rate"] == pytest.approx(100, rel=0.2)


def test_what_waits_for_a_connection_has_waited() -> None:
    """Two connections and 50 ms an answer do 40 a second: at a pace of 400 each waits longer than the one before."""
    closed, paced = run(Load([b"GET"]), delay_s=0.05), run(PacedLoad([b"GET"], 400), delay_s=0.05)
    assert closed["p99_ms"] < 150
    assert paced["p99_ms"] > 200


def test_deliveries_are_genuine_and_tell_of_one_inquiry_each() -> None:
    for status in ("created", "approved"):
        for number, request in enumerate(make_requests("wbhsec_a", 1_024, range(3), status)):
            head, _, body = request.partition(b"\r\n\r\n")
            signature = head.decode().partition("Persona-Signature: ")[2].partition("\r\n")[0]
            assert SignatureChecker(["wbhsec_a"], 300).check(signature, body, time.time())
            event = read_body(body).event
            assert (event.inquiry_id, event.name) == (inquiry_id(number), f"inquiry.{status}")
            assert 900 < len(body) < 1_100


def test_a_read_asks_for_one_inquiry() -> None:
    assert make_reads(["inq_1"], "?wait=decision")[0].startswith(b"GET /v1/inquiries/inq_1?wait=decision HTTP/1.1\r\n")


def test_waiting_is_counted_from_the_acknowledgement() -> None:
    acknowledged = {number: 100.0 + number for number in range(10)}
    decided = {number: 100.0 + number + 0.02 for number in range(8)}
    waited = sum_up(acknowledged, decided, [0.001] * 10, 200.0, undecided=1)
    assert waited.p50_ms == pytest.approx(20)
    assert waited.max_ms == pytest.approx(20)
    assert (waited.undecided, waited.unanswered) == (1, 1)


def test_figures_of_several_runs_are_shown_with_their_median() -> None:
    measured = Measurement("wait", "on one machine", ({"p50_ms": 30.0}, {"p50_ms": 20.0}, {"p50_ms": 1_500.0}))
    assert measured.to_mapping()["median"] == {"p50_ms": 30.0}
    row = {"figure": "p50_ms", "run 1": "30.00", "run 2": "20.00", "run 3": "1,500", "median": "30.00"}
    assert measured.to_rows() == [row]


def test_too_few_files_are_an_error_that_says_how_many_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    limits, told = [(1_024, 4_096)], []
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[0])
    monkeypatch.setattr(resource, "setrlimit", lambda _, wanted: told.append(wanted))
    open_files(1_000)
    assert told == []
    open_files(4_096)
    assert told == [(4_096, 4_096)]
    with pytest.raises(UsageError, match=r"4096 files open, 5256 are needed.*ulimit"):
        open_files(5_256)
    limits[0] = (1_024, resource.RLIM_INFINITY)
    open_files(5_256)
    assert told[-1] == (5_256, resource.RLIM_INFINITY)


def test_a_worker_that_ends_tells_how_much_memory_it_had() -> None:
    with Workers(None) as workers:
        workers.start("lifecycle", os.environ)
        assert 5 < workers.end("lifecycle") < 2_000
