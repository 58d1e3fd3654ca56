"""The record of a decision: golden, and as its schema says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft7Validator, ValidationError

from adapters.kafka_log.decision_record import FIELDS, encode_decision, headers_schema, value_schema
from domain.decision import Decision
from domain.lifecycle import Status
from tests.builders import moment

ROW: dict[str, Any] = {
    "inquiry_id": "inq_ü",
    "revision": 3,
    "status": "approved",
    "decision": "approved",
    "decided_at": moment(1),
    "effective_at": moment(1),
    "known_at": moment(2),
    "source": "eu",
    "reference_id": "user-7",
    "account_id": "act_1",
    "template_id": None,
    "redacted_at": None,
    "cause_event_id": "evt_1",
    "topic": "persona.events",
    "partition": 4,
    "offset": 1207,
    "lifecycle_version": "5f0c",
    "policy_version": "9a31",
    "in_partition": 4,  # what else a row has does not matter
}

VALUE = (
    '{"inquiry_id":"inq_ü","revision":3,"status":"approved","decision":"approved",'
    '"decided_at":"2024-07-08T14:00:01.000Z","effective_at":"2024-07-08T14:00:01.000Z",'
    '"known_at":"2024-07-08T14:00:02.000Z","source":"eu","reference_id":"user-7","account_id":"act_1",'
    '"template_id":null,"redacted_at":null,"cause_event_id":"evt_1","topic":"persona.events","partition":4,'
    '"offset":1207,"lifecycle_version":"5f0c","policy_version":"9a31"}'
)

HEADERS = {
    "ce_specversion": "1.0",
    "ce_id": "inq_ü:3",
    "ce_type": "inquiry-ledger.decision.revised",
    "ce_source": "/inquiry-ledger/persona.events",
    "ce_subject": "inq_ü",
    "ce_time": "2024-07-08T14:00:02.000Z",
    "ce_dataschema": "urn:inquiry-ledger:decision:1",
    "content-type": "application/json",
}


def test_a_record_is_what_others_read() -> None:
    record = encode_decision(ROW)
    assert record.key.decode() == "inq_ü"
    assert record.value.decode() == VALUE
    assert {name: value.decode() for name, value in record.headers} == HEADERS


@pytest.mark.parametrize("name", FIELDS)
def test_a_row_that_lacks_a_field_is_no_record(name: str) -> None:
    with pytest.raises(KeyError):
        encode_decision({key: value for key, value in ROW.items() if key != name})


def test_the_schemas_are_schemas_and_take_the_record() -> None:
    for schema, document in ((value_schema(), json.loads(VALUE)), (headers_schema(), HEADERS)):
        Draft7Validator.check_schema(schema)
        Draft7Validator(schema).validate(document)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "aproved"),
        ("decision", None),
        ("revision", 0),
        ("known_at", "2024-07-08T14:00:02Z"),
        ("known_at", None),
        ("decided_at", 1720447202),
        ("offset", "1207"),
        ("reference_id", 7),
    ],
)
def test_the_schema_refuses_what_is_otherwise(name: str, value: object) -> None:
    with pytest.raises(ValidationError):
        Draft7Validator(value_schema()).validate({**json.loads(VALUE), name: value})


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_is_needed(name: str) -> None:
    with pytest.raises(ValidationError, match="required"):
        Draft7Validator(value_schema()).validate({k: v for k, v in json.loads(VALUE).items() if k != name})


def test_every_status_and_decision_is_in_the_schema_and_a_field_may_be_added() -> None:
    properties = value_schema()["properties"]
    assert {*properties["status"]["enum"]} == {*Status, None}
    assert {*properties["decision"]["enum"]} == {*Decision}
    Draft7Validator(value_schema()).validate({**json.loads(VALUE), "added_later": 1})
