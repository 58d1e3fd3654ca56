"""Revisions: a new one exactly where a reader sees a change."""

from __future__ import annotations

import pytest

from domain.decision import Decision
from domain.inquiry import Inquiry
from domain.lifecycle import Status
from domain.revision import Revision, Row, revise, sees_the_same
from tests.builders import INQUIRY, as_log, event, moment

FIRST, SECOND = as_log([event("completed", 1), event("approved", 2)])

SEEN = Inquiry(
    INQUIRY, "eu", "user-1", "act_1", "itmpl_a", Status.COMPLETED, moment(1), Decision.APPROVED, moment(1),
    "evt_completed_1", moment(1), 1, 1, moment(1), 3, "evt_completed_1",
)  # fmt: skip

VISIBLE = {
    "status": Status.FAILED,
    "status_since": moment(2),
    "decision": Decision.DECLINED,
    "decided_at": moment(2),
    "redacted_at": moment(2),
    "reference_id": "user-2",
}

UNSEEN = {
    "source": "us",
    "account_id": "act_2",
    "template_id": "itmpl_b",
    "decided_by": "evt_other",
    "refused_events": 2,
    "inferred_steps": 2,
    "last_event_at": moment(2),
    "last_rank": 5,
    "last_event_id": "evt_other",
}


def test_each_column_is_either_seen_or_not() -> None:
    assert {*VISIBLE, *UNSEEN, "inquiry_id"} == set(Inquiry._fields)


@pytest.mark.parametrize("name", VISIBLE)
@pytest.mark.parametrize("gone", [False, True])
def test_a_change_that_is_seen_makes_a_revision(name: str, gone: bool) -> None:
    after = SEEN._replace(**{name: None if gone else VISIBLE[name]})  # type: ignore[arg-type]
    row, revision = revise(Row(SEEN, 4, FIRST.placement), after, SECOND)
    assert not sees_the_same(SEEN, after)
    assert row == Row(after, 5, SECOND.placement)
    assert revision == Revision(
        INQUIRY,
        5,
        after.status,
        after.decision,
        after.decided_at,
        after.status_since,
        "evt_approved_2",
        SECOND.placement,
    )


@pytest.mark.parametrize("name", UNSEEN)
def test_a_change_that_is_not_seen_keeps_revision_and_record(name: str) -> None:
    after = SEEN._replace(**{name: UNSEEN[name]})  # type: ignore[arg-type]
    assert sees_the_same(SEEN, after)
    assert revise(Row(SEEN, 4, FIRST.placement), after, SECOND) == (Row(after, 4, FIRST.placement), None)


def test_no_change_keeps_the_very_row() -> None:
    row = Row(SEEN, 4, FIRST.placement)
    kept, revision = revise(row, SEEN._replace(), SECOND)
    assert kept is row
    assert revision is None


def test_the_first_row_is_revision_1_whatever_it_says() -> None:
    row, revision = revise(None, Inquiry(INQUIRY), FIRST)
    assert row == Row(Inquiry(INQUIRY), 1, FIRST.placement)
    assert revision is not None
    assert (revision.revision, revision.cause_event_id) == (1, "evt_completed_1")
