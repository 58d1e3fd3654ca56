"""A delivery's body → the event it carries. The edge and the projector both read it here, so they see the same.

Only what every webhook setting leaves in is needed; all else may be missing, null or new (persona.md, sections 3.1
and 3.2). Keys come in kebab, camel or snake case: of the spellings in a body the first in this order counts.

pydantic's JSON parser builds plain values and no models: 0.16 ms for a real body of 23 KB. What it refuses though it
is JSON (half a surrogate, numbers of thousands of digits) goes through the slower one of the standard library.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, NoReturn

from pydantic_core import from_json

from domain.errors import QuarantineReason, Undecodable
from domain.event import Event, format_time, is_text, parse_time

#: `[]` has depth 1.
MAX_DEPTH = 100

_TOO_DEEP = f"nested deeper than {MAX_DEPTH}"

CREATED_AT = ("created-at", "createdAt", "created_at")
REFERENCE_ID = ("reference-id", "referenceId", "reference_id")
INQUIRY_TEMPLATE = ("inquiry-template", "inquiryTemplate", "inquiry_template")

_ABSENT = object()

_CONTAINERS = frozenset({dict, list})

_KINDS: Mapping[type, str] = {
    object: "missing",
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
            raise Undecodable(QuarantineReason.BAD_FIELD, f"data.{path}: NUL, half a surrogate, or over 512 bytes")
    return Delivery(Event(inquiry_id, event_id, name, occurred_at, None, *_optional(entity)), payload_type)


def find_inquiry_id(raw: bytes) -> str | None:
    """`payload.data.id` of a body that `read_body` refuses, where a JSON parser finds it and it is usable."""
    return _peek(raw).inquiry_id


def sketch(raw: bytes) -> Mapping[str, str]:
    """The headers `ce_id`, `ce_type`, `ce_subject`, `ce_time` that are known of a body that `read_body` refuses.

    Never all four: such a record would be read by its headers, and never be quarantined. Then `ce_type` stays out.
    """
    peek = _peek(raw)
    known = {
        "ce_id": peek.event_id,
        "ce_subject": peek.inquiry_id,
        "ce_time": peek.created_at and format_time(peek.created_at),
    }
    if not all(known.values()):
        known["ce_type"] = peek.name and f"com.withpersona.{peek.name}"
    return {header: value for header, value in known.items() if value}


def parse_json(raw: bytes | None) -> dict[str, Any]:
    """A body's outermost object. Undecodable: not_json, or missing_field where it is no object."""
    document = _parse(raw)
    if _may_be_deep(raw or b"") and _is_deep(document):
        raise Undecodable(QuarantineReason.NOT_JSON, _TOO_DEEP)
    if not isinstance(document, dict):
        raise Undecodable(QuarantineReason.MISSING_FIELD, f"the body: {_kind(document)}, not an object")
    return document


def _parse(raw: bytes | None) -> Any:
    """One JSON value of any depth, or Undecodable."""
    if not raw:
        raise Undecodable(QuarantineReason.NOT_JSON, "no value")
    try:
        return from_json(raw, allow_inf_nan=False)
    except ValueError:
        return _parse_slowly(raw)


def _parse_slowly(raw: bytes) -> Any:
    """Raises after the handlers, not in them: the parser's error holds the body, and must not be chained."""
    try:
        return _DECODER.decode(raw.decode())
    except UnicodeDecodeError:
        problem = "not UTF-8"
    except RecursionError:
        problem = _TOO_DEEP
    except ValueError:
        problem = "not JSON"
    raise Undecodable(QuarantineReason.NOT_JSON, problem)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


# `int` refuses more than 4300 digits; no number is ever read here, so all of them may be floats.
_DECODER = json.JSONDecoder(parse_int=float, parse_constant=_refuse_constant)


def _may_be_deep(raw: bytes) -> bool:
    """Whether there are enough of them to be nested too deep; in a small body there are not."""
    return raw.count(b"{") + raw.count(b"[") > MAX_DEPTH


def _is_deep(document: Any) -> bool:
    """Whether containers are nested deeper than `MAX_DEPTH`: level by level, with no recursion to run out of."""
    level: list[Any] = [[document]]
    for _ in range(MAX_DEPTH + 1):
        level = [
            child
            for node in level
            for child in (node.values() if type(node) is dict else node)
            if type(child) in _CONTAINERS
        ]
        if not level:
            return False
    return True


def _object(holder: Mapping[str, Any], key: str, path: str) -> dict[str, Any]:
    value = holder.get(key, _ABSENT)
    if isinstance(value, dict):
        return value
    raise _missing(path, value, "an object")


def _string(holder: Mapping[str, Any], spellings: tuple[str, ...], path: str) -> str:
    value = _first(holder, spellings)
    if isinstance(value, str) and value:
        return value
    raise _missing(path, value, "a string")


def _first(holder: Mapping[str, Any], spellings: tuple[str, ...]) -> Any:
    """The value under the first spelling that is there, though it be null."""
    for key in spellings:
        if key in holder:
            return holder[key]
    return _ABSENT


def _missing(path: str, value: object, needed: str) -> Undecodable:
    kind = "empty" if value == "" else _kind(value)
    return Undecodable(QuarantineReason.MISSING_FIELD, f"{path}: {kind}, {needed} is needed")


def _kind(value: object) -> str:
    return _KINDS[type(value)]


def _time(text: str) -> datetime:
    """Raises after the handler: the parser's error quotes the value."""
    moment = _parse_time(text)
    if moment is None:
        raise Undecodable(QuarantineReason.BAD_TIME, "data.attributes.created-at: not an RFC 3339 time with a zone")
    return moment


def _parse_time(text: str) -> datetime | None:
    try:
        return parse_time(text)
    except ValueError:
        return None


def _optional(entity: Mapping[str, Any]) -> tuple[str | None, str | None, str | None, str | None]:
    """Reference id, account, template and status; what is not usable counts as missing."""
    attributes = _child(entity, ("attributes",))
    relationships = _child(entity, ("relationships",))
    return (
        _usable(_first(attributes, REFERENCE_ID)),
        _related(relationships, ("account",)),
        _related(relationships, INQUIRY_TEMPLATE) or _related(relationships, ("template",)),
        _usable(attributes.get("status")),
    )


def _related(relationships: Mapping[str, Any], spellings: tuple[str, ...]) -> str | None:
    return _usable(_child(_child(relationships, spellings), ("data",)).get("id"))


def _child(holder: Mapping[str, Any], spellings: tuple[str, ...]) -> Mapping[str, Any]:
    return _as_object(_first(holder, spellings))


def _as_object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _usable(value: Any) -> str | None:
    return value if is_text(value) else None


class _Peek(NamedTuple):
    """What may be known of a body that cannot be read."""

    event_id: str | None = None
    name: str | None = None
    created_at: datetime | None = None
    inquiry_id: str | None = None


def _peek(raw: bytes) -> _Peek:
    try:
        document = _parse(raw)
    except Undecodable:
        return _Peek()
    data = _child(_as_object(document), ("data",))
    attributes = _child(data, ("attributes",))
    entity = _child(_child(attributes, ("payload",)), ("data",))
    created_at = _first(attributes, CREATED_AT)
    return _Peek(
        _usable(data.get("id")),
        _usable(attributes.get("name")),
        _parse_time(created_at) if isinstance(created_at, str) else None,
        _usable(entity.get("id")),
    )
