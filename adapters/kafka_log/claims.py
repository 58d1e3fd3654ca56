"""What the headers of a record claim, for whoever checks it: the signature, who received it, and from which body the
headers were made. Pure: knows no client, and no secret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple, NoReturn

from adapters.kafka_log.record import SOURCE_PREFIX, Audit, encode_headers
from domain.event import EPOCH, Event, Record, parse_time

WEBHOOK = "webhook"

#: What our own processes append. Others may write times and types in other forms of the same meaning.
_OURS = frozenset({WEBHOOK, "reconciled"})
_PROVENANCES = _OURS | {"imported"}

#: How far the clocks of Persona, of an edge and of a broker may be apart.
_CLOCKS_APART = timedelta(hours=1)

_MAX_ATTEMPTS = 1_000_000

Headers = Mapping[str, bytes | None]

_SECRET_ID = re.compile(r"[0-9a-f]{8}")
_DIGITS = re.compile(r"v1=([0-9A-Fa-f]+)")


class Problem(NamedTuple):
    """One thing that is wrong with a record. `text` names fields and kinds, never values."""

    check: str
    text: str


class Claims(NamedTuple):
    """What is claimed besides the event. None where nothing is."""

    provenance: str | None = None
    signature: str | None = None
    secret_id: str | None = None
    source: str | None = None
    is_sealed: bool = False
    problems: tuple[Problem, ...] = ()

    @property
    def is_ours(self) -> bool:
        """Whether one of our own processes says that it wrote the record."""
        return self.provenance in _OURS


def read_claims(record: Record) -> Claims:
    """The claims of a record, and what is wrong with their form."""
    headers = first_headers(record)
    source, problems = _read_source(headers.get("ce_source"))
    problems += [Problem("headers", text) for text in _misspelt(headers)]
    said: Mapping[str, Any] = {}
    if "delivery" in headers:
        said, faults = _read_delivery(headers["delivery"])
        faults += _implausible(said, record.placement.appended_at)
        problems += [Problem("delivery", f"header delivery: {fault}") for fault in faults]
    return Claims(
        said.get("provenance"),
        said.get("signature"),
        said.get("secret_id"),
        source,
        "sealed" in headers,
        tuple(problems),
    )


def first_headers(record: Record) -> Headers:
    """The headers by name; of one given twice the first counts."""
    return dict(reversed(record.headers))


def disagreements(
    headers: Headers,
    event: Event | None,
    payload_type: str | None,
    known: Mapping[str, str],
    *,
    are_read: bool,
    are_ours: bool,
) -> list[str]:
    """Where headers say something else than the body from which they should have been made. `event`, `payload_type`:
    what it says; `known`: what is known of a body that cannot be read; `are_read`: the record is read by its headers,
    so that none may be missing of which the body knows."""
    expected = _expect(event, payload_type, known)
    found = []
    for name in _CHECKED:
        said, wanted = headers.get(name), expected.get(name)
        if said is None:
            if are_read and wanted is not None and name in _ATTRIBUTES:
                found.append(f"header {name}: missing, the body has it")
        elif wanted is None:
            found.append(f"header {name}: the body does not say it")
        elif said != wanted and (are_ours or not _mean_the_same(name, said, wanted)):
            found.append(f"header {name}: not as the body says" if name in _SAID else f"header {name}: not as designed")
    return found


_ATTRIBUTES = ("ce_status", "ce_referenceid", "ce_accountid", "ce_templateid")
_SAID = ("ce_id", "ce_type", "ce_subject", "ce_time", *_ATTRIBUTES)
_CHECKED = ("ce_specversion", "content-type", *_SAID)
_NAMES = (*_CHECKED, "ce_source", "delivery", "sealed")

_NO_AUDIT = Audit(None, None, EPOCH, None, None, WEBHOOK)


def _expect(event: Event | None, payload_type: str | None, known: Mapping[str, str]) -> Mapping[str, bytes]:
    return dict(encode_headers(event, _NO_AUDIT, payload_type=payload_type, known=known))


def _mean_the_same(name: str, said: bytes, wanted: bytes) -> bool:
    if name == "content-type":
        return said.startswith(wanted + b";")
    return name == "ce_time" and _moment(said.decode(errors="replace")) == _moment(wanted.decode())


def _moment(text: object) -> datetime | None:
    try:
        return parse_time(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _read_source(value: bytes | None) -> tuple[str | None, list[Problem]]:
    if value is None:
        return None, []
    text = value.decode(errors="replace")
    if not text.startswith(SOURCE_PREFIX) or "\ufffd" in text:
        return None, [Problem("headers", f"header ce_source: not {SOURCE_PREFIX} and a source")]
    return text.removeprefix(SOURCE_PREFIX), []


def _misspelt(headers: Headers) -> list[str]:
    """Names that are one bit away from one of ours. Of other names nothing is known: anybody may add headers."""
    return [f"a header's name is one bit away from {known}" for known in _find_misspelt(headers, _NAMES)]


def _find_misspelt(names: Iterable[str], known: Collection[str]) -> list[str]:
    """Those of `known` that one of the other names is one bit away from."""
    others = [name for name in names if name not in known]
    return [wanted for name in others for wanted in known if _is_a_bit_away(name, wanted)]


def _is_a_bit_away(name: str, known: str) -> bool:
    """Of a name that is not UTF-8 a `?` stands for each byte outside ASCII (`adapters.kafka_log.header_names`)."""
    if len(name) != len(known):
        return False
    odd = [(said, wanted) for said, wanted in zip(name, known, strict=True) if said != wanted]
    return len(odd) == 1 and (odd[0][0] == "?" or (ord(odd[0][0]) ^ ord(odd[0][1])).bit_count() == 1)


def _read_delivery(value: bytes | None) -> tuple[Mapping[str, Any], list[str]]:
    """The object, and what is wrong with it."""
    try:
        said = json.loads((value or b"").decode(), object_pairs_hook=_once, parse_constant=_refuse)
    except (ValueError, RecursionError):  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        said = None
    if not isinstance(said, dict):
        return {}, ["not a JSON object with each name once"]
    faults = [
        f"a name is one bit away from {known}" for name in said for known in _FORMS if _is_a_bit_away(name, known)
    ]
    for name, (wanted, is_so) in _FORMS.items():
        if name in said and not is_so(said[name]):
            faults.append(f"{name} is not {wanted}")
    return ({}, faults) if faults else (said, list(_oddities(said)))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)


def _is_attempts(value: object) -> bool:
    return value is None or (type(value) is int and 0 <= value <= _MAX_ATTEMPTS)


def _is_time(value: object) -> bool:
    return value is None or _moment(value) is not None


def _is_secret_id(value: object) -> bool:
    return value is None or (isinstance(value, str) and _SECRET_ID.fullmatch(value) is not None)


#: Name → what its value has to be, in words and as a test.
_FORMS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "signature": ("text or null", lambda value: value is None or isinstance(value, str)),
    "secret_id": ("8 hex digits or null", _is_secret_id),
    "received_at": ("a time or null", _is_time),
    "attempts_made": ("a number or null", _is_attempts),
    "first_attempted_at": ("a time or null", _is_time),
    "provenance": ("webhook, reconciled or imported", lambda value: isinstance(value, str) and value in _PROVENANCES),
}


def _oddities(said: Mapping[str, Any]) -> Iterator[str]:
    """Hex digits are compared without regard to case, and nobody writes one signature in both."""
    if any(digits not in (digits.lower(), digits.upper()) for digits in _DIGITS.findall(said.get("signature") or "")):
        yield "signature has hex digits of both cases"


def _implausible(said: Mapping[str, Any], appended_at: datetime) -> Iterator[str]:
    """What was received after it was appended, or first attempted after it was received."""
    received_at, first = _moment(said.get("received_at")), _moment(said.get("first_attempted_at"))
    if received_at is not None and received_at > appended_at + _CLOCKS_APART:
        yield "received_at is after the record was appended"
    if received_at is not None and first is not None and first > received_at + _CLOCKS_APART:
        yield "first_attempted_at is after received_at"
