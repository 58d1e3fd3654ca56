"""Deliveries that Persona would not make: signed all right, but no event can be read from them, or not that one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from adapters.persona.examples import Snapshot
from adapters.persona.simulator.scenario import make_id
from adapters.persona.simulator.shape import PLAIN, write_body


class Broken(NamedTuple):
    """A body, and the reason for which it must end in quarantine."""

    body: bytes
    reason: str


def break_body(rng: Random, snapshot: Snapshot) -> Broken:
    """One body with something wrong, made from an event of the inquiry."""
    return rng.choice(BREAKAGES)(rng, snapshot)


def _change(snapshot: Snapshot, change: Callable[[dict[str, Any]], object]) -> bytes:
    """A fresh event's body after `change` to its `data` object."""
    document = from_json(write_body(snapshot, "inquiry", PLAIN))
    change(document["data"])
    return to_json(document)


def _truncate(rng: Random, snapshot: Snapshot) -> Broken:
    body = write_body(snapshot, "inquiry", PLAIN)
    return Broken(body[: rng.randrange(1, len(body))], "not_json")


def _empty(rng: Random, snapshot: Snapshot) -> Broken:
    return Broken(b"", "not_json")


def _mark_bytes(rng: Random, snapshot: Snapshot) -> Broken:
    """A byte order mark in front."""
    return Broken(b"\xef\xbb\xbf" + write_body(snapshot, "inquiry", PLAIN), "not_json")


def _widen(rng: Random, snapshot: Snapshot) -> Broken:
    return Broken(write_body(snapshot, "inquiry", PLAIN).decode().encode("utf-16"), "not_json")


def _say_nan(rng: Random, snapshot: Snapshot) -> Broken:
    body = write_body(snapshot, "inquiry", PLAIN)
    return Broken(body.replace(b'"hesitation-count":2', b'"hesitation-count":NaN'), "not_json")


def _nest(rng: Random, snapshot: Snapshot) -> Broken:
    body = write_body(snapshot, "inquiry", PLAIN)
    return Broken(body.replace(b'"tags":[]', b'"tags":' + b"[" * 101 + b"]" * 101), "not_json")


def _lose_inquiry(rng: Random, snapshot: Snapshot) -> Broken:
    body = _change(snapshot, lambda data: data["attributes"]["payload"]["data"].pop("id"))
    return Broken(body, "missing_field")


def _lose_event_id(rng: Random, snapshot: Snapshot) -> Broken:
    return Broken(_change(snapshot, lambda data: data.update(id=None)), "missing_field")


def _post_from_workflow(rng: Random, snapshot: Snapshot) -> Broken:
    """A workflow's "Make HTTPS Request" step: same header, same URL, its own body (persona.md, section 4)."""
    body = to_json({"inquiry_id": snapshot.inquiry_id, "status": snapshot.status, "run": make_id(rng, "wfr")})
    return Broken(body, "missing_field")


def _lose_zone(rng: Random, snapshot: Snapshot) -> Broken:
    body = _change(snapshot, lambda data: data["attributes"].update({"created-at": "2026-03-11 09:12:05"}))
    return Broken(body, "bad_time")


def _add_nul(rng: Random, snapshot: Snapshot) -> Broken:
    return Broken(_change(snapshot._replace(event_id=f"{snapshot.event_id}\0"), lambda data: None), "bad_field")


def _contradict(rng: Random, snapshot: Snapshot) -> Broken:
    """The same event id with a later time: the genuine one counts."""
    later = snapshot.occurred_at + timedelta(milliseconds=rng.randrange(1, 9000))
    return Broken(write_body(snapshot._replace(occurred_at=later), "inquiry", PLAIN), "conflicting_duplicate")


Breakage = Callable[[Random, Snapshot], Broken]

BREAKAGES: tuple[Breakage, ...] = (
    _truncate, _empty, _mark_bytes, _widen, _say_nan, _nest, _lose_inquiry, _lose_event_id, _post_from_workflow,
    _lose_zone, _add_nul, _contradict,
)  # fmt: skip
