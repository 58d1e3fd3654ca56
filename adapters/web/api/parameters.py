"""What may be asked, and how it is written. A value that is wrong is never repeated, its parameter is named."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, NamedTuple, TypeVar
from urllib.parse import parse_qsl

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema
from pydantic_core import PydanticCustomError
from starlette.requests import Request

from adapters.web.api.cursor import ChangeCursor, decode_changes, decode_inquiry
from adapters.web.api.problems import bad_parameter, describe_invalid
from domain.decision import Decision
from domain.event import MAX_TEXT_BYTES, is_text, parse_time
from domain.lifecycle import Status

#: What 64 bits hold, as Kafka counts.
_MAX_OFFSET = 2**63 - 1
_MAX_PARTITION = 2**31 - 1

_SPAN = re.compile(r"([0-9]{1,9})([smhd]?)")
_ISO_SPAN = re.compile(r"P(?=.)(?:([0-9]{1,5})D)?(?:T(?=.)(?:([0-9]{1,6})H)?(?:([0-9]{1,7})M)?(?:([0-9]{1,9})S)?)?")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}

#: A hundred years: more is a slip, and less than what a date can go back.
_MAX_SPAN = timedelta(days=36_525)

AT_LEAST_FORM = "must be PARTITION:OFFSET, two numbers such as 2:1480"
TIME_FORM = "must be an RFC 3339 time with a zone, such as 2026-11-24T09:30:00Z (a + is written %2B in a URL)"
SPAN_FORM = "must be seconds, or a number with s, m, h or d, or ISO 8601 such as PT2H, of 36525 days at most"
TEXT_FORM = f"must have 1 to {MAX_TEXT_BYTES} bytes of UTF-8, and no NUL"
CURSOR_FORM = "must be a cursor that this path has given"


class Place(NamedTuple):
    """A record of the topic."""

    partition: int
    offset: int


def _read_by(read: Callable[[str], Any], form: str) -> BeforeValidator:
    """`read` raises ValueError for what it cannot read; what it should be is `form`."""

    def validate(value: Any) -> Any:
        try:
            return read(value)
        except ValueError as error:
            raise PydanticCustomError("ledger_form", "{form}", {"form": form}) from error

    return BeforeValidator(validate)


def _read_text(value: str) -> str:
    if not is_text(value):
        raise ValueError
    return value


def _read_place(value: str) -> Place:
    partition, colon, offset = value.partition(":")
    if not (colon and _is_count(partition) and _is_count(offset)):
        raise ValueError
    place = Place(int(partition), int(offset))
    if place.partition > _MAX_PARTITION or place.offset > _MAX_OFFSET:
        raise ValueError
    return place


def _is_count(text: str) -> bool:
    return len(text) <= 19 and text.isascii() and text.isdigit()


def _read_span(value: str) -> timedelta:
    if match := _SPAN.fullmatch(value):
        span = timedelta(seconds=int(match[1]) * _UNITS[match[2]])
    elif match := _ISO_SPAN.fullmatch(value):
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        span = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    else:
        raise ValueError
    if span > _MAX_SPAN:
        raise ValueError
    return span


def _one_of(known: tuple[str, ...]) -> AfterValidator:
    def validate(value: str) -> str:
        if value not in known:
            raise PydanticCustomError("ledger_choice", "must be one of {known}", {"known": ", ".join(known)})
        return value

    return AfterValidator(validate)


def _text(example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_TEXT_BYTES, "examples": [example]})


def _choice(known: tuple[str, ...]) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "enum": list(known)})


_STATUSES = tuple(status.value for status in Status)
_DECISIONS = tuple(decision.value for decision in Decision)

Time = Annotated[datetime, _read_by(parse_time, TIME_FORM), WithJsonSchema({"type": "string", "format": "date-time"})]
Text = Annotated[str, _read_by(_read_text, TEXT_FORM)]
AtLeast = Annotated[
    Place, _read_by(_read_place, AT_LEAST_FORM), WithJsonSchema({"type": "string", "pattern": "^[0-9]+:[0-9]+$"})
]
Span = Annotated[
    timedelta,
    _read_by(_read_span, SPAN_FORM),
    WithJsonSchema({"type": "string", "minLength": 1, "examples": ["90s", "2h", "PT2H"]}),
]
Opaque = WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9_-]+$"})


class Asked(BaseModel):
    """The parameters of a path, here none. Another one is refused: a mistyped filter must not answer with all."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Lookup(Asked):
    """`GET inquiries/{inquiry_id}`."""

    as_of: Time | None = Field(None, description="Valid time: what held then, by what is (or was) known.")
    known_at: Time | None = Field(None, description="Append time: what was known then. Not in the future.")
    at_least: AtLeast | None = Field(
        None, description="`partition:offset`, as the edge answered: wait until the ledger has read this record."
    )
    wait: Literal["decision"] | None = Field(None, description="Answer as soon as `decision` is not `undecided`.")
    timeout: Annotated[float, Field(ge=0, le=300, allow_inf_nan=False)] = Field(
        30, description="How many seconds `wait` and `at_least` may take together."
    )


class Filters(Asked):
    """`GET inquiries`: all of what is said must hold."""

    reference_id: Annotated[Text, _text("user-42")] | None = Field(None, description="Your own id of the person.")
    status: Annotated[str, _one_of(_STATUSES), _choice(_STATUSES)] | None = Field(None, description="The status.")
    decision: Annotated[str, _one_of(_DECISIONS), _choice(_DECISIONS)] | None = Field(None, description="The decision.")
    template_id: Annotated[Text, _text("itmpl_1")] | None = Field(None, description="The inquiry template.")
    stuck_for: Span | None = Field(
        None, description="In the same status for so long, and still `undecided` or `needs_review`."
    )
    cursor: Annotated[str, _read_by(decode_inquiry, CURSOR_FORM), Opaque] | None = Field(
        None, description="The `cursor` of the page before."
    )
    limit: Annotated[int, Field(ge=1, le=200)] = Field(50, description="How many at most.")


class Since(Asked):
    """`GET changes`."""

    cursor: Annotated[ChangeCursor, _read_by(decode_changes, CURSOR_FORM), Opaque] | None = Field(
        None, description="The `cursor` of the answer before; without one, from the first revision."
    )
    limit: Annotated[int, Field(ge=1, le=1000)] = Field(100, description="How many at most (JSON only).")
    wait: Annotated[float, Field(ge=0, le=60, allow_inf_nan=False)] = Field(
        0, description="Seconds to wait for a revision where there is none yet (JSON only)."
    )


A = TypeVar("A", bound=Asked)


def read_parameters(model: type[A], request: Request) -> A:
    """The query of a request. ApiProblem: 400. FastAPI would do it, in half of all the time that a request takes."""
    pairs = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
    said = dict(pairs)
    if len(said) != len(pairs):
        twice = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]
        raise bad_parameter(twice[0], "is given more than once")
    try:
        return model.model_validate(said)
    except ValidationError as error:
        raise describe_invalid(error.errors(include_url=False, include_context=False, include_input=False)) from None


def read_inquiry_id(request: Request) -> str:
    """The inquiry's id in the path. ApiProblem: 400."""
    inquiry_id: str = request.path_params["inquiry_id"]
    if not is_text(inquiry_id):
        raise bad_parameter("inquiry_id", TEXT_FORM)
    return inquiry_id


def describe_parameters(model: type[Asked]) -> list[dict[str, Any]]:
    """The same parameters for OpenAPI."""
    return [_describe(name, dict(schema)) for name, schema in model.model_json_schema().get("properties", {}).items()]


def _describe(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """What may be left out is null to pydantic, and absent to a client."""
    said = {"name": name, "in": "query", "required": False, "description": schema.pop("description", "")}
    schema.pop("title", None)
    if schema.get("default", 0) is None:
        del schema["default"]
        schema = next(choice for choice in schema["anyOf"] if choice.get("type") != "null")
    return {**said, "schema": schema}
