"""Signed deliveries as fast as a receiver takes them, each connection one at a time, and how long each took.

In a process of its own, so that it takes no time from the receiver: `python -m adapters.reference.edge_load`,
settings as JSON on stdin, the measurement as JSON on stdout.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any

import uvloop

from adapters.reference.http_load import Load, measure

PATH = "/webhooks/persona"

#: Distinct deliveries; then again from the first. A receiver that knows them from before has it no easier.
_DISTINCT = 4_096

#: Status → when it was reached.
_TIMES = {"created": "2024-07-08T14:20:11.802Z", "approved": "2024-07-08T14:29:24.297Z"}


def make_requests(secret: str, body_bytes: int, numbers: Iterable[int], status: str) -> list[bytes]:
    """Signed deliveries of about this size, each of an inquiry of its own (`inquiry_id`) and of its next status."""
    now = str(int(time.time()))
    return [_request(_body(number, body_bytes, status), secret.encode(), now) for number in numbers]


def inquiry_id(number: int) -> str:
    """The inquiry of this number."""
    return f"inq_bench{number}"


def _body(number: int, size: int, status: str) -> bytes:
    inquiry = {"type": "inquiry", "id": inquiry_id(number), "attributes": {"status": status, "note": ""}}
    attributes = {
        "name": f"inquiry.{status}",
        "created-at": _TIMES[status],
        "payload": {"data": inquiry},
    }
    event = {"data": {"type": "event", "id": f"evt_{status}{number}", "attributes": attributes}}
    inquiry["attributes"] = {"status": status, "note": "x" * max(0, size - len(json.dumps(event)))}
    return json.dumps(event).encode()


def _request(body: bytes, secret: bytes, now: str) -> bytes:
    signature = hmac.digest(secret, f"{now}.".encode() + body, "sha256").hex()
    fields = (
        f"POST {PATH} HTTP/1.1",
        "Host: receiver",
        "Content-Type: application/json; charset=utf-8",
        "Persona-Webhook-Attempts-Made: 1",
        "Persona-Webhook-Attempts-Left: 7",
        f"Persona-Webhook-First-Attempted-At: {now}",
        f"Persona-Signature: t={now},v1={signature}",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join((*fields, "", "")).encode() + body


def main(settings: Mapping[str, Any]) -> None:
    """`url`, `secret`, `body_bytes`, `connections`, `warm_up_s`, `run_s`."""
    load = Load(make_requests(settings["secret"], settings["body_bytes"], range(_DISTINCT), "approved"))
    run = measure(load, settings["url"], settings["connections"], settings["warm_up_s"], settings["run_s"])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.stdout.write(json.dumps(runner.run(run)._asdict()))


if __name__ == "__main__":
    main(json.loads(sys.stdin.read()))
