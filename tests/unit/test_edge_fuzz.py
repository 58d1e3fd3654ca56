"""Whatever is sent, the edge answers with one of its own statuses, and 200 only for what the log has acknowledged."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.types import Message, Scope

from adapters.web.webhook import EdgeLimits
from domain.errors import LogUnavailable
from tests.edges import EU_SECRET, SECRET, Edge, delivery, signed

STATUSES = {200, 401, 404, 405, 408, 413, 503}
LIMITS = EdgeLimits(max_body_bytes=300, ack_timeout_s=0.01, read_timeout_s=0.01)

methods = st.sampled_from(["POST", "POST", "POST", "GET", "HEAD", "PUT", "OPTIONS", "", "\x00"]) | st.text(max_size=8)
known = st.sampled_from(["/webhooks/persona", "/webhooks/persona/eu", "/livez", "/readyz", "/metrics", ""])
paths = known | st.builds("{}/{}".format, known, st.text(max_size=12)) | st.text(max_size=20)
names = st.sampled_from(
    [
        b"content-length",
        b"content-type",
        b"persona-signature",
        b"persona-webhook-attempts-made",
        b"persona-webhook-first-attempted-at",
        b"expect",
        b"host",
        b"accept",
        b"transfer-encoding",
    ]
)
values = st.binary(max_size=24) | st.integers(-5, 10**12).map(lambda number: b"%d" % number)
fields = st.lists(st.tuples(names | st.binary(min_size=1, max_size=8), values), max_size=6)
bodies = st.binary(max_size=400) | st.builds(delivery, st.text(max_size=9), st.text(max_size=9), st.text(max_size=9))
cuts = st.lists(st.integers(0, 400), max_size=4).map(sorted)


class Sent(NamedTuple):
    """One request. `ends`: whether its body is whole, or its sender goes away, or stops sending."""

    scope: Scope
    pieces: list[bytes]
    ends: str


@st.composite
def requests(draw: st.DrawFn) -> Sent:
    body, places = draw(bodies), draw(cuts)
    secret = draw(st.sampled_from([SECRET, SECRET, SECRET, EU_SECRET, "wbhsec_other", None]))
    headers = draw(fields)
    if secret is not None:
        headers += [(name.lower().encode(), value.encode()) for name, value in signed(body, secret).items()]
    path = draw(paths)
    scope = {
        "type": "http",
        "method": draw(methods),
        "path": path,
        "raw_path": path.encode("utf-8", "replace"),
        "root_path": "",
        "query_string": draw(st.binary(max_size=12)),
        "scheme": "http",
        "server": ("edge", 80),
        "headers": headers,
    }
    pieces = [body[start:end] for start, end in zip([0, *places], [*places, None], strict=True)]
    return Sent(scope, pieces, draw(st.sampled_from(["whole", "whole", "whole", "gone", "stuck"])))


async def answer(edge: Edge, sent: Sent) -> int | None:
    """The status, None where nothing was answered."""
    told: list[Message] = []
    pieces = list(sent.pieces)

    async def receive() -> Message:
        if pieces:
            body = pieces.pop(0)
            return {"type": "http.request", "body": body, "more_body": bool(pieces) or sent.ends != "whole"}
        if sent.ends == "stuck":
            await asyncio.sleep(10)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        told.append(message)

    await edge.app(dict(sent.scope), receive, send)
    if not told:
        return None
    start, *rest = told
    assert start["type"] == "http.response.start"
    assert [message.get("more_body", False) for message in rest] == [False]
    return int(start["status"])


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(requests(), min_size=1, max_size=4), st.sampled_from(["acknowledges", "silent", "fails", "away"]))
def test_every_request_has_a_decent_answer_and_every_200_is_in_the_log(sents: list[Sent], log: str) -> None:
    edge = Edge(LIMITS)
    edge.appender.acknowledges = log == "acknowledges"
    edge.appender.fails_with = LogUnavailable("away") if log == "fails" else None
    edge.appender.ready = log != "away"

    async def scenario() -> list[int | None]:
        return [await answer(edge, sent) for sent in sents]

    statuses = asyncio.run(scenario())
    webhook = [status for status, sent in zip(statuses, sents, strict=True) if "/webhooks" in sent.scope["path"]]
    assert {status for status in statuses if status is not None} <= STATUSES
    assert webhook.count(200) == len(edge.appender.acknowledged)
    assert log == "acknowledges" or 200 not in webhook
    edge.appender.pending.clear()
    assert edge.registry.get_sample_value("ledger_edge_in_flight_bytes") == 0 or log == "silent"
