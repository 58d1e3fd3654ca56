"""Reading records into an inquiry: new, late, repeated, contradicting; each example states one rule of the law."""

from __future__ import annotations

from typing import Any

import pytest

from domain.aggregate import Changes, Stored, fold_batch, group_by_inquiry, identities
from domain.event import Event
from domain.inquiry import Rules
from tests.builders import INQUIRY, as_log, event, moment, rules
from tests.small_ledger import SmallLedger, fold_log

BY_TEMPLATE = rules('[template.itmpl_a]\ncompleted = "approved"\n')


def read(*events: Event, by: Rules | None = None) -> SmallLedger:
    """A ledger that read these events one record at a time, with no more of the history than it asked for."""
    return fold_log(as_log(events), by or rules(), sizes=[1] * len(events))


def row(ledger: SmallLedger, inquiry_id: str = INQUIRY) -> dict[str, Any]:
    columns: dict[str, Any] = ledger.contents()["inquiries"][inquiry_id]
    return columns


def counts(ledger: SmallLedger, partition: int = 1) -> dict[str, int]:
    tally: dict[str, int] = ledger.contents()["counts"][partition]
    return tally


def history(ledger: SmallLedger) -> list[tuple[str, str]]:
    """(event id, what it did) in canonical order."""
    rows = ledger.contents()["history"][INQUIRY]
    return [(event.event_id, judged.edge or judged.reason or judged.verdict) for event, _, judged in rows]


def loads(*events: Event, then: Event, by: Rules | None = None) -> bool:
    """Whether reading `then` asks for the whole history of an inquiry that had these events."""
    ledger = read(*events, by=by)
    return ledger.take(as_log([*events, then])[-1:]) == [INQUIRY]


def test_a_late_event_changes_the_verdicts_after_it() -> None:
    ledger = read(event("approved", 3), event("started", 2), event("created", 1))
    assert history(ledger) == [
        ("evt_created_1", "documented"),
        ("evt_started_2", "documented"),
        ("evt_approved_3", "shortcut"),
    ]
    assert counts(ledger) == {"applied": 3}
    assert row(ledger)["inferred_steps"] == 1


@pytest.mark.parametrize(
    ("seen", "late", "became"),
    [
        ([event("completed", 3)], event("started", 2), "documented"),
        (
            [event("created", 1), event("approved", 4), event("approved", 5)],
            event("declined", 4, event_id="evt_x"),
            "reversal",
        ),
        ([event("created", 1), event("completed", 4)], event("approved", 3), "after_decision"),
        ([event("created", 1), event("started", 2), event("created", 5)], event("declined", 4), "after_decision"),
        ([event("completed", 1), event("failed", 3)], event("failed", 0), "repeated"),
    ],
    ids=[
        "adopted → documented",
        "repeated → reversal",
        "applied → refused",
        "refused for another reason",
        "refused → repeated",
    ],
)
def test_a_late_event_changes_the_verdict_of_one_seen_before(seen: list[Event], late: Event, became: str) -> None:
    before, after = history(read(*seen)), history(read(*seen, late))
    assert before[-1][0] == after[-1][0] == seen[-1].event_id
    assert before[-1][1] != after[-1][1] == became


def test_a_late_event_refolds_its_inquiry_alone() -> None:
    ledger = read(event("approved", 3), event("approved", 3, inquiry_id="inq_2"))
    other = ledger.rows["inq_2"]
    assert ledger.take(as_log([event("created", 1)])) == [INQUIRY]
    assert ledger.rows["inq_2"] is other


def test_a_late_event_that_is_seen_writes_a_revision_with_its_own_record() -> None:
    ledger = read(event("approved", 3), event("approved", 2))
    first, second = ledger.revisions
    assert (first.revision, first.decided_at, first.cause_event_id) == (1, moment(3), "evt_approved_3")
    assert (second.revision, second.decided_at, second.cause_event_id) == (2, moment(2), "evt_approved_2")
    assert ledger.rows[INQUIRY].placement == second.placement != first.placement


def test_a_late_event_that_is_not_seen_writes_no_revision() -> None:
    ledger = read(event("approved", 3), event("declined", 2))
    assert [revision.cause_event_id for revision in ledger.revisions] == ["evt_approved_3"]
    assert ledger.rows[INQUIRY].placement == ledger.revisions[0].placement
    assert counts(ledger) == {"applied": 2}


def test_an_older_event_never_beats_a_newer_one_by_coming_later() -> None:
    assert row(read(event("approved", 2), event("completed", 1)))["status"] == "approved"
    assert row(read(event("declined", 2), event("approved", 1)))["status"] == "declined"


def test_events_of_one_millisecond_fall_in_canonical_order_whichever_came_first() -> None:
    completed, approved = event("completed", 1, event_id="evt_z"), event("approved", 1, event_id="evt_a")
    assert row(read(completed, approved))["status"] == row(read(approved, completed))["status"] == "approved"
    one, other = event("completed", 1, event_id="evt_a"), event("completed", 1, event_id="evt_b")
    for order in ([one, other], [other, one]):
        assert history(read(*order)) == [("evt_a", "adopted"), ("evt_b", "repeated")]


def test_a_duplicate_adds_no_event() -> None:
    ledger = read(event("completed", 1), event("completed", 1), event("completed", 1))
    assert history(ledger) == [("evt_completed_1", "adopted")]
    assert counts(ledger) == {"applied": 1, "duplicate": 2}
    assert len(ledger.revisions) == 1


def test_a_duplicate_of_an_event_that_did_nothing_is_a_duplicate_all_the_same() -> None:
    ledger = read(
        event("approved", 1), event("started", 2), event("started", 2), event("approved", 3), event("approved", 3)
    )
    assert counts(ledger) == {"applied": 1, "refused": 1, "repeated": 1, "duplicate": 2}


def test_two_events_of_one_name_and_time_are_no_duplicates() -> None:
    ledger = read(event("approved", 1, event_id="evt_a"), event("approved", 1, event_id="evt_b"))
    assert counts(ledger) == {"applied": 1, "repeated": 1}


def test_one_event_id_in_two_inquiries_is_two_identities() -> None:
    ledger = read(event("approved", 1, event_id="evt_a"), event("declined", 2, event_id="evt_a", inquiry_id="inq_2"))
    assert (row(ledger)["status"], row(ledger, "inq_2")["status"]) == ("approved", "declined")
    assert (counts(ledger, 1), counts(ledger, 2)) == ({"applied": 1}, {"applied": 1})
    assert ledger.quarantined == []


def test_a_duplicate_fills_in_what_the_first_lacked() -> None:
    bare, dressed = event("created", 1), event("created", 1, source="eu", reference_id="user-1", template_id="itmpl_a")
    for order in ([bare, dressed], [dressed, bare]):
        ledger = read(*order)
        assert (row(ledger)["source"], row(ledger)["reference_id"]) == ("eu", "user-1")
        assert ledger.entries[INQUIRY]["evt_created_1"].event == dressed
        assert ledger.entries[INQUIRY]["evt_created_1"].placement.offset == 0, "the first record's place stays"


def test_of_two_values_the_smaller_stays_and_a_later_event_still_goes_before() -> None:
    one, other = event("created", 1, reference_id="user-1"), event("created", 1, reference_id="user-2")
    assert row(read(other, one))["reference_id"] == row(read(one, other))["reference_id"] == "user-1"
    assert row(read(event("started", 2, reference_id="user-9"), other, one))["reference_id"] == "user-9"


def test_a_duplicate_that_names_the_reference_writes_a_revision_with_its_own_record() -> None:
    ledger = read(event("approved", 1), event("approved", 1, reference_id="user-1"), event("approved", 1, source="eu"))
    assert [revision.placement.offset for revision in ledger.revisions] == [0, 1]
    assert (ledger.rows[INQUIRY].revision, ledger.rows[INQUIRY].placement.offset) == (2, 1)
    assert row(ledger)["source"] == "eu", "what is not seen changes without a revision"


def test_a_duplicate_that_names_the_template_judges_the_whole_history_anew() -> None:
    ledger = read(
        event("completed", 1), event("approved", 2), event("completed", 1, template_id="itmpl_a"), by=BY_TEMPLATE
    )
    assert [revision.decided_at for revision in ledger.revisions] == [None, moment(2), moment(1)]


def test_a_redaction_clears_the_reference_id_of_events_that_come_after_it_late_or_again() -> None:
    ledger = read(
        event("redacted", 5), event("created", 1, reference_id="user-1"), event("redacted", 5, reference_id="user-2")
    )
    assert (row(ledger)["reference_id"], row(ledger)["redacted_at"]) == (None, moment(5))
    assert ledger.contents()["counts"] == {1: {"applied": 2, "duplicate": 1}}


def test_a_late_redaction_is_the_first_and_the_other_is_repeated() -> None:
    ledger = read(event("redacted", 5), event("redacted", 3))
    assert history(ledger) == [("evt_redacted_3", "redaction"), ("evt_redacted_5", "repeated")]
    assert [revision.status for revision in ledger.revisions] == [None, None]
    assert row(ledger)["redacted_at"] == moment(3)


def test_the_newest_event_is_folded_without_the_history() -> None:
    assert not loads(event("created", 1), event("started", 2), then=event("approved", 3))
    assert not loads(event("created", 1), event("approved", 2), then=event("started", 3))
    assert not loads(event("created", 1), then=event("redacted", 2))


def test_a_duplicate_that_knows_nothing_more_needs_no_history() -> None:
    known = event("created", 1, reference_id="user-1", source="eu")
    assert not loads(known, event("approved", 2), then=known)
    assert not loads(known, event("approved", 2), then=event("created", 1, source="us"))
    assert loads(known, event("approved", 2), then=event("created", 1, account_id="act_1"))
    assert loads(known, event("approved", 2), then=event("created", 1, reference_id="user-0"))


def test_only_the_winner_of_a_conflict_that_comes_second_needs_the_history() -> None:
    assert not loads(event("approved", 2), then=event("approved", 3, event_id="evt_approved_2"))
    assert loads(event("approved", 2), then=event("approved", 1, event_id="evt_approved_2"))


def test_a_late_event_and_a_template_with_another_table_need_the_history() -> None:
    assert loads(event("approved", 2), then=event("created", 1))
    assert loads(event("completed", 1), then=event("approved", 2, template_id="itmpl_a"), by=BY_TEMPLATE)
    assert not loads(event("completed", 1), then=event("approved", 2, template_id="itmpl_b"), by=BY_TEMPLATE)
    assert not loads(event("completed", 1), then=event("approved", 2, template_id="itmpl_a"))


def test_an_inquiry_never_seen_has_no_history_to_load() -> None:
    ledger = SmallLedger(rules())
    assert (
        ledger.take(
            as_log([event("approved", 3), event("created", 1), event("approved", 2, event_id="evt_approved_3")])
        )
        == []
    )


def test_an_inquiry_that_the_ledger_does_not_hold_is_complete_as_it_is() -> None:
    log = as_log([event("approved", 3), event("created", 1)])
    assert fold_batch({INQUIRY: Stored()}, {INQUIRY: log}, rules(), Changes()) == []


def test_a_late_event_rewrites_only_those_whose_verdict_it_changed() -> None:
    log = as_log([event("created", 1), event("started", 2), event("approved", 4), event("completed", 3)])
    changes, unfolded = fold_log(log[:3], rules()).fold(log[3:])
    assert unfolded == [INQUIRY]
    assert [entry.event.event_id for entry in changes.new_entries] == ["evt_completed_3"]
    assert [entry.event.event_id for entry in changes.changed_entries] == ["evt_approved_4"]


def test_a_copy_writes_no_copy_again_that_the_history_holds() -> None:
    log = as_log([event("created", 1), event("created", 1), event("created", 1)])
    changes, _ = fold_log(log[:2], rules(), whole=True).fold(log[2:])
    assert [sighting.placement.offset for sighting in changes.sightings] == [2]


def test_what_could_not_be_folded_leaves_nothing_of_it_in_the_changes() -> None:
    log = as_log([event("approved", 3), event("started", 4), event("created", 1)])
    ledger, changes = fold_log(log[:1], rules()), Changes()
    stored = {INQUIRY: Stored(ledger.rows[INQUIRY])}
    assert fold_batch(stored, {INQUIRY: log[1:]}, rules(), changes) == [INQUIRY]
    assert changes == Changes()


def test_changes_are_added_to_those_that_were_there() -> None:
    changes = Changes()
    changes.tallies[1]["ignored"] = 7
    for inquiry_id in ("inq_1", "inq_2"):
        batch = group_by_inquiry(as_log([event("approved", 1, inquiry_id=inquiry_id)]))
        assert fold_batch({}, batch, rules(), changes) == []
    assert [row.inquiry.inquiry_id for row in changes.new_rows] == ["inq_1", "inq_2"]
    assert changes.tallies == {1: {"ignored": 7, "applied": 1}, 2: {"applied": 1}}


def test_a_batch_that_was_lost_in_a_crash_is_folded_again_to_the_same_changes() -> None:
    log = as_log([event("approved", 3, event_id="evt_a"), event("created", 1), event("approved", 2, event_id="evt_a")])
    first, second = Changes(), Changes()
    for changes in (first, second):
        assert fold_batch({}, {INQUIRY: log}, rules(), changes) == []
    assert first == second != Changes()


def test_what_did_not_change_is_not_written() -> None:
    log = as_log([event("created", 1), event("started", 2), event("started", 2)])
    ledger, changes = fold_log(log[:2], rules()), Changes()
    stored = {INQUIRY: Stored(ledger.rows[INQUIRY], tuple(ledger.entries[INQUIRY].values()), complete=True)}
    assert fold_batch(stored, {INQUIRY: log[2:]}, rules(), changes) == []
    assert (changes.new_rows, changes.changed_rows, changes.new_entries, changes.changed_entries) == ([], [], [], [])
    assert changes.revisions == []
    assert changes.tallies == {1: {"duplicate": 1}}


def test_a_row_is_guarded_by_the_revision_it_had_before_the_batch() -> None:
    log = as_log([event("created", 1), event("started", 2), event("approved", 3)])
    ledger, changes = fold_log(log[:1], rules()), Changes()
    assert fold_batch({INQUIRY: Stored(ledger.rows[INQUIRY])}, {INQUIRY: log[1:]}, rules(), changes) == []
    ((after, before),) = changes.changed_rows
    assert (after.revision, before) == (3, 1)


def test_a_batch_is_grouped_by_inquiry_in_the_order_of_the_log() -> None:
    log = as_log([event("created", 1), event("created", 1, inquiry_id="inq_2"), event("approved", 2)])
    groups = group_by_inquiry(log)
    assert groups == {"inq_1": [log[0], log[2]], "inq_2": [log[1]]}
    assert identities(groups, {"inq_1"}) == [("inq_1", "evt_created_1"), ("inq_1", "evt_approved_2")]
    assert identities(groups, ()) == []
