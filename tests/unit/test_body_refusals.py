"""What cannot be read from a body, for which reason, and what is known of it all the same (design, section 5)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.persona.body import find_inquiry_id, read_body, sketch
from domain.errors import QuarantineReason, Undecodable
from tests.bodies import JSON, NEEDED, changed, document, dump, put, refusal

GOLDEN = Path(__file__).parent / "golden" / "persona"


def is_read(raw: bytes) -> bool:
    """Whether there is an event in it; any error but Undecodable fails the test."""
    try:
        read_body(raw)
    except Undecodable:
        return False
    return True


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        (None, "no value"),
        (b"", "no value"),
        (b"  ", "not JSON"),
        (b"nonsense", "not JSON"),
        (b'{"data":', "not JSON"),
        (b"{} {}", "not JSON"),
        (b"[1,]", "not JSON"),
        (b"{'a': 1}", "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        ("{}".encode("utf-16"), "not UTF-8"),
        ("{}".encode("utf-16-le"), "not JSON"),
        ("{}".encode("utf-32"), "not UTF-8"),
        (b'{"a":"\xff"}', "not UTF-8"),
        (b'{"a":"\xed\xa0\x80"}', "not UTF-8"),
        (b"NaN", "not JSON"),
        (b'{"a":NaN}', "not JSON"),
        (b'{"a":Infinity}', "not JSON"),
        (b'{"a":-Infinity}', "not JSON"),
        (b'{"a":"\\ud800","b":NaN}', "not JSON"),
        (b'{"a":"\n"}', "not JSON"),
        (b"[" * 101 + b"]" * 101, "nested deeper than 100"),
        (b"[" * 150 + b"]" * 150, "nested deeper than 100"),
        (b'{"a":' * 101 + b"1" + b"}" * 101, "nested deeper than 100"),
        (b"[" * 100_000 + b"]" * 100_000, "nested deeper than 100"),
        (b'["\\ud800",' + b"[" * 100 + b"]" * 100 + b"]", "nested deeper than 100"),
        (b"[" * 100_000, None),
    ],
)
def test_what_no_strict_json_parser_takes_is_not_json(raw: bytes | None, detail: str | None) -> None:
    error = refusal(raw)
    assert error.reason is QuarantineReason.NOT_JSON
    assert detail in (None, error.detail)


@pytest.mark.parametrize(("raw", "kind"), [(b"[]", "array"), (b"1", "number"), (b"null", "null"), (b'"a"', "string")])
def test_what_is_not_an_object_has_no_fields(raw: bytes, kind: str) -> None:
    error = refusal(raw)
    assert (error.reason, error.detail) == (QuarantineReason.MISSING_FIELD, f"the body: {kind}, not an object")


@pytest.mark.parametrize("path", NEEDED)
@pytest.mark.parametrize(
    ("value", "kind"),
    [(None, "null"), ("", "empty"), (7, "number"), (1.5, "number"), (True, "boolean"), ([], "array"), ({}, "object")],
)
def test_a_needed_field_of_another_type_is_missing(path: str, value: object, kind: str) -> None:
    error = refusal(changed(path, put(value)))
    assert error.reason is QuarantineReason.MISSING_FIELD
    assert error.detail == f"data.{path}: {kind}, a string is needed"


@pytest.mark.parametrize("path", NEEDED)
def test_a_needed_field_that_is_not_there_is_missing(path: str) -> None:
    error = refusal(changed(path, lambda holder, key: holder.pop(key)))
    assert (error.reason, error.detail) == (
        QuarantineReason.MISSING_FIELD,
        f"data.{path}: missing, a string is needed",
    )


@pytest.mark.parametrize("path", ["attributes", "attributes.payload", "attributes.payload.data"])
@pytest.mark.parametrize("value", [None, "text", 3, []])
def test_the_objects_on_the_way_are_needed_too(path: str, value: object) -> None:
    error = refusal(changed(path, put(value)))
    assert error.reason is QuarantineReason.MISSING_FIELD
    assert error.detail.startswith(f"data.{path}: ")


@pytest.mark.parametrize(
    "time", ["2026-03-11", "2026-03-11T09:12:05", "1773220325", "2026-03-11T09:12:60Z", "\0", "\ud800"]
)
def test_a_time_that_is_not_rfc_3339_with_a_zone_is_a_bad_time(time: str) -> None:
    error = refusal(changed("attributes.created-at", put(time)))
    assert error.reason is QuarantineReason.BAD_TIME
    assert error.detail == "data.attributes.created-at: not an RFC 3339 time with a zone"


@pytest.mark.parametrize("path", ["id", "attributes.name", "attributes.payload.data.id"])
@pytest.mark.parametrize("value", ["a\0b", "a\ud800", "\udc00", "x" * 513, "ä" * 257])
def test_an_id_or_a_name_that_cannot_be_kept_is_a_bad_field(path: str, value: str) -> None:
    error = refusal(changed(path, put(value)))
    assert error.reason is QuarantineReason.BAD_FIELD
    assert error.detail == f"data.{path}: NUL, half a surrogate, or over 512 bytes"


def test_reasons_are_looked_for_in_one_order() -> None:
    body = document()
    data = body["data"]
    data["id"] = "\0"
    data["attributes"]["created-at"] = "soon"
    assert refusal(dump(body)).reason is QuarantineReason.BAD_TIME
    data["attributes"]["payload"]["data"]["type"] = None
    assert refusal(dump(body)).reason is QuarantineReason.MISSING_FIELD
    assert refusal(dump(body) + b"]").reason is QuarantineReason.NOT_JSON


def test_an_error_names_fields_and_kinds_but_never_what_the_body_holds() -> None:
    secret = "IMOGEN"
    bodies = [
        f'{{"data": {{"id": "{secret}"'.encode(),
        f'{{"{secret}": "\\ud800", '.encode(),
        f'{{"{secret}": '.encode() + b'"\xff"}',
        changed("attributes.created-at", put(secret)),
        changed("id", put(secret + "\0")),
        changed("attributes.payload", put(secret)),
    ]
    for body in bodies:
        error = refusal(body)
        chain = [error, error.__cause__, error.__context__]
        assert not any(secret in f"{link} {vars(link) if link else ''}" for link in chain)


BROKEN = {
    "nothing": (b"", None, set()),
    "mark": (b"\xef\xbb\xbf" + dump(document()), None, set()),
    "utf-16": (json.dumps(document()).encode("utf-16"), None, set()),
    "nan": (dump(document(attributes={"note": float("nan")})), None, set()),
    "other shape": ((GOLDEN / "workflow-https-request.json").read_bytes(), None, set()),
    "no event id": (changed("id", put(None)), "inq_1", {"ce_type", "ce_subject", "ce_time"}),
    "no name": (changed("attributes.name", put("")), "inq_1", {"ce_id", "ce_subject", "ce_time"}),
    "bad time": (changed("attributes.created-at", put("soon")), "inq_1", {"ce_id", "ce_type", "ce_subject"}),
    "bad inquiry id": (changed("attributes.payload.data.id", put("a\0")), None, {"ce_id", "ce_type", "ce_time"}),
    "no type": (changed("attributes.payload.data.type", put(None)), "inq_1", {"ce_id", "ce_subject", "ce_time"}),
    "deep": (
        dump(document()).replace(b'"type"', b'"deep": ' + b"[" * 150 + b"]" * 150 + b', "type"', 1),
        "inq_1",
        {"ce_id", "ce_subject", "ce_time"},
    ),
    "not an object": (b"[]", None, set()),
    "data is text": (b'{"data": "inq_1"}', None, set()),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_known_of_an_unreadable_body_is_found(case: str) -> None:
    raw, inquiry_id, headers = BROKEN[case]
    refusal(raw)
    assert find_inquiry_id(raw) == inquiry_id
    assert set(sketch(raw)) == headers


def test_a_sketch_is_written_as_the_headers_of_a_readable_body_are() -> None:
    raw = changed("id", put(7))
    assert sketch(raw) == {
        "ce_type": "com.withpersona.inquiry.created",
        "ce_subject": "inq_1",
        "ce_time": "2026-03-11T09:12:05.000Z",
    }


@given(JSON, st.sampled_from(["", *NEEDED, "attributes", "attributes.payload", "attributes.payload.data"]))
def test_whatever_stands_in_a_body_it_is_read_or_quarantined(value: Any, path: str) -> None:
    raw = changed(path, put(value)) if path else dump(value)
    assert is_read(raw) or len(sketch(raw)) < 4


@given(st.binary())
def test_whatever_bytes_come_they_are_read_or_quarantined(raw: bytes) -> None:
    assert refusal(raw).reason in {QuarantineReason.NOT_JSON, QuarantineReason.MISSING_FIELD}
    assert find_inquiry_id(raw) is None
