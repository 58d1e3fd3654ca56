"""What the webhook receiver answers (design, section 7), with a log in memory."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any

import httpx
import pytest

from adapters.persona.signature import SIGNATURE_HEADER, sign
from adapters.web.webhook import EdgeLimits
from domain.errors import LogUnavailable
from tests.edges import EU_SECRET, NOW, SECRET, Edge, delivery, signed

PATH = "/webhooks/persona"


@pytest.fixture
def edge() -> Edge:
    return Edge()


def problem(response: httpx.Response) -> tuple[int, str]:
    """(status, reason) of a problem document."""
    document = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert document["status"] == response.status_code
    assert {"type", "title", "detail"} <= set(document)
    return response.status_code, document["reason"]


def test_a_signed_delivery_is_appended_as_it_came_and_told_where(edge: Edge) -> None:
    body = delivery("inq_7", "evt_9")
    response = edge.deliver(body)
    assert response.status_code == 200
    assert response.json() == {"event_id": "evt_9", "topic": "persona.events", "partition": 0, "offset": 0}
    [record] = edge.appender.log
    assert (record.key, record.value) == (b"inq_7", body)
    assert edge.count("default", "accepted") == 1


@pytest.mark.parametrize(("path", "source"), [(PATH, "default"), (f"{PATH}/default", "default"), (f"{PATH}/eu", "eu")])
def test_the_source_is_the_last_part_of_the_path(edge: Edge, path: str, source: str) -> None:
    response = edge.deliver(delivery(), path, EU_SECRET if source == "eu" else SECRET)
    assert response.status_code == 200
    assert edge.appender.log[0].headers["source"] == source.encode()


def test_each_source_has_its_own_secrets(edge: Edge) -> None:
    assert problem(edge.deliver(delivery(), f"{PATH}/eu", SECRET)) == (401, "mismatch")
    assert edge.appender.log == []


BODY = delivery()
GOOD = sign(SECRET, BODY, NOW)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (None, "missing"),
        ("", "missing"),
        ("rubbish", "malformed"),
        (sign("wbhsec_other", BODY, NOW), "mismatch"),
        (sign(SECRET, BODY + b" ", NOW), "mismatch"),
        (sign(SECRET, BODY, NOW - 301), "stale"),
        (sign(SECRET, BODY, NOW + 301), "future"),
    ],
)
def test_what_is_not_signed_is_not_appended(edge: Edge, header: str | None, reason: str) -> None:
    headers = {} if header is None else {SIGNATURE_HEADER: header}
    response = edge.send("POST", PATH, content=BODY, headers=headers)
    assert problem(response) == (401, reason)
    assert "www-authenticate" in response.headers
    assert edge.appender.log == []
    assert edge.count("default", "bad_signature") == 1
    labels = {"source": "default", "reason": reason}
    assert edge.registry.get_sample_value("ledger_edge_signature_failures_total", labels) == 1


def test_a_signature_header_that_is_not_ascii_is_malformed(edge: Edge) -> None:
    headers = [(SIGNATURE_HEADER.encode(), b"\xff\xfe")]
    assert problem(edge.send("POST", PATH, content=BODY, headers=headers)) == (401, "malformed")


@pytest.mark.parametrize("order", [1, -1])
def test_while_a_secret_is_rotated_either_group_is_good(edge: Edge, order: int) -> None:
    groups = [sign("wbhsec_new", BODY, NOW), GOOD][::order]
    assert edge.send("POST", PATH, content=BODY, headers={SIGNATURE_HEADER: " ".join(groups)}).status_code == 200
    fields = [(SIGNATURE_HEADER, group) for group in groups]
    assert edge.send("POST", PATH, content=BODY, headers=fields).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/webhooks",
        "/webhooks/persona/",
        "/webhooks/persona/us",
        "/webhooks/persona/EU",
        "/webhooks/persona/eu/",
        "/webhooks/persona/eu/x",
        "/webhooks/persona/..%2f",
        "/webhooks/persona/%2e%2e/eu",
        "/webhooks/persona/eu%00",
        "/webhooks/persona/%ff%fe",
        "/webhooks/persona//eu",
        "/webhooks/personal",
        "/webhooks/persona/" + "a" * 20_000,
        '/webhooks/persona/x"} 1%0aforged{source="',
        "/livez/",
        "/readyz/x",
    ],
)
def test_any_other_path_is_unknown(edge: Edge, path: str) -> None:
    for method in ("GET", "POST"):
        assert problem(edge.send(method, path, content=BODY, headers=signed(BODY))) == (404, "not_found")
    assert edge.appender.log == []
    assert b"forged" not in edge.send("GET", "/metrics").content


def test_without_a_source_default_the_bare_path_is_unknown() -> None:
    edge = Edge(sources=("eu",))
    assert problem(edge.deliver(BODY)) == (404, "not_found")
    assert edge.deliver(BODY, f"{PATH}/eu", EU_SECRET).status_code == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
@pytest.mark.parametrize("path", [PATH, f"{PATH}/eu"])
def test_only_post_is_taken(edge: Edge, method: str, path: str) -> None:
    response = edge.send(method, path, headers=signed(b""))
    assert problem(response) == (405, "method")
    assert response.headers["allow"] == "POST"


def test_other_methods_on_the_probes_are_told_which_are_taken(edge: Edge) -> None:
    response = edge.send("POST", "/livez")
    assert problem(response) == (405, "method")
    assert set(response.headers["allow"].split(", ")) == {"GET", "HEAD"}


def test_a_body_that_says_it_is_too_long_is_not_read(edge: Edge) -> None:
    async def receive() -> Any:
        raise AssertionError("the body was read")

    for length in (b"2001", b"9" * 5_000):
        assert asyncio.run(call(edge, receive, [(b"content-length", length)])) == (413, "too_large")
    assert edge.appender.log == []


def test_a_body_that_says_nothing_of_its_length_is_read_up_to_the_limit(edge: Edge) -> None:
    taken = 0

    async def chunks() -> Any:
        nonlocal taken
        for _ in range(1_000):
            taken += 1
            yield b"x" * 500

    assert problem(edge.send("POST", PATH, content=chunks())) == (413, "too_large")
    assert edge.appender.log == []


@pytest.mark.parametrize("size", [1_999, 2_000, 2_001])
def test_the_limit_is_in_bytes_and_the_limit_itself_is_taken(edge: Edge, size: int) -> None:
    body = delivery().ljust(size)
    assert edge.deliver(body).status_code == (413 if size > 2_000 else 200)


def test_a_body_in_many_pieces_is_appended_whole(edge: Edge) -> None:
    async def pieces() -> Any:
        for start in range(0, len(BODY), 7):
            yield BODY[start : start + 7]

    assert edge.send("POST", PATH, content=pieces(), headers=signed(BODY)).status_code == 200
    assert edge.appender.log[0].value == BODY


def sha256(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode()


UNREADABLE = {
    "empty": (b"", None),
    "not JSON": (b"hello", None),
    "BOM": (b"\xef\xbb\xbf" + BODY, None),
    "UTF-16": (BODY.decode().encode("utf-16"), None),
    "NaN": (BODY.replace(b'"event"', b"NaN"), None),
    "no event name": (BODY.replace(b'"name"', b'"nome"'), b"inq_1"),
    "bad time": (BODY.replace(b"2024-07-08T", b"2024-07-98T"), b"inq_1"),
    "a list": (b"[]", None),
    "another body shape": (b'{"hello": 1}', None),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_signed_body_that_cannot_be_read_is_appended_all_the_same(edge: Edge, name: str) -> None:
    body, inquiry_id = UNREADABLE[name]
    response = edge.deliver(body)
    assert response.status_code == 200
    assert response.json() == {"event_id": None, "topic": "persona.events", "partition": 0, "offset": 0}
    [record] = edge.appender.log
    assert (record.key, record.value) == (inquiry_id or sha256(body), body)
    assert record.headers["ce_source"] == b"/persona/default"
    assert record.headers.get("ce_subject") == inquiry_id
    assert edge.count("default", "unreadable") == 1


def test_an_unreadable_body_that_is_not_signed_is_not_appended(edge: Edge) -> None:
    assert problem(edge.send("POST", PATH, content=b"")) == (401, "missing")
    assert edge.appender.log == []


def test_no_answer_before_the_log_has_acknowledged(edge: Edge) -> None:
    async def scenario() -> httpx.Response:
        edge.appender.acknowledges = False
        waiting = asyncio.create_task(edge.adeliver(BODY))
        while not edge.appender.pending:
            await asyncio.sleep(0)
        await asyncio.sleep(0.02)
        assert not waiting.done()
        await asyncio.to_thread(edge.appender.settle)
        return await waiting

    assert asyncio.run(scenario()).status_code == 200


def test_a_log_that_does_not_acknowledge_is_503(edge: Edge) -> None:
    edge.appender.acknowledges = False
    response = edge.deliver(BODY)
    assert problem(response) == (503, "no_ack")
    assert int(response.headers["retry-after"]) > 0
    assert edge.count("default", "no_ack") == 1


@pytest.mark.parametrize("error", [LogUnavailable("away"), LogUnavailable("record too large")])
def test_a_log_that_refuses_the_record_is_503(edge: Edge, error: Exception) -> None:
    edge.appender.fails_with = error
    response = edge.deliver(BODY)
    assert problem(response) == (503, "log_failed")
    assert "retry-after" in response.headers


def test_a_record_that_its_producer_gives_up_is_503(edge: Edge) -> None:
    async def scenario() -> httpx.Response:
        edge.appender.acknowledges = False
        waiting = asyncio.create_task(edge.adeliver(BODY))
        while not edge.appender.pending:
            await asyncio.sleep(0)
        edge.appender.pending[0].set_exception(LogUnavailable("given up"))
        return await waiting

    assert problem(asyncio.run(scenario())) == (503, "log_failed")


def test_a_log_that_is_not_connected_is_503_before_the_body_is_read(edge: Edge) -> None:
    async def receive() -> Any:
        raise AssertionError("the body was read")

    edge.appender.ready = False
    assert asyncio.run(call(edge, receive)) == (503, "not_ready")
    edge.appender.ready = True
    assert edge.deliver(BODY).status_code == 200


def test_too_many_in_flight_is_503_until_the_log_has_settled_some() -> None:
    edge = Edge(EdgeLimits(max_in_flight=2, ack_timeout_s=0.1))

    async def scenario() -> list[tuple[int, str]]:
        edge.appender.acknowledges = False
        seen = [problem(await edge.adeliver(BODY)) for _ in range(3)]
        edge.appender.settle()
        await asyncio.sleep(0)
        seen.append(problem(await edge.adeliver(BODY)))
        return seen

    no_ack, overloaded = (503, "no_ack"), (503, "overloaded")
    assert asyncio.run(scenario()) == [no_ack, no_ack, overloaded, no_ack]


def test_too_many_bytes_in_flight_is_503() -> None:
    edge = Edge(EdgeLimits(max_in_flight_bytes=len(BODY) + 10, ack_timeout_s=0.1))

    async def chunks() -> Any:
        yield BODY

    async def scenario() -> list[tuple[int, str]]:
        edge.appender.acknowledges = False
        seen = [problem(await edge.adeliver(BODY)) for _ in range(2)]
        seen.append(problem(await edge.asend("POST", PATH, content=chunks(), headers=signed(BODY))))
        edge.appender.settle()
        await asyncio.sleep(0)
        seen.append(problem(await edge.adeliver(BODY)))
        return seen

    assert [reason for _, reason in asyncio.run(scenario())] == ["no_ack", "overloaded", "overloaded", "no_ack"]


def test_nothing_is_held_once_all_is_answered(edge: Edge) -> None:
    edge.deliver(BODY)
    edge.deliver(b"")
    edge.send("POST", PATH, content=BODY)
    edge.deliver(b"x" * 3_000)
    edge.appender.fails_with = LogUnavailable("away")
    edge.deliver(BODY)
    assert edge.registry.get_sample_value("ledger_edge_in_flight") == 0
    assert edge.registry.get_sample_value("ledger_edge_in_flight_bytes") == 0


def test_a_sender_that_goes_away_leaves_nothing_in_the_log(edge: Edge) -> None:
    messages = iter([{"type": "http.request", "body": BODY[:9], "more_body": True}, {"type": "http.disconnect"}])

    async def receive() -> Any:
        return next(messages)

    assert asyncio.run(call(edge, receive)) is None
    assert edge.appender.log == []
    assert edge.count("default", "disconnected") == 1
    assert edge.registry.get_sample_value("ledger_edge_in_flight_bytes") == 0


def test_a_sender_that_is_too_slow_is_408(edge: Edge) -> None:
    async def receive() -> Any:
        await asyncio.sleep(0.05)
        return {"type": "http.request", "body": b"x", "more_body": True}

    assert asyncio.run(call(edge, receive)) == (408, "slow")
    assert edge.appender.log == []


def test_a_sender_that_waits_for_continue_is_told_that_the_connection_ends(edge: Edge) -> None:
    headers = {"expect": "100-continue", "content-length": "3000"}
    response = edge.send("POST", PATH, headers=headers)
    assert problem(response) == (413, "too_large")
    assert response.headers["connection"] == "close"


def test_a_request_that_is_cut_off_by_the_end_of_the_process_is_503(edge: Edge) -> None:
    async def scenario() -> httpx.Response:
        edge.appender.acknowledges = False
        waiting = asyncio.create_task(edge.adeliver(BODY))
        while not edge.appender.pending:
            await asyncio.sleep(0)
        waiting.cancel()
        return await waiting

    assert problem(asyncio.run(scenario())) == (503, "stopping")


def test_an_acknowledgement_after_the_loop_has_ended_is_let_go() -> None:
    edge = Edge(EdgeLimits(ack_timeout_s=0.01))
    edge.appender.acknowledges = False
    assert problem(edge.deliver(BODY)) == (503, "no_ack")
    edge.appender.settle()
    edge.appender.acknowledges = True
    assert edge.deliver(BODY).status_code == 200
    assert edge.registry.get_sample_value("ledger_edge_in_flight") == 0


def test_a_surprise_is_not_hidden(edge: Edge) -> None:
    edge.appender.fails_with = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        edge.deliver(BODY)


async def call(edge: Edge, receive: Any, headers: list[tuple[bytes, bytes]] | None = None) -> tuple[int, str] | None:
    """(status, reason) of a delivery whose body comes from `receive`; None where nothing was answered."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": PATH, "headers": headers or []}
    await edge.app(scope, receive, send)
    if not sent:
        return None
    start, body = sent
    return start["status"], json.loads(body["body"])["reason"]
