"""Reading inquiries: the row of today, rows of the past, lists, history and proof."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from adapters.web.api.models import CurrentDecision
from domain.event import format_time
from domain.history import fold_records, known_by, occurred_by
from tests.apis import TOPIC, Reading, ids, problem
from tests.builders import event, moment
from tests.ledgers import RULES
from tests.readers import as_view_row
from tests.sites import NOW

PATH = "/v1/inquiries/inq_1"


@pytest.fixture
def reading() -> Reading:
    """One inquiry, approved, as it was read: the event in the middle came last."""
    reading = Reading()
    reading.write(event("created", 1, reference_id="user-1"), appended_at=moment(100))
    reading.write(event("approved", 3), appended_at=moment(200))
    reading.write(event("failed", 2), appended_at=moment(300))
    return reading


def as_json(row: dict[str, Any] | None) -> dict[str, Any] | None:
    """A row as the API writes it."""
    return row and {name: format_time(value) if hasattr(value, "tzinfo") else value for name, value in row.items()}


def test_the_current_decision_has_all_columns_of_the_view(reading: Reading) -> None:
    (row,) = reading.ledger.view("current_decision")
    answer = reading.get(PATH)
    assert answer == as_json(row)
    assert set(answer) == set(CurrentDecision.model_fields)
    assert (answer["decision"], answer["decided_at"]) == ("approved", "2024-07-08T14:00:03.000Z")


def test_an_inquiry_that_the_ledger_does_not_have_is_404(reading: Reading) -> None:
    for path in ("/v1/inquiries/inq_2", "/v1/inquiries/inq_2/history", "/v1/inquiries/inq_2/explain"):
        assert problem(reading.ask(path), 404)["reason"] == "unknown_inquiry"


def test_an_id_may_be_any_text_that_the_ledger_can_keep(reading: Reading) -> None:
    odd = "inq 1;DROP%?#é"
    reading.write(event("created", 1, inquiry_id=odd))
    assert reading.get("/v1/inquiries/inq%201%3BDROP%25%3F%23%C3%A9")["inquiry_id"] == odd


@pytest.mark.parametrize("path", ["/v1/inquiries/a%00b", f"/v1/inquiries/{'x' * 513}", f"/v1/inquiries/{'x' * 10_000}"])
def test_an_id_that_nobody_can_have_is_400(reading: Reading, path: str) -> None:
    assert problem(reading.ask(path), 400)["parameter"] == "inquiry_id"


def test_the_etag_is_of_revision_and_rules(reading: Reading) -> None:
    answer = reading.ask(PATH)
    assert answer.headers["etag"] == f'W/"{answer.json()["revision"]}-{"-".join(RULES.versions)}"'
    assert answer.headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize("form", ["{tag}", '"x", {tag}', "*", '{strong}, W/"y"'])
def test_who_has_the_row_is_told_304(reading: Reading, form: str) -> None:
    tag = reading.ask(PATH).headers["etag"]
    header = form.format(tag=tag, strong=tag.removeprefix("W/"))
    answer = reading.ask(PATH, headers={"if-none-match": header})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
    assert "content-type" not in answer.headers


def test_who_has_an_older_row_is_told_the_new_one(reading: Reading) -> None:
    tag = reading.ask(PATH).headers["etag"]
    reading.write(event("redacted", 9))
    assert reading.ask(PATH, headers={"if-none-match": tag}).status_code == 200


def test_as_of_and_known_at_are_the_fold_of_the_records_they_leave(reading: Reading) -> None:
    records = asyncio.run(reading.query.records("inq_1"))
    for as_of, known_at in product([None, *map(moment, range(5))], [None, *map(moment, range(99, 400, 50))]):
        said = {"as_of": as_of, "known_at": known_at}
        asked = {name: format_time(time) for name, time in said.items() if time}
        known = known_by(records, known_at)
        answer = reading.ask(PATH, params=asked)
        if not known:
            assert problem(answer, 404)["reason"] == "nothing_known"
            continue
        expected = as_json(as_view_row(fold_records("inq_1", occurred_by(known, as_of), RULES), RULES))
        if expected is not None:
            assert answer.json() == expected
        else:
            assert_is_empty(answer.json())


def assert_is_empty(row: dict[str, Any]) -> None:
    lifecycle_version, policy_version = RULES.versions
    told = {
        "inquiry_id": "inq_1",
        "decision": "undecided",
        "revision": 0,
        "refused_events": 0,
        "inferred_steps": 0,
        "lifecycle_version": lifecycle_version,
        "policy_version": policy_version,
    }
    assert row == {**dict.fromkeys(CurrentDecision.model_fields), **told}


def test_a_past_row_has_no_etag_and_is_not_kept(reading: Reading) -> None:
    answer = reading.ask(PATH, params={"as_of": format_time(moment(2))})
    assert "etag" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"


def test_what_a_redaction_cleared_is_not_in_the_past_either(reading: Reading) -> None:
    assert reading.get(PATH, as_of=format_time(moment(1)))["reference_id"] == "user-1"
    reading.write(event("redacted", 9))
    for asked in ({"as_of": moment(1)}, {"known_at": moment(250)}, {"as_of": moment(1), "known_at": moment(150)}):
        row = reading.get(PATH, **{name: format_time(time) for name, time in asked.items()})
        assert row["reference_id"] is None


def test_what_will_be_known_is_not_known(reading: Reading) -> None:
    assert reading.ask(PATH, params={"known_at": format_time(NOW)}).status_code == 200
    refused = problem(reading.ask(PATH, params={"known_at": format_time(NOW + timedelta(seconds=1))}), 400)
    assert refused["parameter"] == "known_at"
    assert reading.ask(PATH, params={"as_of": format_time(NOW + timedelta(days=9))}).status_code == 200


@pytest.mark.parametrize("name", ["as_of", "known_at"])
@pytest.mark.parametrize("time", ["", "yesterday", "2024-07-08", "2024-07-08T14:00:00", "2024-07-08T14:00:60Z", "1"])
def test_a_time_needs_a_date_and_a_zone(reading: Reading, name: str, time: str) -> None:
    refused = problem(reading.ask(PATH, params={name: time}), 400)
    assert refused["parameter"] == name
    assert refused["detail"].startswith(f"{name} must be an RFC 3339 time with a zone")


def test_the_past_is_not_waited_for(reading: Reading) -> None:
    for name in ("as_of", "known_at"):
        refused = problem(reading.ask(PATH, params={name: "2024-07-08T14:00:00Z", "wait": "decision"}), 400)
        assert refused["parameter"] == "wait"


@pytest.fixture
def many() -> Reading:
    """A hundred inquiries, `inq_000` to `inq_099`."""
    reading = Reading()
    words = ("created", "started", "approved", "marked-for-review", "declined")
    for number in range(100):
        said = {"reference_id": f"user-{number % 10}", "template_id": f"itmpl_{number % 2}"}
        reading.write(event(words[number % 5], number, inquiry_id=f"inq_{number:03}", **said))
    return reading


def all_pages(reading: Reading, **asked: Any) -> list[str]:
    found: list[str] = []
    page = reading.get("/v1/inquiries", **asked)
    while page["cursor"]:
        assert len(page["items"]) == asked["limit"]
        found += ids(page["items"])
        page = reading.get("/v1/inquiries", **{**asked, "cursor": page["cursor"]})
    return found + ids(page["items"])


@pytest.mark.parametrize("limit", [1, 7, 50, 100, 200])
def test_pages_have_every_inquiry_once(many: Reading, limit: int) -> None:
    assert all_pages(many, limit=limit) == [f"inq_{number:03}" for number in range(100)]


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({"reference_id": "user-3"}, 10),
        ({"status": "approved"}, 20),
        ({"decision": "undecided"}, 40),
        ({"template_id": "itmpl_1"}, 50),
        ({"template_id": "itmpl_1", "status": "approved"}, 10),
        ({"reference_id": "nobody"}, 0),
    ],
    ids=str,
)
def test_all_filters_must_hold(many: Reading, asked: dict[str, str], count: int) -> None:
    found = all_pages(many, limit=30, **asked)
    rows = [row for row in many.ledger.view("current_decision") if all(row[key] == asked[key] for key in asked)]
    assert found == ids(rows)
    assert len(found) == count


@pytest.mark.parametrize("span", ["172800", "172800s", "2880m", "48h", "2d", "PT48H", "P2D", "P1DT24H"])
def test_stuck_is_who_has_been_in_an_open_status_for_so_long(span: str) -> None:
    reading = Reading()
    stuck, fresh, done = ("inq_1", 0), ("inq_2", 1), ("inq_3", 0)
    for inquiry_id, later in (stuck, fresh):
        at = NOW - timedelta(days=2) + timedelta(seconds=later)
        reading.write(event("created", 0, inquiry_id=inquiry_id, occurred_at=at))
    reading.write(event("approved", 0, inquiry_id=done[0], occurred_at=NOW - timedelta(days=9)))
    assert ids(reading.get("/v1/inquiries", stuck_for=span)["items"]) == ["inq_1"]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("status", "aproved", "created, pending, completed, failed, expired, needs_review, approved, declined"),
        ("decision", "yes", "undecided, approved, declined, needs_review"),
        ("stuck_for", "soon", "PT2H"),
        ("stuck_for", "P", "PT2H"),
        ("stuck_for", "999999999d", "36525"),
        ("stuck_for", "-5", "seconds"),
        ("reference_id", "", "1 to 512 bytes"),
        ("reference_id", "x" * 10_000, "1 to 512 bytes"),
        ("template_id", "a\0b", "no NUL"),
        ("limit", "0", "greater than or equal to 1"),
        ("limit", "201", "less than or equal to 200"),
        ("limit", "ten", "integer"),
        ("cursor", "inq_1", "that this path has given"),
        ("cursor", "x" * 10_000, "that this path has given"),
        ("cursor", "WzFd", "that this path has given"),
    ],
)
def test_a_bad_filter_is_refused_by_name(many: Reading, name: str, value: str, says: str) -> None:
    refused = problem(many.ask("/v1/inquiries", params={name: value}), 400)
    assert refused["parameter"] == name
    assert says in refused["detail"]


def test_a_mistyped_filter_does_not_answer_with_all(many: Reading) -> None:
    assert problem(many.ask("/v1/inquiries", params={"referenceid": "user-3"}), 400)["parameter"] == "referenceid"


def test_a_filter_given_twice_is_refused(many: Reading) -> None:
    refused = problem(many.ask("/v1/inquiries?status=approved&status=declined"), 400)
    assert refused["parameter"] == "status"


def test_history_has_every_event_in_canonical_order(reading: Reading) -> None:
    answer = reading.get(f"{PATH}/history")
    rows = [as_json(row) for row in reading.ledger.view("inquiry_history")]
    assert answer == {"items": rows, "cursor": None}
    assert [row["event_name"] for row in answer["items"]] == ["inquiry.created", "inquiry.failed", "inquiry.approved"]


def test_explain_gives_the_proof_as_it_is() -> None:
    proof = {"inquiry_id": "inq_1", "steps": [{"at": moment(1)}]}
    reading = Reading({"explain": {"inq_1": proof}.get})
    assert reading.get(f"{PATH}/explain") == {"inquiry_id": "inq_1", "steps": [{"at": "2024-07-08T14:00:01.000Z"}]}


def test_the_lifecycle_is_the_table() -> None:
    reading = Reading({"lifecycle": {"lifecycle_version": "1", "cells": []}})
    assert reading.get("/v1/lifecycle") == {"lifecycle_version": "1", "cells": []}


def test_answers_say_which_topic_they_are_of(reading: Reading) -> None:
    assert reading.get(PATH)["topic"] == TOPIC
