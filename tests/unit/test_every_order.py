"""Not random, all of them: every order of every set of up to four records from two pools, over one inquiry.

The first pool is every event of the fold at two times; the second is made of copies, contradictions and redactions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, permutations
from math import perm
from typing import Any

from domain.aggregate import Changes, fold_batch
from domain.event import Event
from domain.inquiry import Rules
from tests.builders import INQUIRY, as_log, event
from tests.model import RANK, Judgement, Saying
from tests.small_ledger import expect_contents, fold_log, order_free
from tests.strategies import rules_of

SAYING = Saying({"completed": "approved"}, {"itmpl_a": {"completed": "undecided", "expired": "declined"}})

EVENTS = [event(name.removeprefix("inquiry."), second) for name in RANK for second in (1, 2)]

COPIES = [
    event("approved", 2, event_id="evt_a", template_id="itmpl_a"),
    event("approved", 2, event_id="evt_a", reference_id="user-1", source="us"),
    event("approved", 2, event_id="evt_a", reference_id="user-0", source="us"),
    event("approved", 1, event_id="evt_a", account_id="act_1"),
    event("declined", 1, event_id="evt_a"),
    event("completed", 1, event_id="evt_b", reference_id="user-2"),
    event("completed", 1, event_id="evt_b", template_id="itmpl_a"),
    event("completed", 3, event_id="evt_b"),
    event("redacted", 2, event_id="evt_c"),
    event("redacted", 1, event_id="evt_d", reference_id="user-3"),
    event("expired", 2, event_id="evt_e"),
    event("approved", 2, event_id="evt_f"),
]

UP_TO = 4


def sets(pool: Sequence[Event]) -> Iterator[tuple[Event, ...]]:
    """Every set of up to four of the pool."""
    for size in range(1, UP_TO + 1):
        yield from combinations(pool, size)


def orders(pool: Sequence[Event]) -> int:
    """How many orders all those sets have."""
    return sum(perm(len(pool), size) for size in range(1, UP_TO + 1))


def outcome(order: Sequence[Event], by: Rules) -> tuple[Any, ...]:
    """What one batch of these records makes of nothing, places in the log apart."""
    changes = Changes()
    assert fold_batch({}, {INQUIRY: as_log(order)}, by, changes) == []
    (row,) = changes.new_rows
    entries = {(entry.event, entry.step) for entry in changes.new_entries}
    assert len(entries) == len(changes.new_entries)
    return row.inquiry, entries, len(changes.quarantined), changes.tallies


def test_no_order_of_any_four_events_matters() -> None:
    by, done = rules_of(SAYING), 0
    for chosen in sets(EVENTS):
        first = outcome(chosen, by)
        for order in permutations(chosen):
            assert outcome(order, by) == first
            done += 1
    assert done == orders(EVENTS) == 78_660


def test_any_four_events_fold_to_what_the_design_says() -> None:
    by, done = rules_of(SAYING), 0
    for chosen in sets(EVENTS):
        inquiry, entries, _, _ = outcome(chosen, by)
        expected = order_free(expect_contents(as_log(chosen), SAYING))
        columns = {name: value for name, value in inquiry._asdict().items() if name != "last_rank"}
        assert columns == expected["inquiries"][INQUIRY]
        assert {(event, Judgement(*step)) for event, step in entries} == set(expected["history"][INQUIRY])
        done += 1
    assert done == 4_047


def test_no_order_of_any_four_copies_and_contradictions_matters() -> None:
    by, done = rules_of(SAYING), 0
    for chosen in sets(COPIES):
        expected = order_free(expect_contents(as_log(chosen), SAYING))
        for order in permutations(chosen):
            assert order_free(fold_log(as_log(order), by, sizes=[1] * UP_TO).contents()) == expected
            done += 1
    assert done == orders(COPIES) == 13_344
