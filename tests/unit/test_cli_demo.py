"""`demo` compares with the truth: nothing that differs is passed over."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from consumers.demo import differences, explain, miscounts, misfits


class Expected(NamedTuple):
    status: str | None
    decision: str
    refused_events: int = 0


TRUTH = {"inq_1": Expected("approved", "approved"), "inq_2": Expected("pending", "undecided", 1)}
ROWS: list[dict[str, Any]] = [
    {"inquiry_id": "inq_1", "status": "approved", "decision": "approved", "refused_events": 0, "revision": 4},
    {"inquiry_id": "inq_2", "status": "pending", "decision": "undecided", "refused_events": 1, "revision": 2},
]


def test_a_ledger_that_says_the_truth_differs_in_nothing() -> None:
    assert differences(TRUTH, ROWS) == []


def test_a_missing_inquiry_is_a_difference() -> None:
    assert differences(TRUTH, ROWS[:1]) == ["inq_2: not in the ledger"]


@pytest.mark.parametrize(
    ("column", "value"), [("status", "declined"), ("decision", "undecided"), ("refused_events", 9)]
)
def test_every_field_of_the_truth_is_compared(column: str, value: object) -> None:
    (line,) = differences(TRUTH, [{**ROWS[0], column: value}, ROWS[1]])
    assert line == f"inq_1: {column} {value} instead of {ROWS[0][column]}"


def test_books_are_compared_over_all_partitions() -> None:
    books = [{"partition": n, "applied": n, "ignored": 1, "balanced": True} for n in (1, 2)]
    assert miscounts({"applied": 3, "ignored": 2}, books) == []
    assert miscounts({"applied": 4, "ignored": 2}, books) == ["applied: 3 instead of 4"]


def test_a_partition_out_of_balance_is_a_difference() -> None:
    assert miscounts({}, [{"partition": 5, "balanced": False}]) == ["partition 5: out of balance"]


def test_quarantine_is_compared_by_reason() -> None:
    rows = [{"reason": "not_json"}, {"reason": "not_json"}, {"reason": "bad_time"}]
    assert misfits({"not_json": 2, "bad_time": 1}, rows) == []
    assert misfits({"not_json": 3}, rows) == [
        "bad_time: 1 in quarantine instead of 0",
        "not_json: 2 in quarantine instead of 3",
    ]


def test_why_names_each_event_with_what_it_did() -> None:
    history = [
        {"event_name": "inquiry.completed", "verdict": "applied", "edge": "adopted", "reason": None},
        {"event_name": "inquiry.approved", "verdict": "applied", "edge": "documented", "reason": None},
        {"event_name": "inquiry.approved", "verdict": "repeated", "edge": None, "reason": None},
        {"event_name": "inquiry.started", "verdict": "refused", "edge": None, "reason": "after_decision"},
    ]
    assert explain({"decision": "approved"}, history) == (
        "completed (adopted) → approved → approved (repeated) → started (refused: after_decision) ⇒ approved"
    )
