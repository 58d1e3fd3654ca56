"""A delivery in its full real form, filled for any lifecycle event.

`example_delivery.json` has the structure, the key order and the size (22.9 KB compact) of a real sandbox delivery
with `included` objects (API version 2022-09-01, kebab case); every value that could be somebody's is invented.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from domain.event import format_time

REFERENCE_ID = "customer-000184"

#: Event name → the status that Persona writes into the payload with it.
STATUS_AFTER: Mapping[str, str] = {
    "inquiry.created": "created",
    "inquiry.started": "pending",
    "inquiry.completed": "completed",
    "inquiry.failed": "failed",
    "inquiry.expired": "expired",
    "inquiry.marked-for-review": "needs_review",
    "inquiry.approved": "approved",
    "inquiry.declined": "declined",
}

#: Event name → the attribute that holds its time, in whole seconds.
TIME_OF: Mapping[str, str] = {
    "inquiry.created": "created-at",
    "inquiry.started": "started-at",
    "inquiry.completed": "completed-at",
    "inquiry.failed": "failed-at",
    "inquiry.expired": "expired-at",
    "inquiry.marked-for-review": "marked-for-review-at",
    "inquiry.approved": "decisioned-at",
    "inquiry.declined": "decisioned-at",
    "inquiry.redacted": "redacted-at",
}

_SLOT = re.compile(rb'"@@([a-z_-]+)@@"')


class Snapshot(NamedTuple):
    """What one delivery says of an inquiry. `times`: attribute (`started-at`) → when, of those reached."""

    event_id: str
    inquiry_id: str
    name: str
    occurred_at: datetime
    status: str | None
    reference_id: str | None
    account_id: str | None
    template_id: str | None
    times: Mapping[str, datetime]


class _Template(NamedTuple):
    """The file cut at its slots: `texts[0] slots[0] texts[1] …`, with the ids the file itself has."""

    texts: tuple[bytes, ...]
    slots: tuple[str, ...]
    account_id: str
    template_id: str


def example_delivery() -> bytes:
    """The file as it is: one `inquiry.approved`."""
    return files(__package__).joinpath("example_delivery.json").read_bytes()


def full_delivery(
    event_id: str,
    inquiry_id: str,
    name: str,
    occurred_at: datetime,
    *,
    status: str | None = None,
    reference_id: str | None = REFERENCE_ID,
    account_id: str | None = None,
    template_id: str | None = None,
    times: Mapping[str, datetime] | None = None,
) -> bytes:
    """The body of a delivery in full form (22 to 23 KB, compact JSON).

    `status` is by default the one that `name` leads to (`approved` for a redaction, which moves nothing), `times`
    the creation and this event; account and template are the example's. A redaction keeps the invented person.
    """
    reached = times or {"created-at": occurred_at, TIME_OF[name]: occurred_at}
    status = status or STATUS_AFTER.get(name, "approved")
    return full_body(
        Snapshot(event_id, inquiry_id, name, occurred_at, status, reference_id, account_id, template_id, reached)
    )


def full_body(snapshot: Snapshot) -> bytes:
    """The same from a snapshot; an account or template that is None is the example's."""
    template = _template()
    values = _values(snapshot, template)
    parts = [template.texts[0]]
    for slot, text in zip(template.slots, template.texts[1:], strict=True):
        parts += (values[slot], text)
    return b"".join(parts)


def _values(snapshot: Snapshot, template: _Template) -> dict[str, bytes]:
    said = {
        "event_id": snapshot.event_id,
        "inquiry_id": snapshot.inquiry_id,
        "name": snapshot.name,
        "occurred_at": format_time(snapshot.occurred_at),
        "status": snapshot.status,
        "reference-id": snapshot.reference_id,
        "account_id": snapshot.account_id or template.account_id,
        "template_id": snapshot.template_id or template.template_id,
        **dict.fromkeys(TIME_OF.values()),
        **{attribute: format_seconds(moment) for attribute, moment in snapshot.times.items()},
        "updated-at": format_seconds(snapshot.occurred_at),
    }
    return {slot: to_json(value) for slot, value in said.items()}


def format_seconds(moment: datetime) -> str:
    """As Persona writes the times of an inquiry: cut to whole seconds, with three zeros (persona.md, section 3.1)."""
    return f"{moment.replace(tzinfo=None).isoformat(timespec='seconds')}.000Z"


@lru_cache(maxsize=1)
def _template() -> _Template:
    document = from_json(example_delivery())
    data = document["data"]
    entity = data["attributes"]["payload"]["data"]
    account_id = entity["relationships"]["account"]["data"]["id"]
    template_id = entity["relationships"]["inquiry-template"]["data"]["id"]
    known = {
        data["id"]: "event_id",
        entity["id"]: "inquiry_id",
        account_id: "account_id",
        template_id: "template_id",
        entity["attributes"]["reference-id"]: "reference-id",
    }
    _open_slots(data["attributes"], {"name": "name", "created-at": "occurred_at"})
    own = ("status", "updated-at", *TIME_OF.values())
    _open_slots(entity["attributes"], dict(zip(own, own, strict=True)))
    texts = _SLOT.split(to_json(_mark(document, known)))
    return _Template(tuple(texts[::2]), tuple(slot.decode() for slot in texts[1::2]), account_id, template_id)


def _open_slots(attributes: dict[str, Any], slots: Mapping[str, str]) -> None:
    for key, slot in slots.items():
        attributes[key] = f"@@{slot}@@"


def _mark(node: Any, known: Mapping[str, str]) -> Any:
    """The same tree with a slot wherever a known value stands."""
    if isinstance(node, dict):
        return {key: _mark(value, known) for key, value in node.items()}
    if isinstance(node, list):
        return [_mark(value, known) for value in node]
    return f"@@{known[node]}@@" if isinstance(node, str) and node in known else node
