"""The delivery in full real form: an example that is nobody's, and can be filled for any lifecycle event."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from adapters.persona.body import read_body
from adapters.persona.examples import TIME_OF, example_delivery, full_delivery
from domain.event import Event

AT = datetime(2026, 4, 1, 8, 30, 15, 678000, tzinfo=UTC)


def test_the_example_is_compact_and_of_real_size() -> None:
    raw = example_delivery()
    assert 22_000 < len(raw) < 23_500
    assert json.dumps(json.loads(raw), separators=(",", ":")).encode() == raw


def test_the_example_holds_only_example_hosts_and_addresses() -> None:
    text = example_delivery().decode()
    assert text.count("https://") == text.count("https://files.persona.example.com/") > 0
    assert '"ip-address":"203.0.113.77"' in text


@pytest.mark.parametrize("name", TIME_OF)
def test_a_full_delivery_can_be_made_for_every_lifecycle_event(name: str) -> None:
    raw = full_delivery("evt_7", "inq_7", name, AT, reference_id="user-7", account_id="act_7", template_id="itmpl_7")
    event = read_body(raw).event
    assert event == Event("inq_7", "evt_7", name, AT, None, "user-7", "act_7", "itmpl_7", event.payload_status)
    assert 22_000 < len(raw) < 23_500
    attributes = json.loads(raw)["data"]["attributes"]["payload"]["data"]["attributes"]
    assert attributes[TIME_OF[name]] == "2026-04-01T08:30:15.000Z"
    assert {key for key in TIME_OF.values() if attributes[key]} == {"created-at", TIME_OF[name]}


def test_a_full_delivery_has_the_structure_and_key_order_of_the_example() -> None:
    def keys(node: object) -> object:
        if isinstance(node, dict):
            return [(key, keys(value)) for key, value in node.items()]
        return [keys(value) for value in node] if isinstance(node, list) else None

    assert keys(json.loads(full_delivery("evt_7", "inq_7", "inquiry.declined", AT))) == keys(
        json.loads(example_delivery())
    )


def test_status_times_and_reference_id_may_be_given() -> None:
    started = datetime(2026, 4, 1, 8, 0, tzinfo=UTC)
    raw = full_delivery(
        "evt_7", "inq_7", "inquiry.redacted", AT, status="declined", reference_id=None, times={"started-at": started}
    )
    assert read_body(raw).event.payload_status == "declined"
    assert read_body(raw).event.reference_id is None
    assert b'"started-at":"2026-04-01T08:00:00.000Z"' in raw


def test_every_id_of_the_inquiry_is_filled_in() -> None:
    original = json.loads(example_delivery())["data"]
    inquiry_id = original["attributes"]["payload"]["data"]["id"].encode()
    raw = full_delivery("evt_7", "inq_7", "inquiry.approved", AT)
    assert inquiry_id not in raw
    assert raw.count(b'"inq_7"') == example_delivery().count(inquiry_id) > 1
