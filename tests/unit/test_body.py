"""From a body to an event (design, section 5), for every variant that changes the bytes (persona.md, section 3.2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from adapters.persona.body import Delivery, read_body
from adapters.persona.examples import example_delivery
from domain.errors import QuarantineReason
from domain.event import Event, parse_time
from tests.bodies import JSON, changed, document, dump, put, refusal

GOLDEN = Path(__file__).parent / "golden" / "persona"

INQUIRY = "inq_uFqAtFuqGp256WpP7VVPoFSNRT76"
EVENT = "evt_fNZjHFUUPhyE7fcK3jKYtFeWaKUh"
ACCOUNT = "act_9dPq3Vt7LmYwZsR2xKcNbHgJfEuT"
TEMPLATE = "itmpl_4kWmXr8TbQyLpNvZcHsGdJfRaEuP"
AT = parse_time("2026-03-11T09:12:48.297Z")


def full(name: str, status: str | None, reference_id: str | None = "customer-000184") -> Event:
    return Event(INQUIRY, EVENT, name, AT, None, reference_id, ACCOUNT, TEMPLATE, status)


READABLE = {
    "2020-05-18-kebab": Event(
        "inq_uFqAtFuqGp256WpP7VVPoFSN", "evt_fNZjHFUUPhyE7fcK3jKYtFeW", "inquiry.approved", AT, None,
        "customer-000184", "act_9dPq3Vt7LmYwZsR2xKcNbHgJ", "tmpl_2BqLwErTyUkPzXcVmNhGfDsA", "approved",
    ),
    "2021-07-05-kebab": full("inquiry.approved", "approved"),
    "2022-09-01-camel": full("inquiry.approved", "approved"),
    "2022-09-01-snake": full("inquiry.approved", "approved"),
    "2023-01-05-kebab": full("inquiry.declined", "declined"),
    "2025-10-27-kebab": full("inquiry.marked-for-review", "needs_review"),
    "2025-12-08-context": full("inquiry.updated-tags", "approved"),
    "2025-12-08-no-relationships-camel": Event(
        INQUIRY, EVENT, "inquiry.completed", AT, None, "customer-000184", None, None, "completed"
    ),
    "new-attributes": full("inquiry.approved", "approved"),
    "blocklist-wildcard": Event(INQUIRY, EVENT, "inquiry.started", parse_time("2026-03-11T09:12:24.118Z")),
    "redacted": full("inquiry.redacted", "approved", None)._replace(occurred_at=parse_time("2026-03-12T11:00:00.451Z")),
    "case-created": Event(
        "case_5TgBnHyUjMkIlOpQaZwSxEdCrFvV", EVENT, "case.created", AT, payload_status="Open"
    ),
    "inquiry-session-started-camel": Event(
        "iqse_2WsXcDeRfVgTbHyNjUmKiLoPqAzZ", EVENT, "inquiry-session.started", AT, payload_status="active"
    ),
    "report-ready": Event(
        "rep_6RfVtGbYhNuJmIkOlPaQsWxZdEcC", EVENT, "report/watchlist.ready", AT, account_id=ACCOUNT,
        payload_status="ready",
    ),
}  # fmt: skip

TYPES = {
    "case-created": "case",
    "inquiry-session-started-camel": "inquiry-session",
    "report-ready": "report/watchlist",
}

UNREADABLE = {
    "workflow-https-request": "data: missing, an object is needed",
    "workflow-https-request-object": "data.attributes.payload: missing, an object is needed",
}


def golden(name: str) -> bytes:
    return (GOLDEN / f"{name}.json").read_bytes()


@pytest.mark.parametrize("name", sorted(path.stem for path in GOLDEN.glob("*.json")))
def test_every_variant_persona_sends_is_read_or_refused_as_written_down(name: str) -> None:
    if name in UNREADABLE:
        assert refusal(golden(name)).detail == UNREADABLE[name]
    else:
        assert read_body(golden(name)) == Delivery(READABLE[name], TYPES.get(name, "inquiry"))


def test_the_full_real_form_is_read() -> None:
    event, payload_type = read_body(example_delivery())
    assert (event.name, event.payload_status, payload_type) == ("inquiry.approved", "approved", "inquiry")
    assert event.inquiry_id.startswith("inq_")
    assert event.template_id is not None
    assert event.template_id.startswith("itmpl_")


def test_a_hundred_levels_are_read() -> None:
    """`note` stands at depth 6, its value begins at 7."""
    deepest: Any = []
    for _ in range(93):
        deepest = [deepest]
    assert read_body(dump(document(attributes={"note": deepest}))).event.inquiry_id == "inq_1"
    assert refusal(dump(document(attributes={"note": [deepest]}))).reason is QuarantineReason.NOT_JSON


def test_brackets_in_strings_are_no_levels() -> None:
    assert read_body(dump(document(attributes={"note": "[{" * 500}))).event.inquiry_id == "inq_1"


@pytest.mark.parametrize("number", ["9" * 5000, "-" + "9" * 5000, "1." + "9" * 5000, "1e" + "9" * 5000, "1E400"])
def test_a_number_of_thousands_of_digits_is_no_reason_to_fail(number: str) -> None:
    raw = dump(document(attributes={"note": 0})).replace(b'"note": 0', f'"note": {number}'.encode())
    assert read_body(raw).event.inquiry_id == "inq_1"
    missing = changed("id", put(0)).replace(b'"id": 0', f'"id": {number}'.encode())
    assert refusal(missing).detail == "data.id: number, a string is needed"


def test_of_a_key_given_twice_the_last_counts() -> None:
    raw = dump(document()).replace(b'"id": "evt_1"', b'"id": "evt_0", "id": "evt_1"')
    assert read_body(raw).event.event_id == "evt_1"
    slow = raw.replace(b'"type": "event"', b'"type": "\\ud800"')
    assert read_body(slow).event.event_id == "evt_1"


def test_a_time_is_cut_to_milliseconds_and_brought_to_utc() -> None:
    raw = changed("attributes.created-at", put("2026-03-11T10:12:05.1239+01:00"))
    assert read_body(raw).event.occurred_at == parse_time("2026-03-11T09:12:05.123Z")


@pytest.mark.parametrize("value", ["x" * 512, "ä" * 256, "😀", "\x01", "­"])
def test_any_other_id_is_kept(value: str) -> None:
    assert read_body(changed("attributes.payload.data.id", put(value))).event.inquiry_id == value


@pytest.mark.parametrize("value", [None, 7, [], {}, "", "a\0", "\ud800", "x" * 513])
def test_an_optional_field_that_is_not_usable_counts_as_missing(value: object) -> None:
    entity = {
        "attributes": {"status": value, "reference-id": value},
        "relationships": {"account": {"data": {"id": value}}, "inquiry-template": {"data": {"id": value}}},
    }
    assert read_body(dump(document(**entity))).event[4:] == (None, None, None, None, None)


@pytest.mark.parametrize("value", [None, 7, [], "text", {"data": None}, {"data": []}, {"data": "text"}])
def test_objects_on_the_way_to_an_optional_field_may_be_anything(value: object) -> None:
    for entity in (
        {"attributes": value},
        {"relationships": value},
        {"relationships": {"account": value, "inquiry-template": value, "template": value}},
    ):
        assert read_body(dump(document(**entity))).event[4:] == (None, None, None, None, None)


@pytest.mark.parametrize("inquiry_template", [None, {"data": None}, {"data": {"id": ""}}, "itmpl_1"])
def test_the_legacy_template_steps_in_for_an_inquiry_template_that_is_not_there(inquiry_template: object) -> None:
    relationships = {"inquiry-template": inquiry_template, "template": {"data": {"id": "tmpl_1"}}}
    assert read_body(dump(document(relationships=relationships))).event.template_id == "tmpl_1"


@pytest.mark.parametrize("spelling", ["inquiry-template", "inquiryTemplate", "inquiry_template"])
def test_the_inquiry_template_comes_first(spelling: str) -> None:
    relationships = {"template": {"data": {"id": "tmpl_1"}}, spelling: {"data": {"id": "itmpl_1"}}}
    assert read_body(dump(document(relationships=relationships))).event.template_id == "itmpl_1"


def test_of_several_spellings_kebab_counts_before_camel_before_snake() -> None:
    spelled = {"reference_id": "snake", "referenceId": "camel", "reference-id": "kebab"}
    for expected in ("kebab", "camel", "snake"):
        assert read_body(dump(document(attributes=spelled))).event.reference_id == expected
        spelled.popitem()


def test_the_first_spelling_that_is_there_counts_though_it_be_null() -> None:
    attributes = {"reference-id": None, "referenceId": "camel"}
    assert read_body(dump(document(attributes=attributes))).event.reference_id is None


@given(JSON)
def test_both_parsers_read_the_same(note: Any) -> None:
    """Half a surrogate anywhere sends a body through the slow one."""
    entity = {"attributes": {"status": "created", "note": note}}
    slow = {"attributes": {"status": "created", "note": [note, "\ud800"]}}
    assert read_body(dump(document(**entity))) == read_body(dump(document(**slow)))
