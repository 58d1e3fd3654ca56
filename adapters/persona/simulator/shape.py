"""Bodies of about 1 KB in the variants that one webhook or another sends (persona.md, section 3.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import lru_cache
from random import Random
from typing import Any, NamedTuple

from pydantic_core import to_json

from adapters.persona.examples import TIME_OF, Snapshot, format_seconds, full_body
from domain.event import format_time


class Inflection(StrEnum):
    """How a webhook spells its keys; values stay as they are."""

    KEBAB = "kebab"
    CAMEL = "camel"
    SNAKE = "snake"


class Shape(NamedTuple):
    """The settings of one webhook. `blocked`: attributes on its blocklist (`*`: all); `full`: as in `examples`."""

    inflection: Inflection = Inflection.KEBAB
    relationships: bool = True
    included: bool = False
    blocked: frozenset[str] = frozenset()
    full: bool = False


FULL = Shape(full=True)
PLAIN = Shape()

#: The variants, the default first; two webhooks for one inquiry may have two of them.
SHAPES: tuple[Shape, ...] = (
    PLAIN,
    Shape(Inflection.CAMEL),
    Shape(Inflection.SNAKE, included=True),
    Shape(relationships=False),
    Shape(blocked=frozenset({"reference-id", "tags", "note"})),
    Shape(Inflection.CAMEL, blocked=frozenset({"*"})),
)
_WEIGHTS = (60, 12, 12, 6, 6, 4)


def choose_shape(rng: Random) -> Shape:
    return rng.choices(SHAPES, _WEIGHTS)[0]


def says(snapshot: Snapshot, shape: Shape) -> Snapshot:
    """The snapshot as this webhook's settings leave it."""
    hides = shape.blocked
    return snapshot._replace(
        status=None if hides & {"*", "status"} else snapshot.status,
        reference_id=None if hides & {"*", "reference-id"} else snapshot.reference_id,
        account_id=snapshot.account_id if shape.relationships else None,
        template_id=snapshot.template_id if shape.relationships else None,
    )


def write_body(snapshot: Snapshot, payload_type: str, shape: Shape, padding: str = "") -> bytes:
    """The bytes of one delivery, compact JSON. `padding` is added to the fields, for a body of a given size."""
    if shape.full:
        return full_body(snapshot)
    payload: dict[str, Any] = {"data": _entity(snapshot, payload_type, shape, padding)}
    if shape.included:
        payload["included"] = [{"type": "account", "id": snapshot.account_id, "attributes": {"created-at": None}}]
    attributes = {"name": snapshot.name, "payload": payload, "created-at": format_time(snapshot.occurred_at)}
    document = {"data": {"type": "event", "id": snapshot.event_id, "attributes": attributes}}
    if shape.inflection is not Inflection.KEBAB:
        document = _respell(document, _SPELLINGS[shape.inflection])
    return to_json(document)


def _entity(snapshot: Snapshot, payload_type: str, shape: Shape, padding: str) -> dict[str, Any]:
    entity: dict[str, Any] = {"type": payload_type, "id": snapshot.inquiry_id}
    if "*" not in shape.blocked:
        entity["attributes"] = _attributes(snapshot, padding)
        for key in shape.blocked:
            del entity["attributes"][key]
    if shape.relationships:
        entity["relationships"] = _relationships(snapshot)
    return entity


def _attributes(snapshot: Snapshot, padding: str) -> dict[str, Any]:
    times = snapshot.times
    reached = {key: format_seconds(times[key]) if key in times else None for key in TIME_OF.values()}
    fields = {"selected-country-code": {"type": "string", "value": "NZ"}}
    if padding:
        fields["answer"] = {"type": "string", "value": padding}
    return {
        "status": snapshot.status,
        "reference-id": snapshot.reference_id,
        "note": None,
        "behaviors": {"distraction-events": 1, "hesitation-count": 2, "behavior-threat-level": "low"},
        "tags": [],
        "creator": "API",
        "reviewer-comment": None,
        "updated-at": format_seconds(snapshot.occurred_at),
        **reached,
        "previous-step-name": "start_3c90fe",
        "next-step-name": "success_7d41c2",
        "fields": fields,
    }


def _relationships(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "account": {"data": {"type": "account", "id": snapshot.account_id}},
        "template": {"data": None},
        "inquiry-template": {"data": {"type": "inquiry-template", "id": snapshot.template_id}},
        "reviewer": {"data": None},
        "reports": {"data": []},
    }


def _respell(node: Any, spell: Callable[[str], str]) -> Any:
    if isinstance(node, dict):
        return {spell(key): _respell(value, spell) for key, value in node.items()}
    return [_respell(value, spell) for value in node] if isinstance(node, list) else node


@lru_cache(maxsize=256)
def _camel(key: str) -> str:
    first, *others = key.split("-")
    return first + "".join(map(str.capitalize, others))


def _snake(key: str) -> str:
    return key.replace("-", "_")


_SPELLINGS: Mapping[Inflection, Callable[[str], str]] = {Inflection.CAMEL: _camel, Inflection.SNAKE: _snake}
