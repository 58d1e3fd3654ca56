"""What every ledger does: the fence, the one transaction, the rules, the books."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from consumers.batch import Batch, write_batch
from domain.aggregate import Changes
from domain.books import Count, Position, Quarantined
from domain.decision import Decision, DecisionPolicy
from domain.errors import Fenced, QuarantineReason, RulesError
from domain.event import Event, Placement, from_millis
from domain.inquiry import Rules
from domain.lifecycle import Lifecycle
from tests.ledgers import RULES, Views, batch_of, begin, place, project

MakeViews = Callable[[], Views]

APPROVED = Event("inq_1", "evt_3", "inquiry.approved", from_millis(3000), reference_id="ref")
CREATED = Event("inq_1", "evt_1", "inquiry.created", from_millis(1000))
COMPLETED = Event("inq_1", "evt_2", "inquiry.completed", from_millis(2000))


@pytest.fixture
def ledger(views: MakeViews) -> Views:
    return views()


def test_a_batch_changes_every_view_at_once(ledger: Views) -> None:
    project(ledger, [APPROVED, CREATED])
    rows = ledger.rows()
    (decision,) = rows["current_decision"]
    assert (decision["status"], decision["decision"], decision["decided_by"]) == ("approved", "approved", "evt_3")
    assert [row["event_id"] for row in rows["inquiry_history"]] == ["evt_1", "evt_3"]
    assert [row["revision"] for row in rows["decision_revision"]] == [1]
    assert rows["books"][0]["applied"] == 2
    assert rows["books"][0]["balanced"] is True


def test_a_writer_that_expects_another_position_changes_nothing(ledger: Views) -> None:
    project(ledger, [CREATED])
    before = ledger.rows()
    with pytest.raises(Fenced):
        write_batch(ledger.ledger, batch_of(place([APPROVED], ledger.topic, start=5)), RULES)
    with pytest.raises(Fenced):
        write_batch(ledger.ledger, batch_of(place([APPROVED], ledger.topic, start=0)), RULES)
    assert ledger.rows() == before


def test_a_partition_never_opened_is_fenced(ledger: Views) -> None:
    begin(ledger)
    with pytest.raises(Fenced):
        write_batch(ledger.ledger, batch_of(place([CREATED], ledger.topic, partition=3)), RULES)


def test_an_error_inside_the_transaction_leaves_nothing(ledger: Views) -> None:
    project(ledger, [CREATED])
    before = ledger.rows()
    quarantined = Quarantined(Placement(ledger.topic, 0, 1, from_millis(0)), QuarantineReason.NOT_JSON, "")
    with pytest.raises(ZeroDivisionError):
        _store_and_fail(ledger, Changes(quarantined=[quarantined]))
    assert ledger.rows() == before


def _store_and_fail(ledger: Views, changes: Changes) -> None:
    with ledger.ledger.begin({0: (1, 2)}) as transaction:
        transaction.store(changes)
        raise ZeroDivisionError


def test_opening_a_position_again_leaves_it_where_it_stands(ledger: Views) -> None:
    project(ledger, [CREATED])
    ledger.ledger.open([Position(0, "other", "other", 0, 0)])
    assert ledger.ledger.positions()[0] == Position(0, "cluster", "topic", 0, 1)


def test_rows_of_two_policies_do_not_mix(ledger: Views) -> None:
    other = Rules(Lifecycle(), DecisionPolicy({"completed": Decision.APPROVED}))
    project(ledger, [CREATED])
    with pytest.raises(RulesError):
        ledger.ledger.agree(other.versions)
    ledger.ledger.agree(RULES.versions)


def test_every_kind_of_offset_is_in_the_books(ledger: Views) -> None:
    begin(ledger)
    batch = batch_of(place([CREATED, CREATED, COMPLETED], ledger.topic))
    batch.moves[0] = (0, 8)
    batch.tallies[0] = Counter({Count.IGNORED: 2, Count.GAPS: 2, Count.QUARANTINED: 1})
    placement = Placement(ledger.topic, 0, 4, from_millis(0))
    batch.quarantined.append(Quarantined(placement, QuarantineReason.NOT_JSON, "not JSON"))
    write_batch(ledger.ledger, batch, RULES)
    (books,) = ledger.rows()["books"]
    counts = {count.value: books[count.value] for count in Count}
    assert counts == {
        "applied": 2, "repeated": 0, "refused": 0, "ignored": 2, "duplicate": 1, "quarantined": 1, "gaps": 2,
    }  # fmt: skip
    assert (books["first_offset"], books["next_offset"], books["balanced"]) == (0, 8, True)


def test_a_lost_record_unbalances_the_books(ledger: Views) -> None:
    begin(ledger)
    batch = batch_of(place([CREATED, COMPLETED], ledger.topic))
    batch.sightings.pop()
    write_batch(ledger.ledger, batch, RULES)
    assert ledger.rows()["books"][0]["balanced"] is False


def test_only_the_position_moves_in_an_empty_batch(ledger: Views) -> None:
    begin(ledger)
    write_batch(ledger.ledger, Batch(moves={0: (0, 3)}, tallies={0: Counter({Count.GAPS: 3})}), RULES)
    assert ledger.ledger.positions()[0].next_offset == 3
    assert ledger.rows()["books"][0]["balanced"] is True


def test_an_inquiry_in_two_partitions_still_has_one_right_row_and_balanced_books(ledger: Views) -> None:
    begin(ledger, partitions=[0, 1])
    late = COMPLETED._replace(event_id="evt_late", occurred_at=from_millis(4000))
    write_batch(ledger.ledger, batch_of(place([late], ledger.topic, partition=0)), RULES)
    write_batch(ledger.ledger, batch_of(place([APPROVED, CREATED], ledger.topic, partition=1)), RULES)
    rows = ledger.rows()
    assert [(row["event_id"], row["verdict"]) for row in rows["inquiry_history"]] == [
        ("evt_1", "applied"), ("evt_3", "applied"), ("evt_late", "refused"),
    ]  # fmt: skip
    assert [row["refused"] for row in rows["books"]] == [1, 0]
    assert all(row["balanced"] for row in rows["books"])
    assert [row["revision"] for row in rows["decision_revision"]] == [1, 2]


def test_the_loser_of_a_conflict_and_its_copies_go_to_quarantine_at_their_own_offsets(ledger: Views) -> None:
    loser = APPROVED._replace(account_id="act_loser")
    winner = APPROVED._replace(occurred_at=from_millis(2500), reference_id=None)
    project(ledger, [CREATED, loser, loser, winner, loser], cuts=[1, 2, 3, 4])
    rows = ledger.rows()
    assert [(row["offset"], row["reason"]) for row in rows["quarantine"]] == [
        (1, "conflicting_duplicate"), (2, "conflicting_duplicate"), (4, "conflicting_duplicate"),
    ]  # fmt: skip
    (decision,) = rows["current_decision"]
    assert (decision["decided_at"], decision["account_id"], decision["reference_id"]) == (from_millis(2500), None, None)
    assert rows["books"][0]["duplicate"] == 0
    assert rows["books"][0]["balanced"] is True


def test_a_duplicate_fills_in_what_the_first_lacked_even_after_a_restart(ledger: Views) -> None:
    first, copy = APPROVED._replace(reference_id=None), APPROVED._replace(account_id="act_1", payload_status="approved")
    project(ledger, [first, copy, first], cuts=[1, 2])
    rows = ledger.rows()
    (decision,) = rows["current_decision"]
    assert (decision["reference_id"], decision["account_id"], decision["revision"]) == ("ref", "act_1", 2)
    assert rows["inquiry_history"][0]["payload_status"] == "approved"
    assert rows["books"][0]["duplicate"] == 2
