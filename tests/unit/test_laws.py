"""The law everything rests on (design section 2): order, number and batching of deliveries do not matter.

Each random log is also held against the naive model, so that "always the same" cannot mean "always the same mistake".
"""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from domain.event import Event, Sighting
from tests.builders import as_log, rules
from tests.model import Saying
from tests.small_ledger import Contents, expect_contents, fold_log, order_free
from tests.strategies import LAW, batches, deliveries, rules_of, sayings


@LAW
@given(deliveries(), sayings)
def test_a_log_folds_to_what_the_design_says(events: list[Event], saying: Saying) -> None:
    log = as_log(events)
    assert fold_log(log, rules_of(saying)).contents() == expect_contents(log, saying)


@LAW
@given(deliveries(), sayings, st.data())
def test_no_order_of_the_deliveries_matters(events: list[Event], saying: Saying, data: st.DataObject) -> None:
    by = rules_of(saying)
    turned = data.draw(st.permutations(events))
    one, other = (fold_log(as_log(order), by).contents() for order in (events, turned))
    assert order_free(one) == order_free(other)


@LAW
@given(deliveries(), sayings, st.data())
def test_no_number_of_the_deliveries_matters(events: list[Event], saying: Saying, data: st.DataObject) -> None:
    by = rules_of(saying)
    again = data.draw(st.lists(st.sampled_from(events), min_size=1, max_size=4))
    where = data.draw(st.integers(0, len(events)))
    once = fold_log(as_log(events), by).contents()
    often = fold_log(as_log([*events[:where], *again, *events[where:]]), by).contents()
    for part in ("inquiries", "history"):
        assert order_free(often)[part] == order_free(once)[part]
    assert _additional(once, often) == len(again)


def _additional(once: Contents, often: Contents) -> int:
    """How many more duplicates and quarantined records there are; no other count may differ."""
    kinds = ("applied", "repeated", "refused", "duplicate", "quarantined")
    sums = [
        {kind: sum(c.get(kind, 0) for c in contents["counts"].values()) for kind in kinds} for contents in (once, often)
    ]
    more = {kind: sums[1][kind] - sums[0][kind] for kind in kinds}
    assert more["applied"] == more["repeated"] == more["refused"] == 0
    return int(more["duplicate"] + more["quarantined"])


@LAW
@given(deliveries(), sayings, batches, batches)
def test_one_log_gives_the_same_rows_however_it_is_cut(
    events: list[Event], saying: Saying, some: list[int], others: list[int]
) -> None:
    log, by = as_log(events), rules_of(saying)
    ones = [1] * len(log)
    contents = [fold_log(log, by, sizes=sizes).contents() for sizes in (some, others, ones, [])]
    assert contents[0] == contents[1] == contents[2] == contents[3]


@LAW
@given(deliveries(), sayings, batches)
def test_what_was_asked_for_is_as_good_as_the_whole_history(
    events: list[Event], saying: Saying, sizes: list[int]
) -> None:
    log, by = as_log(events), rules_of(saying)
    asked = fold_log(log, by, sizes=sizes).contents()
    assert asked == fold_log(log, by, sizes=sizes, whole=True).contents()
    assert asked == expect_contents(log, saying)


@LAW
@given(deliveries(), sayings, batches)
def test_each_record_is_in_the_books_once(events: list[Event], saying: Saying, sizes: list[int]) -> None:
    ledger = fold_log(log := as_log(events), rules_of(saying), sizes=sizes)
    for partition in {sighting.placement.partition for sighting in log}:
        records = [sighting for sighting in log if sighting.placement.partition == partition]
        assert ledger.tallies[partition].total() == len(records)
        assert min(ledger.tallies[partition].values()) >= 0


@LAW
@given(deliveries(), batches, st.data())
def test_each_partition_has_its_own_books_even_where_an_inquiry_lies_in_two(
    events: list[Event], sizes: list[int], data: st.DataObject
) -> None:
    spread = data.draw(st.lists(st.booleans(), min_size=len(events), max_size=len(events)))
    log = [
        Sighting(event, placement._replace(partition=7 if apart else placement.partition, offset=100 + number))
        for number, ((event, placement), apart) in enumerate(zip(as_log(events), spread, strict=True))
    ]
    ledger = fold_log(log, rules(), sizes=sizes)
    assert (
        order_free(ledger.contents())["inquiries"]
        == order_free(fold_log(as_log(events), rules()).contents())["inquiries"]
    )
    records = Counter(sighting.placement.partition for sighting in log)
    assert {partition: tally.total() for partition, tally in ledger.tallies.items()} == records


@LAW
@given(deliveries(), sayings)
def test_revisions_are_numbered_from_1_without_a_gap_and_the_row_has_the_last(
    events: list[Event], saying: Saying
) -> None:
    ledger = fold_log(as_log(events), rules_of(saying))
    for key, row in ledger.rows.items():
        revisions = [revision for revision in ledger.revisions if revision.inquiry_id == key]
        assert [revision.revision for revision in revisions] == list(range(1, row.revision + 1))
        assert revisions[-1].placement == row.placement
        assert (revisions[-1].status, revisions[-1].decided_at) == (row.inquiry.status, row.inquiry.decided_at)


@LAW
@given(deliveries(), sayings, st.integers(0, 9))
def test_a_crash_between_two_batches_changes_nothing(events: list[Event], saying: Saying, cut: int) -> None:
    log, by = as_log(events), rules_of(saying)
    ledger = fold_log(log[:cut], by)
    before = ledger.contents()
    lost = ledger.fold(log[cut:])
    assert ledger.contents() == before
    assert ledger.fold(log[cut:]) == lost
    ledger.take(log[cut:])
    assert ledger.contents() == fold_log(log, by).contents()
