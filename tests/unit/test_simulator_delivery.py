"""How the simulator sends: as Persona does, with its headers, its schedule of attempts and its patience."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from adapters.persona.body import read_body
from adapters.persona.examples import full_delivery
from adapters.persona.signature import SIGNATURE_HEADER, BadSignature, SignatureChecker
from adapters.persona.simulator import (
    NO_ANSWER,
    Kind,
    Outcome,
    Plan,
    Planned,
    Signing,
    deliver,
    plan,
    webhook_headers,
)
from domain.errors import Undecodable

NOW = datetime(2026, 3, 20, 12, 0, tzinfo=UTC)
SECRETS = ("wbhsec_current", "wbhsec_old")

Headers = dict[str, str]


class Receiver:
    """An HTTP endpoint on a free loopback port that answers each delivery with the status that `decide` returns."""

    def __init__(self, decide: Callable[[Headers, bytes], int]) -> None:
        self.received: list[tuple[Headers, bytes]] = []
        self._decide = decide
        self._connections: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Receiver:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/webhooks/persona"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()
        await asyncio.gather(*self._connections)

    def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.append(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await self._read_head(reader):
            headers = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:] if line)
            body = await reader.readexactly(int(headers["content-length"]))
            status = self._decide(headers, body)
            self.received.append((headers, body))
            answer = json.dumps({"event_id": _event_id(body), "partition": 0, "offset": len(self.received)})
            writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(answer)}\r\n\r\n{answer}".encode())
        writer.close()
        await writer.wait_closed()

    async def _read_head(self, reader: asyncio.StreamReader) -> bytes:
        try:
            return await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return b""


def _event_id(body: bytes) -> str | None:
    try:
        return read_body(body).event.event_id
    except Undecodable:
        return None


def check(headers: Headers, body: bytes) -> int:
    """As the edge answers."""
    try:
        SignatureChecker(SECRETS, 187_200).check(headers.get(SIGNATURE_HEADER.lower()), body, time.time())
    except BadSignature:
        return 401
    return 200


def send(made: Plan, decide: Callable[[Headers, bytes], int] = check, **how: Any) -> tuple[Outcome, Receiver]:
    async def run() -> tuple[Outcome, Receiver]:
        async with Receiver(decide) as receiver:
            return await deliver(made, receiver.url, SECRETS, **how), receiver

    return asyncio.run(run())


def one(kind: Kind = Kind.GENUINE, signing: Signing = Signing.CURRENT, lost_attempts: int = 0) -> Plan:
    body = full_delivery("evt_1", "inq_1", "inquiry.approved", NOW)
    return Plan(0, (Planned(5.0, "evt_1", kind, signing, "inq_1", body, lost_attempts),), {}, {}, {}, {})


def made_of(received: list[tuple[Headers, bytes]]) -> list[int]:
    return [int(headers["persona-webhook-attempts-made"]) for headers, _ in received]


def test_all_that_is_signed_is_accepted_and_all_that_is_forged_refused() -> None:
    made = plan(4, 60, now=NOW, forged=0.05)
    outcome, receiver = send(made)
    forged = sum(planned.kind is Kind.FORGED for planned in made.deliveries)
    assert outcome.statuses == {200: len(made.deliveries) - forged, 401: forged}
    assert outcome.answers[Kind.FORGED, 401] == forged > 0
    assert outcome.accepted(Kind.FORGED) == 0
    assert outcome.accepted(Kind.REPEAT) == sum(planned.kind is Kind.REPEAT for planned in made.deliveries)
    assert outcome.never_accepted == []
    assert Counter(body for _, body in receiver.received) == Counter(planned.body for planned in made.deliveries)


def test_acknowledgements_are_noted_by_event() -> None:
    made = plan(4, 5, now=NOW, forged=0)
    outcome, receiver = send(made)
    readable = {event_id for _, body in receiver.received if (event_id := _event_id(body))}
    assert outcome.acks.keys() == readable
    assert outcome.positions == {0: len(receiver.received)}


def test_while_rotating_each_secret_alone_is_enough() -> None:
    headers = webhook_headers(SECRETS, b"{}", time.time(), Signing.ROTATING)
    for secret in SECRETS:
        assert SignatureChecker((secret,), 60).check(headers[SIGNATURE_HEADER], b"{}", time.time())


def test_headers_are_those_of_persona() -> None:
    headers = webhook_headers(SECRETS, b"{}", 1_773_220_368.9, attempts_made=4)
    assert headers[SIGNATURE_HEADER].startswith("t=1773220368,v1=")
    assert headers["Persona-Webhook-Attempts-Made"] == "4"
    assert headers["Persona-Webhook-Attempts-Left"] == "4"
    assert headers["Persona-Webhook-First-Attempted-At"] == str(1_773_220_368 - 3 - 64 - 729)
    assert SIGNATURE_HEADER not in webhook_headers(SECRETS, b"{}", 0, Signing.UNSIGNED)


def test_a_dropped_delivery_says_how_many_attempts_were_made() -> None:
    _, receiver = send(one(Kind.DROPPED, lost_attempts=3))
    assert made_of(receiver.received) == [4]


def test_what_is_not_accepted_is_tried_again_until_it_is() -> None:
    answers = iter([503, 500, 404, 200])
    outcome, receiver = send(one(), lambda *_: next(answers))
    assert made_of(receiver.received) == [1, 2, 3, 4]
    assert outcome.statuses == {503: 1, 500: 1, 404: 1, 200: 1}
    assert outcome.answers == {(Kind.GENUINE, 200): 1}
    assert outcome.never_accepted == []


def test_after_eight_attempts_a_delivery_is_given_up_and_reported() -> None:
    made = one()
    outcome, receiver = send(made, lambda *_: 503)
    assert made_of(receiver.received) == list(range(1, 9))
    assert outcome.never_accepted == list(made.deliveries)
    assert outcome.acks == {}


def test_a_forger_does_not_try_again() -> None:
    outcome, receiver = send(one(Kind.FORGED, Signing.FORGED))
    assert len(receiver.received) == 1
    assert outcome.never_accepted == []


def test_an_endpoint_that_is_not_there_gives_no_answer() -> None:
    outcome = asyncio.run(deliver(one(), "http://127.0.0.1:9/webhooks/persona", SECRETS))
    assert outcome.statuses == {NO_ANSWER: 8}
    assert len(outcome.never_accepted) == 1


def test_time_between_deliveries_and_between_attempts_is_scaled() -> None:
    answers = iter([503, 503, 200])
    begin = time.monotonic()
    send(one(), lambda *_: next(answers), time_scale=0.002)
    assert time.monotonic() - begin >= (5 + 3 + 64) * 0.002


def test_no_more_are_sent_in_a_second_than_told() -> None:
    made = plan(4, 5, now=NOW, forged=0)
    begin = time.monotonic()
    send(made, rate=100)
    assert time.monotonic() - begin >= (len(made.deliveries) - 1) / 100


def test_progress_is_told_delivery_by_delivery() -> None:
    made, told = plan(4, 5, now=NOW), []
    send(made, progress=lambda done, total: told.append((done, total)))
    assert sorted(told) == [(done, len(made.deliveries)) for done in range(1, len(made.deliveries) + 1)]


def test_an_endpoint_that_answers_something_else_is_no_trouble() -> None:
    outcome, _ = send(one(), lambda *_: 204)
    assert outcome.accepted(Kind.GENUINE) == 1
