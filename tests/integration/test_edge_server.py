"""The webhook receiver on a real socket: what senders on the wire can do to it. Its log is in memory."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.types import ASGIApp, Receive, Scope, Send

from adapters.persona.signature import SIGNATURE_HEADER, sign
from adapters.web.protocol import BoundedProtocol
from adapters.web.server import Address, WebServer, listen
from domain.errors import SettingsError
from tests.edges import SECRET, Edge, delivery, signed

PATH = "/webhooks/persona"
BODY = delivery()
ANY_PORT = Address("127.0.0.1", 0, "LEDGER_EDGE_PORT")


class SmallProtocol(BoundedProtocol):
    """Bounds that a test reaches."""

    max_head_bytes = 4_096
    max_connections = 8
    request_timeout_s = 0.4

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.timeout_keep_alive = 0.1  # type: ignore[assignment]


class HastyProtocol(SmallProtocol):
    """For many tries in a short time."""

    request_timeout_s = 0.05


class Served(NamedTuple):
    """An edge and where it listens."""

    edge: Edge
    url: str

    def connect(self) -> socket.socket:
        """A connection of one's own."""
        parts = urlsplit(self.url)
        return socket.create_connection((parts.hostname, parts.port), timeout=10)

    def talk(self, *pieces: bytes) -> bytes:
        """Send these bytes; all that comes back until the other side closes."""
        with self.connect() as connection, contextlib.suppress(ConnectionError):
            for piece in pieces:
                connection.sendall(piece)
            return read_all(connection)
        return b""

    def deliver(self) -> httpx.Response:
        """A genuine delivery."""
        return httpx.post(self.url + PATH, content=BODY, headers=signed(BODY))


@contextlib.contextmanager
def serving(edge: Edge, protocol: type[BoundedProtocol], app: ASGIApp | None = None) -> Iterator[Served]:
    server = WebServer(app or edge.app, listen(ANY_PORT), protocol)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield Served(edge, server.url)
    finally:
        server.stop()
        thread.join()


@pytest.fixture
def served(caplog: pytest.LogCaptureFixture) -> Iterator[Served]:
    """With small bounds. No test may leave an error in the log, whatever was sent."""
    with serving(Edge(), SmallProtocol) as one:
        yield one
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def read_all(connection: socket.socket) -> bytes:
    received = b""
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65_536):
            received += piece
    return received


def head(*fields: str, method: str = "POST", path: str = PATH, body: bytes | None = None) -> bytes:
    """A request's head; with `body`, of one that is signed and ends the connection."""
    if body is not None:
        signature = f"{SIGNATURE_HEADER}: {sign(SECRET, body, 1_720_449_000)}"
        fields = (signature, f"Content-Length: {len(body)}", "Connection: close", *fields)
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: edge", *fields, "", ""]).encode()


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ")[1])


def reason_of(answer: bytes) -> str:
    document = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert document["status"] == status_of(answer)
    assert b"application/problem+json" in answer
    return str(document["reason"])


def test_a_delivery_on_the_wire(served: Served) -> None:
    response = served.deliver()
    assert (response.status_code, response.json()["event_id"]) == (200, "evt_1")
    assert "server" not in response.headers
    assert served.edge.appender.acknowledged[0].value == BODY


def test_deliveries_on_one_connection(served: Served) -> None:
    with httpx.Client(base_url=served.url) as client:
        assert {client.post(PATH, content=BODY, headers=signed(BODY)).status_code for _ in range(5)} == {200}
    keep = head(body=BODY).replace(b"Connection: close\r\n", b"")
    answers = served.talk(keep + BODY + keep + BODY + head(body=BODY) + BODY)
    assert answers.count(b"HTTP/1.1 200 OK") == 3


def test_who_waits_for_continue_is_told_to(served: Served) -> None:
    with served.connect() as connection:
        connection.sendall(head("Expect: 100-continue", body=BODY))
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(BODY)
        assert status_of(read_all(connection)) == 200


def test_head_has_no_body(served: Served) -> None:
    answer = served.talk(head("Connection: close", method="HEAD"))
    assert status_of(answer) == 405
    assert b"allow: POST" in answer
    assert answer.endswith(b"\r\n\r\n")


def test_a_head_does_not_wait_for_a_body_that_comes_later() -> None:
    go_on = threading.Event()

    async def stream(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x", b"y")]})
        await asyncio.to_thread(go_on.wait, 5)
        await send({"type": "http.response.body", "body": b"HTTP/1.1 is here", "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    with serving(Edge(), SmallProtocol, stream) as one, one.connect() as connection:
        connection.sendall(head("Connection: close", method="GET"))
        assert b"x: y" in connection.recv(1_000)
        go_on.set()
        assert read_all(connection) == b"10\r\nHTTP/1.1 is here\r\n0\r\n\r\n"


def test_a_sender_of_too_much_reads_413_and_may_go_on(served: Served) -> None:
    with httpx.Client(base_url=served.url) as client:
        assert client.post(PATH, content=b"x" * 3_000_000).status_code == 413
        assert client.post(PATH, content=iter([b"x" * 1_000] * 2_000)).status_code == 413
        assert client.post(PATH, content=BODY, headers=signed(BODY)).status_code == 200
    assert len(served.edge.appender.log) == 1


def test_a_body_that_trickles_is_408(served: Served) -> None:
    answer = served.talk(head("Content-Length: 100"), b"x")
    assert (status_of(answer), reason_of(answer)) == (408, "slow")


def test_a_head_that_trickles_is_408(served: Served) -> None:
    answer = served.talk(b"POST /webhooks/persona HTTP/1.1\r\nHost:")
    assert (status_of(answer), reason_of(answer)) == (408, "slow")


def test_a_connection_that_says_nothing_ends(served: Served) -> None:
    started = time.monotonic()
    assert reason_of(served.talk()) == "slow"
    assert time.monotonic() - started < 5


def test_a_body_that_nobody_waits_for_ends_too(served: Served) -> None:
    with served.connect() as connection:
        connection.sendall(head("Content-Length: 100000000"))
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                connection.sendall(b"x" * 1_000)
                time.sleep(0.02)
            raise AssertionError("it was read for ever")


@pytest.mark.parametrize("size", [5_000, 400_000])
def test_a_head_that_is_too_long_is_431(served: Served, size: int) -> None:
    for request in (head("X: " + "x" * size), head(path="/" + "x" * size)):
        answer = served.talk(request)
        assert answer == b"" or (status_of(answer), reason_of(answer)) == (431, "head_too_large")
    answer = served.talk(head(*(f"X-{number}: x" for number in range(900))))
    assert (status_of(answer), reason_of(answer)) == (431, "head_too_large")
    assert served.deliver().status_code == 200


@pytest.mark.parametrize(
    "rubbish",
    [
        b"hello\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        head("Content-Length: -1"),
        head("Content-Length: 1", "Content-Length: 2"),
        head("Content-Length: 5", "Transfer-Encoding: chunked"),
        head("Transfer-Encoding: chunked") + b"xyz\r\n",
        head("Bad Header"),
        head(method="CONNECT"),
        head(path="*", method="OPTIONS"),
        head(path="//[x"),
    ],
)
def test_what_is_not_http_is_400_or_404(served: Served, rubbish: bytes) -> None:
    answer = served.talk(rubbish)
    assert (status_of(answer), reason_of(answer)) in [(400, "bad_request"), (404, "not_found"), (400, "upgrade")]
    assert served.deliver().status_code == 200


def test_who_asks_for_another_protocol_with_a_body_is_told_why_not(served: Served) -> None:
    fields = ("Connection: Upgrade", "Upgrade: h2c")
    answer = served.talk(head(*fields, body=BODY) + BODY)
    assert (status_of(answer), reason_of(answer)) == (400, "upgrade")
    assert status_of(served.talk(head(*fields, method="GET", path="/livez"))) == 200


def test_a_sender_that_hangs_up_leaves_nothing(served: Served) -> None:
    for cut in (b"", BODY[:10]):
        with served.connect() as connection:
            connection.sendall(head(body=BODY) + cut)
    assert served.deliver().status_code == 200
    assert len(served.edge.appender.log) == 1


def test_a_sender_that_hangs_up_before_its_answer_is_in_the_log_all_the_same(served: Served) -> None:
    served.edge.appender.acknowledges = False
    with served.connect() as connection:
        connection.sendall(head(body=BODY) + BODY)
        wait_for(lambda: bool(served.edge.appender.pending))
    served.edge.appender.settle()
    served.edge.appender.acknowledges = True
    assert served.deliver().status_code == 200
    assert len(served.edge.appender.log) == 2


def test_more_connections_than_allowed_are_refused_and_then_taken_again(served: Served) -> None:
    idle = [served.connect() for _ in range(SmallProtocol.max_connections)]
    answer = served.talk()
    assert (status_of(answer), reason_of(answer)) == (503, "too_many_connections")
    assert b"retry-after" in answer
    for connection in idle:
        connection.close()
    wait_for(lambda: served.talk(head(body=BODY) + BODY).startswith(b"HTTP/1.1 200"))


def test_slow_senders_do_not_keep_a_genuine_one_out(served: Served) -> None:
    slow = [served.connect() for _ in range(SmallProtocol.max_connections - 1)]
    for connection in slow:
        connection.sendall(head("Content-Length: 2000") + b"x")
    assert served.deliver().status_code == 200
    for connection in slow:
        connection.close()


def wait_for(holds: object, seconds: float = 5.0) -> None:
    """Until it holds."""
    assert callable(holds)
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


lines = st.sampled_from(
    [
        b"POST /webhooks/persona HTTP/1.1\r\n",
        b"POST /webhooks/persona/..%2f%00%ff HTTP/1.1\r\n",
        b"GET /metrics?\xff HTTP/1.0\r\n",
        b"PRI * HTTP/2.0\r\n",
        b"Host: edge\r\n",
        b"Content-Length: 4\r\n",
        b"Content-Length: 99999999999999999999\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Expect: 100-continue\r\n",
        b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
        b"Persona-Signature: t=1,v1=00\r\n",
        b"\r\n",
        b"4\r\nabcd\r\n0\r\n\r\n",
        b"abcd",
    ]
)


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[Served]:
    with serving(Edge(), HastyProtocol) as one:
        yield one


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(pieces=st.lists(lines | st.binary(max_size=30), max_size=8))
def test_no_bytes_at_all_make_it_fail(fuzzed: Served, pieces: list[bytes]) -> None:
    with fuzzed.connect() as connection, contextlib.suppress(ConnectionError):
        connection.sendall(b"".join(pieces))
        assert b"HTTP/1.1 5" not in read_all(connection)
    assert any(fuzzed.deliver().status_code == 200 for _ in range(5))  # on a busy machine one may be too slow for it


def test_a_port_in_use_is_said_in_one_line() -> None:
    with listen(ANY_PORT) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"LEDGER_EDGE_PORT: port {port} of 127\.0\.0\.1 is in use") as said:
            listen(ANY_PORT._replace(port=port))
    assert "\n" not in str(said.value)


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid", ""])
def test_a_host_that_is_not_here_is_said_in_one_line(host: str) -> None:
    if host == "":
        listen(ANY_PORT._replace(host=host)).close()  # every address of this machine
        return
    with pytest.raises(SettingsError, match="LEDGER_HTTP_HOST"):
        listen(ANY_PORT._replace(host=host))


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_process_that_is_told_to_stop_answers_what_it_has(sent: signal.Signals) -> None:
    command = [sys.executable, "-m", "tests.edge_process", "0.6"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        served = Served(Edge(), process.stdout.readline().strip())
        with served.connect() as idle, served.connect() as connection:
            connection.sendall(head(body=BODY) + BODY)
            time.sleep(0.2)  # it is in flight now: nothing outside can see that
            process.send_signal(sent)
            assert status_of(read_all(connection)) == 200
            assert read_all(idle) == b""
        said, complaints = process.communicate(timeout=10)
    assert (process.returncode, said, complaints) == (0, "1 0\n", "")
    with pytest.raises(ConnectionRefusedError):
        served.connect()
