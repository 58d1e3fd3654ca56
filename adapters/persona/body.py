"""A delivery's body → the event it carries. The edge and the projector both read it here, so they see the same.

Only what every webhook setting leaves in is needed; all else may be missing, null or new (persona.md, sections 3.1
and 3.2). Keys come in kebab, camel or snake case: of the spellings in a body the first in this order counts.

pydantic's JSON parser builds plain values and no models: 0.1 ms for a real body of 23 KB. What it refuses though it
is JSON (half a surrogate, numbers of thousands of digits) goes through the slower one of the standard library.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple, NoReturn

from pydantic_core import from_json

from domain.errors import QuarantineReason, Undecodable
from domain.event import Event, format_time, is_text, parse_time

#: `[]` has depth 1.
MAX_DEPTH = 100

CREATED_AT = ("created-at", "createdAt", "created_at")
REFERENCE_ID = ("reference-id", "referenceId", "reference_id")
INQUIRY_TEMPLATE = ("inquiry-template", "inquiryTemplate", "inquiry_template")

_OBJECT: Mapping[str, Any] = {}

_KINDS = {
    type(None): "null",
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}


class Delivery(NamedTuple):
    """What one body says. The event's `source` is None: it is known by the path only."""

    event: Event
    payload_type: str


def read_body(raw: bytes | None) -> Delivery:
    """The event of a delivery, of any family. Undecodable: not_json, missing_field, bad_time, bad_field, in this order.

    `Event.inquiry_id` is `payload.data.id` for every family. Its size is the caller's to check.
    """
    document = parse_json(raw)
    data = _object(document, "data", "data")
    attributes = _object(data, "attributes", "data.attributes")
    payload = _object(attributes, "payload", "data.attributes.payload")
    entity = _object(payload, "data", "data.attributes.payload.data")
    event_id = _string(data, ("id",), "data.id")
    name = _string(attributes, ("name",), "data.attributes.name")
    created_at = _string(attributes, CREATED_AT, "data.attributes.created-at")
    payload_type = _string(entity, ("type",), "data.attributes.payload.data.type")
    inquiry_id = _string(entity, ("id",), "data.attributes.payload.data.id")
    occurred_at = _time(created_at)
    for path, text in (("id", event_id), ("attributes.name", name), ("attributes.payload.data.id", inquiry_id)):
        if not is_text(text):
            _refuse(QuarantineReason.BAD_FIELD, f"data.{path}: NUL, half a surrogate, or over 512 bytes")
    return Delivery(Event(inquiry_id, event_id, name, occurred_at, None, *_optional(entity)), payload_type)


def find_inquiry_id(raw: bytes) -> str | None:
    """`payload.data.id` of a body that `read_body` refuses, where JSON can be parsed (at any depth) and it is usable."""
    return _usable(_dig(_peek(raw), "data", "attributes", "payload", "data", "id"))


def sketch(raw: bytes) -> Mapping[str, str]:
    """The headers `ce_id`, `ce_type`, `ce_subject`, `ce_time` that are known of a body that `read_body` refuses.

    Never all four: such a record would be read by its headers, and its body not be quarantined. Then `ce_type` stays out.
    """
    document = _peek(raw)
    attributes = _dig(document, "data", "attributes")
    name = _usable(_dig(attributes, "name"))
    known = {
        "ce_id": _usable(_dig(document, "data", "id")),
        "ce_type": name and f"com.withpersona.{name}",
        "ce_subject": _usable(_dig(attributes, "payload", "data", "id")),
        "ce_time": _peek_time(_first(attributes, CREATED_AT) if isinstance(attributes, dict) else None),
    }
    if all(known.values()):
        del known["ce_type"]
    return {header: value for header, value in known.items() if value}


def parse_json(raw: bytes | None) -> dict[str, Any]:
    """A body's outermost object. Undecodable: not_json, or missing_field where it is no object."""
    document = _parse(raw)
    if _is_deep(document):
        _refuse(QuarantineReason.NOT_JSON, f"nested deeper than {MAX_DEPTH}")
    if not isinstance(document, dict):
        _refuse(QuarantineReason.MISSING_FIELD, f"the body: {_kind(document)}, not an object")
    return document


def _parse(raw: bytes | None) -> Any:
    """One JSON value, or Undecodable; the parser's own error is not chained, since it holds the body."""
    if not raw:
        _refuse(QuarantineReason.NOT_JSON, "no value")
    try:
        return from_json(raw, allow_inf_nan=False)
    except ValueError:
        pass
    try:
        return _DECODER.decode(raw.decode())
    except UnicodeDecodeError:
        _refuse(QuarantineReason.NOT_JSON, "not UTF-8")
    except RecursionError:
        _refuse(QuarantineReason.NOT_JSON, f"nested deeper than {MAX_DEPTH}")
    except ValueError:
        _refuse(QuarantineReason.NOT_JSON, "not JSON")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


# A number is never read, and `int` refuses more than 4300 digits, so any number may be a float.
_DECODER = json.JSONDecoder(parse_int=float, parse_constant=_refuse_constant)


def _is_deep(document: Any) -> bool:
    """Whether containers are nested deeper than `MAX_DEPTH`, a level at a time: no recursion to run out of."""
    level = [document]
    for _ in range(MAX_DEPTH + 1):
        level = [
            child
            for node in level
            if node.__class__ is dict or node.__class__ is list
            for child in (node.values() if node.__class__ is dict else node)
        ]
        if not level:
            return False
    return True


def _object(holder: Mapping[str, Any], key: str, path: str) -> dict[str, Any]:
    value = holder.get(key, _OBJECT)
    if value.__class__ is not dict or value is _OBJECT:
        _miss(path, value, "an object")
    return value  # type: ignore[no-any-return]


def _string(holder: Mapping[str, Any], spellings: tuple[str, ...], path: str) -> str:
    value = _first(holder, spellings)
    if value.__class__ is not str or not value:
        _miss(path, value, "a string")
    return value  # type: ignore[no-any-return]
