"""Small bodies, changed in one place: for tests of what is read from a body and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import strategies as st

from adapters.persona.body import read_body
from domain.errors import Undecodable

#: The paths of the needed fields, below `data`.
NEEDED = (
    "id",
    "attributes.name",
    "attributes.created-at",
    "attributes.payload.data.id",
    "attributes.payload.data.type",
)

#: Any JSON value.
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def document(**entity: Any) -> dict[str, Any]:
    """A small body; `entity` is added to payload.data."""
    payload = {"data": {"type": "inquiry", "id": "inq_1", **entity}}
    attributes = {"name": "inquiry.created", "payload": payload, "created-at": "2026-03-11T09:12:05.000Z"}
    return {"data": {"type": "event", "id": "evt_1", "attributes": attributes}}


def dump(value: object) -> bytes:
    return json.dumps(value).encode()


def changed(path: str, change: Callable[[dict[str, Any], str], object]) -> bytes:
    """The small body after `change(object, key)` to the last object on a dotted path below `data`."""
    body = document()
    *parents, key = path.split(".")
    holder = body["data"]
    for parent in parents:
        holder = holder[parent]
    change(holder, key)
    return dump(body)


def put(value: object) -> Callable[[dict[str, Any], str], object]:
    return lambda holder, key: holder.update({key: value})


def refusal(raw: bytes | None) -> Undecodable:
    with pytest.raises(Undecodable) as caught:
        read_body(raw)
    return caught.value
