"""The law of design section 2, on every ledger: any order, any repetition, any batching, the same rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.decision import Decision, DecisionPolicy
from domain.event import Event, from_millis
from domain.inquiry import Rules
from domain.lifecycle import RANKS, Lifecycle
from tests.ledgers import Rows, Views, project

MakeViews = Callable[[], Views]

#: A policy that depends on the template, so that a template learnt late changes decisions made before.
TEMPLATED = Rules(
    Lifecycle(),
    DecisionPolicy(
        {"expired": Decision.DECLINED}, {"itmpl_b": {"completed": Decision.APPROVED, "failed": Decision.DECLINED}}
    ),
)

#: Few identities, few times and few values, so that duplicates, conflicts, ties and merges are common.
events = st.builds(
    Event,
    inquiry_id=st.sampled_from(["inq_1", "inq_2"]),
    event_id=st.sampled_from(["evt_1", "evt_2", "evt_3", "evt_4", "evt_5", "evt_𝄞", "evt_\uffff"]),
    name=st.sampled_from(list(RANKS)),
    occurred_at=st.sampled_from([from_millis(millis) for millis in (1000, 1001, 2000, 3000)]),
    source=st.sampled_from([None, "default", "eu"]),
    reference_id=st.sampled_from([None, "ref_a", "ref_b"]),
    account_id=st.sampled_from([None, "act_a"]),
    template_id=st.sampled_from([None, "itmpl_a", "itmpl_b"]),
    payload_status=st.sampled_from([None, "approved", "created"]),
)
deliveries = st.lists(events, min_size=1, max_size=9)

law = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@law
@given(delivered=deliveries, data=st.data())
def test_any_order_gives_the_same_rows(views: MakeViews, delivered: list[Event], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(delivered))
    cuts = data.draw(st.sets(st.integers(1, 9)))
    one = project(views(), delivered, rules=TEMPLATED).order_free()
    assert project(views(), shuffled, sorted(cuts), TEMPLATED).order_free() == one


@law
@given(delivered=deliveries, data=st.data())
def test_any_repetition_gives_the_same_decisions_and_history(
    views: MakeViews, delivered: list[Event], data: st.DataObject
) -> None:
    copies = data.draw(st.lists(st.sampled_from(delivered), max_size=6))
    shuffled = data.draw(st.permutations([*delivered, *copies]))
    one, other = project(views(), delivered).order_free(), project(views(), shuffled).order_free()
    assert _truth(other) == _truth(one)


@law
@given(delivered=deliveries, cuts=st.sets(st.integers(1, 9)), others=st.sets(st.integers(1, 9)))
def test_any_batching_gives_the_same_rows_revisions_included(
    views: MakeViews, delivered: list[Event], cuts: set[int], others: set[int]
) -> None:
    one = project(views(), delivered, sorted(cuts), TEMPLATED).rows()
    assert project(views(), delivered, sorted(others), TEMPLATED).rows() == one


@law
@given(delivered=deliveries, cuts=st.sets(st.integers(1, 9)))
def test_the_books_balance_and_agree_with_the_rows(views: MakeViews, delivered: list[Event], cuts: set[int]) -> None:
    rows = project(views(), delivered, sorted(cuts)).rows()
    (books,) = rows["books"]
    assert books["balanced"] is True
    verdicts = [row["verdict"] for row in rows["inquiry_history"]]
    for verdict in ("applied", "repeated", "refused"):
        assert books[verdict] == verdicts.count(verdict)
    assert books["quarantined"] == len(rows["quarantine"])
    assert books["duplicate"] == len(delivered) - len(verdicts) - len(rows["quarantine"])


@law
@given(delivered=deliveries, cuts=st.sets(st.integers(1, 9)))
def test_the_last_revision_says_what_the_decision_says(
    views: MakeViews, delivered: list[Event], cuts: set[int]
) -> None:
    rows = project(views(), delivered, sorted(cuts), TEMPLATED).rows()
    last = {row["inquiry_id"]: row for row in rows["decision_revision"]}
    for decision in rows["current_decision"]:
        revision = last[decision["inquiry_id"]]
        for column in ("revision", "status", "decision", "decided_at", "partition", "offset"):
            assert decision[column] == revision[column]
        assert (decision["status_since"], decision["appended_at"]) == (revision["effective_at"], revision["known_at"])


def _truth(rows: Rows) -> list[dict[str, Any]]:
    return [*rows["current_decision"], *rows["inquiry_history"]]
