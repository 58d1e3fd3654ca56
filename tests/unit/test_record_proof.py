"""One record, checked: every bit of what the edge writes is proved, or named as outside the proof."""

from __future__ import annotations

import json
import re

import pytest

from adapters.persona.examples import example_delivery
from consumers.proof.record import Signature
from domain.event import Record
from tests.bodies import changed, document, dump, put
from tests.proofs import (
    EU_SECRET,
    OLD_SECRET,
    SECRET,
    Signed,
    as_record,
    flip,
    flip_header,
    make_proof,
    misspell_header,
    receive,
)

#: A body with everything that headers are made of.
BODY = dump(
    document(
        attributes={"status": "created", "reference-id": "user-7"},
        relationships={
            "account": {"data": {"id": "act_1"}},
            "inquiry-template": {"data": {"id": "itmpl_1"}},
        },
    )
)
EVERYTHING = as_record(receive(BODY))
NAMES = [name for name, _ in EVERYTHING.headers]

#: Of the header `delivery`: what nobody signed. docs/explanation/the-proof.md names the same.
OUTSIDE = ("received_at", "attempts_made", "first_attempted_at")

CHECK = make_proof(SECRET, OLD_SECRET)

RANDOM_ORDER = make_proof(OLD_SECRET, SECRET)


def problems(record: Record) -> list[str]:
    return [f"{problem.check}: {problem.text}" for problem in CHECK(record).problems]


def bare(body: bytes, *headers: tuple[str, bytes]) -> Record:
    """What another producer appends."""
    return as_record(Signed(b"inq_1", body, headers))


def with_delivery(**said: object) -> Record:
    """The record with something else in its header `delivery`."""
    headers = dict(EVERYTHING.headers)
    delivery = json.loads(headers["delivery"] or b"")
    headers["delivery"] = json.dumps({**delivery, **said}).encode()
    return EVERYTHING._replace(headers=tuple(headers.items()))


def without(*names: str) -> Record:
    """The record without these headers."""
    return EVERYTHING._replace(headers=tuple(header for header in EVERYTHING.headers if header[0] not in names))


def test_a_signed_record_is_valid_and_has_no_problem() -> None:
    examined = CHECK(EVERYTHING)
    assert (examined.signature, examined.problems, len(examined.signed_by)) == (Signature.VALID, (), 1)


@pytest.mark.parametrize("number", range(len(NAMES)), ids=NAMES)
def test_each_bit_of_each_header_is_proved_or_named_as_outside_the_proof(number: int) -> None:
    name, value = EVERYTHING.headers[number]
    assert value is not None
    unproved = {bit // 8 for bit in range(8 * len(value)) if not problems(flip_header(EVERYTHING, number, bit))}
    assert unproved <= (_outside(value) if name == "delivery" else set())


def _outside(delivery: bytes) -> set[int]:
    """The bytes of what nobody signed: the values of `OUTSIDE`."""
    found = [re.search(rf'"{name}":"?([^",]*)'.encode(), delivery) for name in OUTSIDE]
    return {at for match in found if match for at in range(*match.span(1))}


@pytest.mark.parametrize("number", range(len(NAMES)), ids=NAMES)
def test_each_bit_of_the_name_of_each_header_is_proved(number: int) -> None:
    changed_names = list(misspell_header(EVERYTHING, number))
    assert changed_names
    assert [record.headers[number][0] for record in changed_names if not problems(record)] == []


def test_each_bit_of_body_and_key_is_proved() -> None:
    assert [bit for bit in range(8 * len(BODY)) if not problems(EVERYTHING._replace(value=flip(BODY, bit)))] == []
    key = EVERYTHING.key or b""
    assert [bit for bit in range(8 * len(key)) if not problems(EVERYTHING._replace(key=flip(key, bit)))] == []


def test_of_a_rotated_signature_every_group_of_a_known_secret_is_looked_at() -> None:
    rotated = as_record(receive(BODY, (SECRET, OLD_SECRET)))
    for proof in (CHECK, RANDOM_ORDER):
        examined = proof(rotated)
        assert (examined.signature, examined.problems, len(examined.signed_by)) == (Signature.VALID, (), 2)


def test_a_record_whose_secret_is_gone_is_valid_by_the_other_one_that_signed_it() -> None:
    """The edge had the old secret only, and Persona signed with both; now the old one is not set any more."""
    rotated = as_record(receive(BODY, (OLD_SECRET, SECRET)))
    examined = make_proof(SECRET)(rotated)
    assert (examined.signature, examined.problems, len(examined.signed_by)) == (Signature.VALID, (), 1)


def test_each_bit_of_the_group_that_the_edge_found_genuine_is_proved() -> None:
    rotated = as_record(receive(BODY, (SECRET, OLD_SECRET)))
    number, value = len(rotated.headers) - 1, rotated.headers[-1][1] or b""
    begin, end = value.index(b"t="), value.index(b" ")
    assert [bit for bit in range(8 * begin, 8 * end) if not problems(flip_header(rotated, number, bit))] == []


UNREADABLE = [
    b"",
    b"{",
    b"\xef\xbb\xbf" + BODY,
    BODY.decode().encode("utf-16"),
    BODY.replace(b'"user-7"', b"NaN"),
    changed("attributes.created-at", put("2026-03-11 09:12:05")),
    changed("id", put("evt\0")),
    changed("attributes.payload.data.id", lambda holder, key: holder.pop(key)),
]


@pytest.mark.parametrize("body", UNREADABLE)
def test_a_body_that_cannot_be_read_is_no_problem_and_each_bit_of_its_headers_is_proved(body: bytes) -> None:
    record = as_record(receive(body))
    assert problems(record) == []
    for number, (name, value) in enumerate(record.headers):
        bits = range(8 * len(value or b"")) if name != "delivery" else ()
        assert [bit for bit in bits if not problems(flip_header(record, number, bit))] == []
    key = record.key or b""
    assert all(problems(record._replace(key=flip(key, bit))) for bit in range(8 * len(key)))


CLEAN = {
    "a real delivery": as_record(receive(example_delivery())),
    "another family": as_record(receive(changed("attributes.payload.data.type", put("case")))),
    "no optional field": as_record(receive(dump(document()))),
    "imported without headers": bare(BODY),
    "imported and broken": bare(b'{"data":'),
    "imported with some headers": bare(BODY, ("ce_id", b"evt_1"), ("x-mine", b"1")),
    "imported, time in another form": bare(
        dump(document()),
        ("ce_id", b"evt_1"),
        ("ce_type", b"com.withpersona.inquiry.created"),
        ("ce_subject", b"inq_1"),
        ("ce_time", b"2026-03-11T10:12:05+01:00"),
        ("content-type", b"application/json; charset=utf-8"),
        ("delivery", b'{"provenance": "imported"}'),
    ),
    "sealed": bare(b"\x00\x01", ("sealed", b"key-1"), ("ce_referenceid", b"\xff")),
    "traced": EVERYTHING._replace(headers=(*EVERYTHING.headers, ("traceparent", b"00-1-2-01"))),
    "a header twice": EVERYTHING._replace(headers=(*EVERYTHING.headers, ("ce_id", b"evt_2"))),
}


@pytest.mark.parametrize("record", CLEAN.values(), ids=CLEAN)
def test_what_is_right_is_no_problem(record: Record) -> None:
    assert problems(record) == []


def test_a_name_that_contradicts_the_payload_type_has_no_type_header_and_that_is_right() -> None:
    contradictory = as_record(receive(changed("attributes.payload.data.type", put("case"))))
    assert "ce_type" not in dict(contradictory.headers)
    told = contradictory._replace(headers=(*contradictory.headers, ("ce_type", b"com.withpersona.inquiry.created")))
    assert problems(told) == ["headers: header ce_type: the body does not say it"]


STATES = {
    Signature.VALID: EVERYTHING,
    Signature.INVALID: EVERYTHING._replace(value=BODY + b" "),
    Signature.NOT_SIGNED: bare(BODY),
    Signature.UNKNOWN_SECRET: as_record(receive(BODY, ("wbhsec_gone",))),
    Signature.NOT_CHECKED: bare(b"\x00", ("sealed", b"key-1"), ("delivery", b'{"signature":"t=1,v1=00"}')),
}


@pytest.mark.parametrize("state", Signature)
def test_a_signature_is_in_one_of_five_states_and_only_a_false_one_is_a_problem(state: Signature) -> None:
    examined = CHECK(STATES[state])
    assert examined.signature is state
    assert bool(examined.problems) is (state is Signature.INVALID)


def test_without_a_secret_nothing_is_said_of_signatures() -> None:
    examined = make_proof()(EVERYTHING._replace(value=BODY + b" "))
    assert (examined.signature, examined.problems) == (Signature.NOT_CHECKED, ())


WRONG = {
    "signature: a webhook without a signature": with_delivery(signature=None),
    "headers: header ce_source: the secret that signed these bytes is of another source": as_record(
        receive(BODY, (EU_SECRET,), source="default")
    ),
    "delivery: header delivery: received_at is after the record was appended": with_delivery(
        received_at="2026-03-02T00:00:00.000Z"
    ),
    "delivery: header delivery: first_attempted_at is after received_at": with_delivery(
        first_attempted_at="2026-03-02T00:00:00.000Z"
    ),
    "delivery: header delivery: attempts_made is not a number or null": with_delivery(attempts_made=True),
    "delivery: header delivery: provenance is not webhook, reconciled or imported": with_delivery(provenance=["x"]),
    "delivery: header delivery: not a JSON object with each name once": bare(
        BODY, ("delivery", b'{"provenance":"imported","provenance":"webhook"}')
    ),
    "headers: header ce_referenceid: missing, the body has it": without("ce_referenceid"),
    "key: the key is not the body's inquiry id": EVERYTHING._replace(key=b"inq_2"),
    "headers: header ce_status: the body does not say it": bare(dump(document()), ("ce_status", b"created")),
}


@pytest.mark.parametrize(("problem", "record"), WRONG.items(), ids=WRONG)
def test_what_is_wrong_is_told_without_a_value(problem: str, record: Record) -> None:
    assert problems(record) == [problem]


@pytest.mark.parametrize("value", [b"[" * 100_000, b"\xff", b"1", b'{"a":NaN}', None])
def test_a_delivery_header_that_is_no_object_stops_nothing(value: bytes | None) -> None:
    record = bare(BODY)._replace(headers=(("delivery", value),))
    assert problems(record) == ["delivery: header delivery: not a JSON object with each name once"]


def test_a_record_read_by_headers_that_its_body_cannot_tell_is_a_problem() -> None:
    record = as_record(Signed(b"inq_1", b"{}", receive(BODY).headers))
    assert problems(record)[-1] == "body: the headers tell an event, the body cannot be read (missing_field)"
