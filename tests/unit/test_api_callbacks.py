"""An SDK callback is a hint: it is compared with the ledger, and changes nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.apis import Reading, problem
from tests.builders import event

PATH = "/v1/callbacks"


@pytest.fixture
def reading() -> Reading:
    """One inquiry that a workflow has approved."""
    reading = Reading()
    reading.write(event("completed", 1), event("approved", 3))
    return reading


@pytest.mark.parametrize("name", ["inquiry_id", "inquiryId"])
@pytest.mark.parametrize(("status", "agrees"), [("approved", True), ("completed", False), ("a new one", False)])
def test_the_answer_is_the_ledgers_row_and_whether_it_agrees(
    reading: Reading, name: str, status: str, agrees: bool
) -> None:
    row = reading.get("/v1/inquiries/inq_1")
    answer = reading.ask(PATH, "POST", json={name: "inq_1", "status": status})
    assert answer.status_code == 200
    assert answer.json() == {**row, "agrees": agrees}
    assert reading.count("ledger_callbacks_total", agrees=str(agrees).lower()) == 1


def test_nothing_is_written(reading: Reading) -> None:
    before = {name: reading.ledger.view(name) for name in ("current_decision", "inquiry_history", "books")}
    reading.ask(PATH, "POST", json={"inquiryId": "inq_1", "status": "declined"})
    assert {name: reading.ledger.view(name) for name in before} == before


def test_other_members_are_not_looked_at(reading: Reading, capfd: pytest.CaptureFixture[str]) -> None:
    fields = {"name-first": {"type": "string", "value": "Alexandra"}, "deep": [[[]]]}
    body = {"inquiryId": "inq_1", "status": "approved", "fields": fields, "sessionToken": 5}
    assert reading.ask(PATH, "POST", json=body).status_code == 200
    problem(reading.ask(PATH, "POST", json={**body, "status": 5}), 400)
    written = capfd.readouterr()
    assert "Alexandra" not in written.out + written.err


def test_an_inquiry_that_is_unknown_is_404(reading: Reading) -> None:
    answer = reading.ask(PATH, "POST", json={"inquiry_id": "inq_2", "status": "approved"})
    assert problem(answer, 404)["reason"] == "unknown_inquiry"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"text"', b"\xff", b"[" * 60_000, b"NaN", b"1" * 5_000])
def test_a_body_that_is_no_object_is_refused(reading: Reading, body: bytes) -> None:
    answer = reading.ask(PATH, "POST", content=body, headers={"content-type": "application/json"})
    assert problem(answer, 400)["reason"] == "bad_body"


def test_a_body_of_another_type_is_refused(reading: Reading) -> None:
    body = json.dumps({"inquiryId": "inq_1", "status": "approved"})
    answer = reading.ask(PATH, "POST", content=body, headers={"content-type": "text/plain"})
    assert problem(answer, 400)["reason"] == "bad_body"


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({"status": "approved"}, "inquiry_id"),
        ({"inquiry_id": None, "status": "approved"}, "inquiry_id"),
        ({"inquiry_id": "x" * 513, "status": "approved"}, "inquiry_id"),
        ({"inquiry_id": "a\0b", "status": "approved"}, "inquiry_id"),
        ({"inquiry_id": "inq_1"}, "status"),
        ({"inquiry_id": "inq_1", "status": ["approved"]}, "status"),
        ({"inquiry_id": "inq_1", "status": ""}, "status"),
    ],
)
def test_a_member_that_is_wrong_is_named(reading: Reading, body: dict[str, Any], parameter: str) -> None:
    assert problem(reading.ask(PATH, "POST", json=body), 400)["parameter"] == parameter


def test_half_a_surrogate_is_no_text(reading: Reading) -> None:
    answer = reading.ask(
        PATH,
        "POST",
        content=rb'{"inquiry_id": "\ud800", "status": "x"}',
        headers={"content-type": "application/json"},
    )
    assert problem(answer, 400)["parameter"] == "inquiry_id"


def test_a_body_that_is_too_long_is_413(reading: Reading) -> None:
    answer = reading.ask(PATH, "POST", json={"inquiryId": "inq_1", "status": "x", "fields": "x" * 70_000})
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
