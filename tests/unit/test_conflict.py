"""Records of one identity that contradict each other: the smaller (occurred_at, name) counts, first come or not."""

from __future__ import annotations

from typing import Any

import pytest

from domain.aggregate import CONFLICT_DETAIL, Changes, fold_batch, group_by_inquiry
from domain.event import Event
from tests.builders import INQUIRY, as_log, event, moment, rules
from tests.small_ledger import SmallLedger, fold_log


def read(*events: Event) -> SmallLedger:
    """A ledger that read these events one record at a time, with no more of the history than it asked for."""
    return fold_log(as_log(events), rules(), sizes=[1] * len(events))


def row(ledger: SmallLedger) -> dict[str, Any]:
    columns: dict[str, Any] = ledger.contents()["inquiries"][INQUIRY]
    return columns


def counts(ledger: SmallLedger) -> dict[str, int]:
    tally: dict[str, int] = ledger.contents()["counts"][1]
    return tally


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_of_two_contents_the_earlier_time_counts_whichever_came_first(order: list[int]) -> None:
    said = [event("approved", 1, event_id="evt_a"), event("approved", 2, event_id="evt_a")]
    ledger = read(*(said[n] for n in order))
    assert row(ledger)["decided_at"] == moment(1)
    assert counts(ledger) == {"applied": 1, "quarantined": 1}
    ((lost, reason),) = ledger.quarantined
    assert (lost.offset, reason) == (order.index(1), "conflicting_duplicate")


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_of_two_names_of_one_time_the_smaller_text_counts_not_the_rank(order: list[int]) -> None:
    said = [event("approved", 1, event_id="evt_a"), event("created", 1, event_id="evt_a")]
    assert row(read(*(said[n] for n in order)))["status"] == "approved"


@pytest.mark.parametrize("order", [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]])
def test_of_three_contents_one_counts_and_two_are_quarantined(order: list[int]) -> None:
    said = [event("approved", second, event_id="evt_a") for second in (1, 2, 3)]
    ledger = read(*(said[n] for n in order))
    assert counts(ledger) == {"applied": 1, "quarantined": 2}
    assert sorted(lost.offset for lost, _ in ledger.quarantined) == sorted(order.index(n) for n in (1, 2))


@pytest.mark.parametrize("sizes", [[1, 1, 1, 1], [4], [2, 2], [1, 3], [3, 1]])
def test_each_copy_of_a_loser_is_quarantined_those_read_before_it_lost_too(sizes: list[int]) -> None:
    loser, winner = event("approved", 2, event_id="evt_a"), event("approved", 1, event_id="evt_a")
    ledger = fold_log(as_log([loser, loser, winner, loser]), rules(), sizes=sizes)
    assert counts(ledger) == {"applied": 1, "quarantined": 3}
    assert sorted(lost.offset for lost, _ in ledger.quarantined) == [0, 1, 3]
    assert ledger.entries[INQUIRY]["evt_a"].placement.offset == 2


def test_copies_of_the_winner_stay_duplicates() -> None:
    loser, winner = event("approved", 2, event_id="evt_a"), event("approved", 1, event_id="evt_a")
    assert counts(read(winner, loser, winner)) == {"applied": 1, "duplicate": 1, "quarantined": 1}
    assert counts(read(loser, winner, loser, winner)) == {"applied": 1, "duplicate": 1, "quarantined": 2}


@pytest.mark.parametrize("order", [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]])
def test_a_loser_gives_no_attribute_and_takes_back_what_it_gave(order: list[int]) -> None:
    said = [
        event("approved", 1, event_id="evt_a", source="us"),
        event("approved", 2, event_id="evt_a", reference_id="user-1", account_id="act_1"),
        event("approved", 2, event_id="evt_a", source="eu"),
    ]
    ledger = read(*(said[n] for n in order))
    assert (row(ledger)["source"], row(ledger)["reference_id"], row(ledger)["account_id"]) == ("us", None, None)


def test_a_loser_takes_its_moves_back() -> None:
    ledger = read(event("created", 1), event("declined", 5, event_id="evt_a"), event("approved", 3, event_id="evt_a"))
    assert [entry.event.event_id for entry in ledger.entries[INQUIRY].values()] == ["evt_created_1", "evt_a"]
    assert (row(ledger)["decision"], row(ledger)["decided_at"]) == ("approved", moment(3))
    assert [revision.decision for revision in ledger.revisions] == ["undecided", "declined", "approved"]


def test_the_detail_of_a_conflict_holds_nothing_of_the_records() -> None:
    batch = group_by_inquiry(as_log([event("approved", 1, event_id="evt_a"), event("approved", 2, event_id="evt_a")]))
    changes = Changes()
    assert fold_batch({}, batch, rules(), changes) == []
    (lost,) = changes.quarantined
    assert lost.detail == CONFLICT_DETAIL
    assert not any(word in lost.detail for word in ("evt_", "inq_", "approved", "2024"))


def test_a_winner_may_lose_later_with_all_its_copies_and_each_record_is_quarantined_once() -> None:
    loser, winner = event("approved", 3, event_id="evt_a"), event("approved", 2, event_id="evt_a")
    least = event("approved", 1, event_id="evt_a")
    ledger = read(loser, winner, winner, loser, least, winner)
    assert sorted(lost.offset for lost, _ in ledger.quarantined) == [0, 1, 2, 3, 5]
    assert counts(ledger) == {"applied": 1, "quarantined": 5}


def test_another_event_that_says_the_same_is_no_part_of_the_conflict() -> None:
    loser, winner = event("approved", 2, event_id="evt_a"), event("approved", 1, event_id="evt_a")
    twin = event("approved", 2, event_id="evt_b")
    ledger = read(twin, twin, loser, winner)
    assert [lost.offset for lost, _ in ledger.quarantined] == [2]
    assert counts(ledger) == {"applied": 1, "repeated": 1, "duplicate": 1, "quarantined": 1}


def test_a_loser_and_a_winner_in_two_partitions_are_each_in_the_books_of_their_own() -> None:
    loser, winner = as_log([event("approved", 2, event_id="evt_a"), event("approved", 1, event_id="evt_a")])
    elsewhere = winner._replace(placement=winner.placement._replace(partition=2, offset=0))
    for sizes in ([1, 1], [2]):
        ledger = fold_log([loser, elsewhere], rules(), sizes=sizes)
        assert ledger.contents()["counts"] == {1: {"quarantined": 1}, 2: {"applied": 1}}
