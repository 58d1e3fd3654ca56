"""The fold of one inquiry: given its events, what is it, since when, and what did each event do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from domain.decision import Decision
from domain.event import Event, order_key
from domain.inquiry import Inquiry, Rules, evolve, is_newest, last_key, refold
from domain.lifecycle import Status, Verdict
from tests.builders import INQUIRY, as_log, event, moment, rules
from tests.model import Judgement, Saying, expect_inquiry, judge_all
from tests.strategies import LAW, histories, rules_of, sayings

NO_REVIEW = rules('[default]\ncompleted = "approved"\n')
BY_TEMPLATE = rules('[template.itmpl_a]\ncompleted = "approved"\n')


def fold(*events: Event, by: Rules | None = None) -> Inquiry:
    """The inquiry after these events, given in canonical order."""
    return refold(INQUIRY, events, by or rules())[0]


def verdicts(*events: Event) -> list[str]:
    """What each event did: its edge, its reason, or `repeated`."""
    return [step.edge or step.reason or step.verdict for step in refold(INQUIRY, events, rules())[1]]


def columns(inquiry: Inquiry) -> dict[str, Any]:
    return {name: value for name, value in inquiry._asdict().items() if name != "last_rank"}


def test_before_its_first_event_an_inquiry_has_no_status_and_is_undecided() -> None:
    nothing = fold()
    assert (nothing.status, nothing.status_since, nothing.decision, nothing.decided_at) == (
        None,
        None,
        "undecided",
        None,
    )
    assert last_key(nothing) is None


def test_the_documented_way() -> None:
    way = [event("created", 1), event("started", 2), event("completed", 3), event("approved", 4)]
    inquiry = fold(*way)
    assert (inquiry.status, inquiry.status_since) == ("approved", moment(4))
    assert (inquiry.decision, inquiry.decided_at, inquiry.decided_by) == ("approved", moment(4), "evt_approved_4")
    assert (inquiry.refused_events, inquiry.inferred_steps) == (0, 0)
    assert verdicts(*way) == ["documented"] * 4


def test_a_repeated_event_keeps_the_time_of_the_first() -> None:
    inquiry = fold(event("created", 1), event("approved", 2), event("approved", 3), event("approved", 9))
    assert (inquiry.status_since, inquiry.decided_at, inquiry.decided_by) == (moment(2), moment(2), "evt_approved_2")
    assert (inquiry.last_event_at, inquiry.last_event_id) == (moment(9), "evt_approved_9")


def test_a_refused_event_is_counted_and_changes_nothing_else() -> None:
    way = [event("created", 1), event("approved", 2)]
    before, after = fold(*way), fold(*way, event("started", 3), event("completed", 4))
    assert after.refused_events == 2
    assert after == before._replace(
        refused_events=2, last_event_at=moment(4), last_rank=after.last_rank, last_event_id="evt_completed_4"
    )
    assert verdicts(*way, event("started", 3))[-1] == "after_decision"


def test_a_reversal_decides_anew() -> None:
    inquiry = fold(event("approved", 1), event("declined", 2), event("approved", 3))
    assert (inquiry.status_since, inquiry.decided_at, inquiry.decided_by) == (moment(3), moment(3), "evt_approved_3")
    assert verdicts(event("approved", 1), event("declined", 2), event("approved", 3)) == [
        "adopted",
        "reversal",
        "reversal",
    ]


def test_a_review_is_a_decision_of_its_own_with_a_time_of_its_own() -> None:
    inquiry = fold(event("completed", 1), event("marked-for-review", 2))
    assert (inquiry.decision, inquiry.decided_at, inquiry.decided_by) == (
        "needs_review",
        moment(2),
        "evt_marked-for-review_2",
    )


def test_a_status_that_was_left_holds_from_its_return() -> None:
    inquiry = fold(
        event("created", 1), event("started", 2), event("expired", 3), event("started", 4), event("started", 5)
    )
    assert (inquiry.status, inquiry.status_since) == ("pending", moment(4))


def test_shortcuts_and_first_sights_are_inferred_steps_and_no_others() -> None:
    assert fold(event("created", 1)).inferred_steps == 0
    assert fold(event("started", 1)).inferred_steps == 1
    assert fold(event("started", 1), event("approved", 2)).inferred_steps == 2
    assert (
        fold(event("started", 1), event("approved", 2), event("declined", 3), event("redacted", 4)).inferred_steps == 2
    )
    assert fold(event("expired", 1), event("completed", 2), event("approved", 3)).inferred_steps == 2


def test_the_first_redaction_is_applied_and_a_further_one_repeated() -> None:
    way = [event("approved", 1), event("redacted", 2), event("redacted", 3)]
    inquiry = fold(*way)
    assert inquiry.redacted_at == moment(2)
    assert (inquiry.status, inquiry.status_since, inquiry.decided_at) == ("approved", moment(1), moment(1))
    assert verdicts(*way) == ["adopted", "redaction", "repeated"]
    assert inquiry.refused_events == 0


def test_a_redaction_is_no_status_so_the_next_event_is_still_the_first_sight() -> None:
    alone = fold(event("redacted", 1))
    assert (alone.status, alone.status_since, alone.redacted_at, alone.decision) == (None, None, moment(1), "undecided")
    assert verdicts(event("redacted", 1), event("created", 2)) == ["redaction", "documented"]
    assert verdicts(event("redacted", 1), event("approved", 2)) == ["redaction", "adopted"]


@pytest.mark.parametrize("carrier", [0, 1, 2])
def test_a_redaction_clears_the_reference_id_before_it_on_it_and_after_it(carrier: int) -> None:
    way = [event("created", 1), event("redacted", 2), event("approved", 3)]
    way[carrier] = way[carrier]._replace(reference_id="user-1", account_id="act_1")
    inquiry = fold(*way)
    assert (inquiry.reference_id, inquiry.account_id) == (None, "act_1")


def test_attributes_come_from_the_last_event_that_carries_them() -> None:
    inquiry = fold(
        event("created", 1, source="eu", reference_id="user-1", account_id="act_9", template_id="itmpl_a"),
        event("started", 2, account_id="act_1"),
        event("created", 3, reference_id="user-2"),
        event("completed", 4),
    )
    assert (inquiry.source, inquiry.reference_id, inquiry.account_id, inquiry.template_id) == (
        "eu", "user-2", "act_1", "itmpl_a",
    )  # fmt: skip


def test_a_refused_event_carries_attributes_too() -> None:
    assert fold(event("approved", 1), event("started", 2, reference_id="user-1")).reference_id == "user-1"


def test_the_status_in_the_payload_is_evidence_not_truth() -> None:
    inquiry = fold(event("completed", 1, payload_status="approved"), event("declined", 2, payload_status="approved"))
    assert inquiry.status is Status.DECLINED
    assert inquiry.decision is Decision.DECLINED


def test_a_decision_that_holds_without_a_break_keeps_its_first_time() -> None:
    way = [event("started", 1), event("completed", 2), event("approved", 3)]
    inquiry = fold(*way, by=NO_REVIEW)
    assert (inquiry.decision, inquiry.decided_at, inquiry.decided_by) == ("approved", moment(2), "evt_completed_2")
    assert (inquiry.status, inquiry.status_since) == ("approved", moment(3))
    assert fold(*way).decided_at == moment(3)


def test_a_decision_that_was_broken_holds_from_its_return() -> None:
    way = [event("completed", 1), event("marked-for-review", 2), event("approved", 3)]
    assert fold(*way, by=NO_REVIEW).decided_at == moment(3)
    expired = rules('[default]\nexpired = "declined"\n')
    back = [event("started", 1), event("expired", 2), event("started", 3)]
    assert fold(*back[:2], by=expired).decided_at == moment(2)
    undecided = fold(*back, by=expired)
    assert (undecided.decision, undecided.decided_at, undecided.decided_by) == ("undecided", None, None)
    assert fold(*back, event("declined", 4), by=expired).decided_at == moment(4)


def test_the_template_known_last_decides_over_the_whole_history() -> None:
    way = [event("completed", 1), event("approved", 2, template_id="itmpl_a")]
    assert fold(*way, by=BY_TEMPLATE).decided_at == moment(1), "not 2: the template was known at once, as we see now"
    way = [event("completed", 1, template_id="itmpl_a"), event("approved", 2, template_id="itmpl_b")]
    assert fold(*way, by=BY_TEMPLATE).decided_at == moment(2)
    way = [event("completed", 1, template_id="itmpl_a"), event("approved", 2)]
    assert fold(*way, by=BY_TEMPLATE).decided_at == moment(1), "an event that carries none changes no template"


def test_the_newest_event_is_later_by_time_rank_or_id_and_never_equal() -> None:
    inquiry = fold(event("completed", 5, event_id="evt_5"))
    newer = [event("created", 6), event("failed", 5, event_id="evt_1"), event("completed", 5, event_id="evt_6")]
    older = [event("redacted", 4), event("expired", 5, event_id="evt_9"), event("completed", 5, event_id="evt_4")]
    assert [is_newest(inquiry, one, rules()) for one in newer] == [True, True, True]
    assert [is_newest(inquiry, one, rules()) for one in older] == [False, False, False]
    assert not is_newest(inquiry, event("completed", 5, event_id="evt_5"), rules())


def test_a_first_event_is_always_the_newest() -> None:
    assert is_newest(Inquiry(INQUIRY), event("completed", 1, template_id="itmpl_a"), BY_TEMPLATE)


@pytest.mark.parametrize(
    ("before", "after", "newest"),
    [
        (None, None, True),
        (None, "itmpl_a", False),
        (None, "itmpl_b", True),
        ("itmpl_a", None, True),
        ("itmpl_a", "itmpl_a", True),
        ("itmpl_a", "itmpl_b", False),
        ("itmpl_b", "itmpl_a", False),
        ("itmpl_b", "itmpl_c", True),
    ],
)
def test_a_template_with_another_table_asks_for_a_refold(before: str | None, after: str | None, newest: bool) -> None:
    inquiry = fold(event("completed", 1, template_id=before), by=BY_TEMPLATE)
    assert is_newest(inquiry, event("approved", 2, template_id=after), BY_TEMPLATE) is newest
    assert is_newest(inquiry, event("approved", 2, template_id=after), rules()), "one table for all: no reason to"


def test_versions_are_those_of_lifecycle_and_policy() -> None:
    assert BY_TEMPLATE.versions == (BY_TEMPLATE.lifecycle.version, BY_TEMPLATE.policy.version)
    assert BY_TEMPLATE.versions[0] == rules().versions[0]
    assert BY_TEMPLATE.versions[1] != rules().versions[1]


@LAW
@given(histories(), sayings)
def test_the_fold_is_that_of_the_naive_model(history: list[Event], saying: Saying) -> None:
    ordered = sorted(history, key=order_key)
    inquiry, steps = refold(INQUIRY, ordered, rules_of(saying))
    assert columns(inquiry) == expect_inquiry(as_log(history), saying)
    assert [Judgement(*step) for step in steps] == judge_all(ordered)


@LAW
@given(histories(), sayings)
def test_evolving_the_newest_event_is_refolding_all_prefix_by_prefix(history: list[Event], saying: Saying) -> None:
    by = rules_of(saying)
    ordered = sorted(history, key=order_key)
    for end, newest in enumerate(ordered):
        before, before_steps = refold(INQUIRY, ordered[:end], by)
        after, steps = refold(INQUIRY, ordered[: end + 1], by)
        if is_newest(before, newest, by):
            assert evolve(before, newest, by) == (after, steps[-1])
        assert steps[:-1] == before_steps, "an event never changes the verdict of one before it"
        assert last_key(after) == order_key(newest)


@LAW
@given(histories(), sayings)
def test_an_event_is_newest_unless_it_is_late_or_changes_the_table(history: list[Event], saying: Saying) -> None:
    *before, event = history
    by = rules_of(saying)
    inquiry = refold(INQUIRY, sorted(before, key=order_key), by)[0]
    late = any(order_key(event) < order_key(other) for other in before)
    statuses = ("completed", "failed", "expired")
    templates = (inquiry.template_id, event.template_id or inquiry.template_id)
    one, other = ([saying.decide(template, status) for status in statuses] for template in templates)
    assert is_newest(inquiry, event, by) is (not late and (not before or one == other))


@LAW
@given(histories(), sayings)
def test_a_decision_has_a_time_and_an_event_exactly_while_there_is_one(history: list[Event], saying: Saying) -> None:
    inquiry, steps = refold(INQUIRY, sorted(history, key=order_key), rules_of(saying))
    undecided = inquiry.decision is Decision.UNDECIDED
    assert (inquiry.decided_at is None) is (inquiry.decided_by is None) is undecided
    assert (inquiry.status is None) is (inquiry.status_since is None)
    assert inquiry.refused_events == [step.verdict for step in steps].count(Verdict.REFUSED)
    assert inquiry.redacted_at is None or inquiry.reference_id is None
