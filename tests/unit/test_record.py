"""The record in Kafka: what its headers say, when they are believed, and when its body is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.kafka_log.record import Audit, Headers, RecordReader, encode_headers
from adapters.persona.body import read_body, sketch
from adapters.persona.examples import example_delivery
from domain.errors import QuarantineReason, Undecodable
from domain.event import Event, Placement, Record, Sighting, is_folded, is_text, parse_time
from tests.bodies import document, dump
from tests.strategies import LAW

MAX_BODY_BYTES = 4_000
PLACEMENT = Placement("persona.events", 3, 42, datetime(2024, 7, 8, tzinfo=UTC))
AUDIT = Audit(
    "t=1720448964,v1=abc t=1,v1=def",
    "1a2b3c4d",
    datetime(2024, 7, 8, 14, 29, 25, 123_999, tzinfo=UTC),
    1,
    datetime(2024, 7, 8, 14, 29, 24, tzinfo=UTC),
    "webhook",
)
EVENT = Event(
    "inq_1", "evt_1", "inquiry.approved", datetime(2024, 7, 8, 14, 29, 24, 297_000, tzinfo=UTC),
    "eu", "user-1", "act_1", "itmpl_1", "approved",
)  # fmt: skip

HEADERS: Mapping[str, bytes] = {
    "ce_specversion": b"1.0",
    "ce_id": b"evt_1",
    "ce_type": b"com.withpersona.inquiry.approved",
    "ce_source": b"/persona/eu",
    "ce_subject": b"inq_1",
    "ce_time": b"2024-07-08T14:29:24.297Z",
    "ce_status": b"approved",
    "ce_referenceid": b"user-1",
    "ce_accountid": b"act_1",
    "ce_templateid": b"itmpl_1",
    "content-type": b"application/json",
}

RawHeaders = tuple[tuple[str, bytes | None], ...]

#: A body of another inquiry: whether it is read shows which way a record went.
BODY = dump(document())
BY_BODY = read_body(BODY).event

BAD_TEXTS = [None, b"", b"a\0", b"\xff", b"\xed\xa0\x80", b"x" * 513, "ü".encode() * 257]


def refuse_to_read(raw: bytes | None) -> tuple[Event, str]:
    raise AssertionError("the value was looked at")


def read(headers: Headers | RawHeaders, value: bytes | None = BODY) -> Sighting | None:
    record = Record(PLACEMENT, b"key", value, tuple(headers))
    return RecordReader(read_body, MAX_BODY_BYTES)(record)


def read_event(headers: Headers | RawHeaders, value: bytes | None = BODY) -> Event | None:
    sighting = read(headers, value)
    assert sighting is None or sighting.placement is PLACEMENT
    return sighting and sighting.event


def changed(name: str, value: bytes | None) -> RawHeaders:
    """The headers with one of them changed."""
    return tuple({**HEADERS, name: value}.items())


def without(*names: str) -> RawHeaders:
    return tuple((name, value) for name, value in HEADERS.items() if name not in names)


def refusal(headers: Headers | RawHeaders, value: bytes | None) -> Undecodable:
    with pytest.raises(Undecodable) as caught:
        read(headers, value)
    return caught.value


class TestWriting:
    def test_the_headers_are_those_of_cloudevents_in_binary_mode(self) -> None:
        headers = encode_headers(EVENT, AUDIT, payload_type="inquiry")
        assert {name: value for name, value in headers if name != "delivery"} == HEADERS
        assert len({name for name, _ in headers}) == len(headers)

    def test_the_audit_is_one_json_object(self) -> None:
        said = dict(encode_headers(EVENT, AUDIT))["delivery"]
        assert json.loads(said) == {
            "signature": "t=1720448964,v1=abc t=1,v1=def",
            "secret_id": "1a2b3c4d",
            "received_at": "2024-07-08T14:29:25.123Z",
            "attempts_made": 1,
            "first_attempted_at": "2024-07-08T14:29:24.000Z",
            "provenance": "webhook",
        }

    def test_what_was_not_sent_is_null(self) -> None:
        audit = Audit(None, None, AUDIT.received_at, None, None, "imported")
        said = json.loads(dict(encode_headers(EVENT, audit))["delivery"])
        assert [said[name] for name in ("signature", "secret_id", "attempts_made", "first_attempted_at")] == [None] * 4

    def test_a_signature_of_any_bytes_can_be_told(self) -> None:
        audit = AUDIT._replace(signature=bytes(range(256)).decode("latin-1"))
        assert json.loads(dict(encode_headers(EVENT, audit))["delivery"])["signature"] == audit.signature

    def test_what_an_event_does_not_have_has_no_header(self) -> None:
        bare = Event(*EVENT[:4])
        names = {name for name, _ in encode_headers(bare, AUDIT)}
        assert names == {"ce_specversion", "ce_id", "ce_type", "ce_subject", "ce_time", "content-type", "delivery"}

    def test_of_an_unreadable_body_the_headers_that_are_known_are_written(self) -> None:
        known = {"ce_id": "evt_ü", "ce_source": "/persona/eu"}
        said = dict(encode_headers(None, AUDIT, known=known))
        assert (said["ce_id"], said["ce_source"]) == ("evt_ü".encode(), b"/persona/eu")
        assert set(said) == {"ce_specversion", "content-type", "delivery", *known}

    @pytest.mark.parametrize("name", ["inquiry.approved", "inquiry.transitioned"])
    def test_where_name_and_payload_type_contradict_each_other_the_type_stays_out(self, name: str) -> None:
        said = dict(encode_headers(EVENT._replace(name=name), AUDIT, payload_type="case"))
        assert "ce_type" not in said
        assert said["ce_id"] == b"evt_1"

    def test_the_name_of_another_family_is_written(self) -> None:
        said = dict(encode_headers(EVENT._replace(name="case.created"), AUDIT, payload_type="case"))
        assert said["ce_type"] == b"com.withpersona.case.created"


class TestReadingByHeaders:
    def test_the_value_is_not_looked_at(self) -> None:
        reader = RecordReader(refuse_to_read, 1)
        for value in (b"not json, and longer than allowed", b"", None):
            assert reader(Record(PLACEMENT, None, value, tuple(HEADERS.items()))) == Sighting(EVENT, PLACEMENT)

    @pytest.mark.parametrize("name", ["ce_id", "ce_subject", "ce_type", "ce_time"])
    def test_four_headers_are_needed_else_the_body_is_read(self, name: str) -> None:
        assert read_event(without(name)) == BY_BODY
        assert read_event(changed(name, None)) == BY_BODY

    def test_no_other_header_is_needed(self) -> None:
        needed = ("ce_id", "ce_type", "ce_subject", "ce_time")
        assert read_event(without(*HEADERS.keys() - needed)) == Event(*EVENT[:4])

    @pytest.mark.parametrize("value", BAD_TEXTS)
    @pytest.mark.parametrize("name", ["ce_id", "ce_subject"])
    def test_an_id_that_cannot_be_kept_is_not_valid(self, name: str, value: bytes | None) -> None:
        assert read_event(changed(name, value)) == BY_BODY

    @pytest.mark.parametrize("value", [b"x" * 512, "ü".encode() * 256, "\U00010000".encode()])
    def test_an_id_of_512_bytes_is_valid(self, value: bytes) -> None:
        event = read_event(changed("ce_id", value))
        assert event == EVENT._replace(event_id=value.decode())

    @pytest.mark.parametrize(
        "value",
        [b"inquiry.approved", b"com.withpersona.", b"com.withpersona", b"COM.withpersona.inquiry.approved",
         b"com.withpersona.a\0", b"com.withpersona.\xff", b"com.withpersona." + b"x" * 513],
    )  # fmt: skip
    def test_a_type_that_is_no_event_of_persona_is_not_valid(self, value: bytes) -> None:
        assert read_event(changed("ce_type", value)) == BY_BODY

    @pytest.mark.parametrize(
        "value",
        [b"2024-07-08T14:29:24.297", b"2024-07-08", b"1720448964", b"", b"2024-07-08T14:29:60Z", b"\xff",
         b"0000-07-08T14:29:24Z", b"2024-07-08T14:29:24.297Z "],
    )  # fmt: skip
    def test_a_time_that_is_not_rfc_3339_is_not_valid(self, value: bytes) -> None:
        assert read_event(changed("ce_time", value)) == BY_BODY

    def test_a_time_is_cut_to_milliseconds_and_brought_to_utc(self) -> None:
        assert read_event(changed("ce_time", b"2024-07-08T16:29:24.2979+02:00")) == EVENT

    def test_of_a_header_given_twice_the_first_counts(self) -> None:
        first = (("ce_id", b"evt_first"), *HEADERS.items())
        assert read_event(first) == EVENT._replace(event_id="evt_first")
        assert read_event((*HEADERS.items(), ("ce_id", b""))) == EVENT
        assert read_event((("ce_id", b""), *HEADERS.items())) == BY_BODY

    @pytest.mark.parametrize("value", BAD_TEXTS)
    @pytest.mark.parametrize(
        ("name", "field"),
        [("ce_status", "payload_status"), ("ce_referenceid", "reference_id"), ("ce_accountid", "account_id"),
         ("ce_templateid", "template_id")],
    )  # fmt: skip
    def test_an_optional_header_that_is_not_usable_counts_as_missing(
        self, name: str, field: str, value: bytes | None
    ) -> None:
        missing: dict[str, Any] = {field: None}
        assert read_event(changed(name, value)) == EVENT._replace(**missing)

    @pytest.mark.parametrize(
        "value", [None, b"", b"/persona/", b"/persona", b"eu", b"/other/eu", b"/persona/\xff", b"/persona/a\0"]
    )
    def test_a_source_that_is_not_ours_counts_as_missing(self, value: bytes | None) -> None:
        assert read_event(changed("ce_source", value)) == EVENT._replace(source=None)

    @pytest.mark.parametrize("name", ["inquiry.transitioned", "inquiry.resumed", "case.created", "report/x.ready"])
    def test_an_event_that_the_fold_does_not_take_is_ignored(self, name: str) -> None:
        assert read(changed("ce_type", b"com.withpersona." + name.encode()), b"not json") is None

    @pytest.mark.parametrize("key_id", [b"key-1", b"", None])
    def test_a_sealed_record_has_no_reference_id(self, key_id: bytes | None) -> None:
        headers = (*HEADERS.items(), ("sealed", key_id))
        assert read_event(headers, b"ciphertext") == EVENT._replace(reference_id=None)


class TestReadingByBody:
    def test_a_body_alone_is_enough_and_has_no_source(self) -> None:
        assert read_event((), BODY) == BY_BODY
        assert BY_BODY.source is None

    def test_an_inquiry_event_of_another_payload_type_is_ignored(self) -> None:
        assert read((), dump(document(type="case"))) is None

    def test_an_event_that_the_fold_does_not_take_is_ignored(self) -> None:
        body = document()
        body["data"]["attributes"]["name"] = "inquiry.transitioned"
        assert read((), dump(body)) is None

    def test_a_body_longer_than_allowed_is_too_large_whatever_else_it_is(self) -> None:
        error = refusal([("sealed", b"key")], b"x" * (MAX_BODY_BYTES + 1))
        assert (error.reason, error.detail) == (QuarantineReason.TOO_LARGE, "longer than 4000 bytes")
        assert read_event((), BODY + b" " * (MAX_BODY_BYTES - len(BODY))) == BY_BODY

    @pytest.mark.parametrize("value", [BODY, b"ciphertext", None])
    def test_a_sealed_body_is_not_parsed(self, value: bytes | None) -> None:
        assert refusal([("sealed", b"key")], value).reason is QuarantineReason.SEALED

    @pytest.mark.parametrize("value", [None, b"", b"{", b"\xef\xbb\xbf{}"])
    def test_a_value_that_is_missing_or_no_json_is_said_so(self, value: bytes | None) -> None:
        assert refusal((), value).reason is QuarantineReason.NOT_JSON

    def test_a_body_that_cannot_be_read_is_refused_with_the_headers_that_the_edge_gives_it(self) -> None:
        body = document()
        body["data"]["attributes"]["created-at"] = "yesterday"
        known = {**sketch(dump(body)), "ce_source": "/persona/eu"}
        assert refusal(encode_headers(None, AUDIT, known=known), dump(body)).reason is QuarantineReason.BAD_TIME


# Laws

texts = st.text(min_size=1, max_size=20)
optional_values = st.one_of(st.none(), texts, st.integers(), st.just("x" * 513))


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Deliveries with every kind of name, time, payload type and optional field."""
    body = document(
        type=draw(st.sampled_from(["inquiry", "inquiry", "case", "Inquiry"])),
        id=draw(texts),
        attributes={"status": draw(optional_values), "reference-id": draw(optional_values)},
        relationships={
            "account": {"data": {"id": draw(optional_values)}},
            "inquiry-template": {"data": {"id": draw(optional_values)}},
        },
    )
    attributes = body["data"]["attributes"]
    body["data"]["id"] = draw(texts)
    names = ["inquiry.approved", "inquiry.created", "inquiry.redacted", "inquiry.transitioned", "inquiry.", "case.x"]
    attributes["name"] = draw(st.sampled_from(names) | texts)
    fraction = draw(st.integers(0, 10**9).map(lambda number: f".{number}") | st.just(""))
    moment = draw(st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29)))
    attributes["created-at"] = moment.replace(microsecond=0).isoformat() + fraction + draw(st.sampled_from("Zz"))
    return dump(body)


def outcome(headers: Headers | RawHeaders, value: bytes | None) -> object:
    """What reading comes to: the event but for its source, None, or the reason of the refusal."""
    try:
        event = read_event(headers, value)
    except Undecodable as error:
        return error.reason
    return event and event._replace(source=None)


@LAW
@given(bodies(), st.sampled_from([None, "eu"]))
def test_by_its_headers_and_by_its_body_a_record_is_the_same_event(raw: bytes, source: str | None) -> None:
    try:
        event, payload_type = read_body(raw)
    except Undecodable:
        headers = encode_headers(None, AUDIT, known=sketch(raw))
    else:
        headers = encode_headers(event._replace(source=source), AUDIT, payload_type=payload_type)
    assert outcome(headers, raw) == outcome((), raw)


def test_the_law_holds_for_a_real_delivery() -> None:
    raw = example_delivery()
    event, payload_type = read_body(raw)
    headers = encode_headers(event, AUDIT, payload_type=payload_type)
    reader = RecordReader(refuse_to_read, 0)
    assert reader(Record(PLACEMENT, None, b"", tuple(headers))) == Sighting(event, PLACEMENT)


@LAW
@given(st.data())
def test_headers_of_any_bytes_are_read_as_the_rules_say(data: st.DataObject) -> None:
    """Against the rules written down once more, slowly."""
    values = st.one_of(st.none(), st.binary(max_size=12), *(st.just(value) for value in HEADERS.values()))
    names = st.sampled_from([*HEADERS, "ce_id", "ce_type", "ce_subject", "ce_time", "other"])
    drawn = data.draw(st.lists(st.tuples(names, values), max_size=5))
    headers = (*drawn, *HEADERS.items()) if data.draw(st.booleans()) else (*HEADERS.items(), *drawn)
    assert outcome(headers, BODY) == expected(headers)


def expected(headers: RawHeaders) -> Event | None:
    first: dict[str, str | None] = {}
    for name, value in headers:
        if name not in first:
            first[name] = text_of(value)
    kind = first["ce_type"] or ""
    needed = (first["ce_subject"], first["ce_id"], kind.partition("com.withpersona.")[2], time_of(first["ce_time"]))
    if not kind.startswith("com.withpersona.") or not all(needed):
        return BY_BODY
    inquiry_id, event_id, name, occurred_at = needed
    optional = [first[name] for name in ("ce_referenceid", "ce_accountid", "ce_templateid", "ce_status")]
    event = Event(str(inquiry_id), str(event_id), str(name), occurred_at, None, *optional)  # type: ignore[arg-type]
    return event if is_folded(event.name) else None


def text_of(value: bytes | None) -> str | None:
    try:
        text = (value or b"").decode()
    except UnicodeDecodeError:
        return None
    return text if is_text(text) else None


def time_of(text: str | None) -> datetime | None:
    try:
        return parse_time(text or "")
    except ValueError:
        return None
