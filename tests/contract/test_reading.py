"""What every reader answers: `domain.reading.DecisionReader`, and what the page asks besides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product, starmap
from typing import Any

import pytest

from consumers.batch import Batch, write_batch
from domain.books import Position, Quarantined
from domain.errors import QuarantineReason
from domain.event import Event, from_millis
from domain.reading import OPEN_DECISIONS, Wanted
from tests.ledgers import RULES
from tests.readers import Readable, folded, happened, record

MakeReadable = Callable[[], Readable]
Row = dict[str, Any]

#: An id beyond the BMP: by code point it comes after all others, in UTF-16 it would not.
LAST_ID = "inq_\U00010000"

EVENTS = [
    happened("created", "inq_1", 10, reference_id="user-1", template_id="itmpl_a"),
    happened("created", "inq_2", 4, reference_id="user-1", template_id="tmpl_b"),
    happened("completed", "inq_2", 5),
    happened("marked-for-review", "inq_3", 3, template_id="itmpl_a"),
    happened("approved", "inq_4", 2, reference_id="user-2", template_id="itmpl_a"),
    happened("completed", "inq_4", 3),
    happened("redacted", "inq_5", 1),
    happened("created", LAST_ID, 10, reference_id="user-3"),
    happened("declined", "inq_\uffff", 7, template_id="tmpl_b"),
    happened("completed", "inq_\uffff", 9),
]

IDS = ["inq_1", "inq_2", "inq_3", "inq_4", "inq_5", "inq_\uffff", LAST_ID]


@pytest.fixture
def reader(readable: MakeReadable) -> Readable:
    made = readable()
    made.open((0, 0))
    made.write([record(event, offset) for offset, event in enumerate(EVENTS)])
    return made


def ids(rows: Sequence[Row]) -> list[str]:
    return [row["inquiry_id"] for row in rows]


def all_rows(reader: Readable) -> list[Row]:
    return reader.views.read("current_decision")


@pytest.mark.parametrize("inquiry_id", ["inq_0", "", "inq_\0", "inq_\ud800", "'; DROP SCHEMA ledger; --"])
def test_of_an_unknown_inquiry_there_is_nothing(reader: Readable, inquiry_id: str) -> None:
    ask, query = reader.ask, reader.query
    assert ask(query.decision(inquiry_id)) is None
    for nothing in (query.history(inquiry_id), query.revisions(inquiry_id), query.records(inquiry_id)):
        assert ask(nothing) == []


def test_an_inquiry_is_answered_with_its_rows_of_each_view(reader: Readable) -> None:
    ask, query = reader.ask, reader.query
    for view, answer in (
        ("current_decision", [ask(query.decision("inq_4"))]),
        ("inquiry_history", ask(query.history("inq_4"))),
        ("decision_revision", ask(query.revisions("inq_4"))),
    ):
        assert answer == [row for row in reader.views.read(view) if row["inquiry_id"] == "inq_4"]


def test_several_inquiries_are_answered_at_once_without_those_that_are_unknown(reader: Readable) -> None:
    wanted = [LAST_ID, "inq_0", "inq_\0", "inq_2", "inq_2"]
    rows = reader.ask(reader.query.decisions(wanted))
    assert rows == [row for row in all_rows(reader) if row["inquiry_id"] in wanted]
    assert ids(rows) == ["inq_2", LAST_ID]


def test_times_are_utc(reader: Readable) -> None:
    decision = reader.ask(reader.query.decision("inq_4"))
    assert decision["decided_at"] == from_millis(2000)
    assert decision["decided_at"].utcoffset() == from_millis(0).utcoffset()


def test_the_records_of_an_inquiry_fold_to_its_row(reader: Readable) -> None:
    for row in all_rows(reader):
        records = reader.ask(reader.query.records(row["inquiry_id"]))
        assert folded(row["inquiry_id"], records, RULES) == row


def test_records_are_every_copy_as_it_was_read(readable: MakeReadable) -> None:
    reader = readable()
    said = [
        happened("created", second=1, source="eu"),
        happened("approved", second=2),
        happened("created", second=1, account_id="act_1"),
        happened("approved", second=2, occurred_at=from_millis(1999)),  # the winner of a conflict
    ]
    log = [record(event, offset) for offset, event in enumerate(said)]
    reader.open((0, 0))
    reader.write(log)
    assert reader.ask(reader.query.records("inq_1")) == log


FILTERS = [
    Wanted(reference_id="user-\0"),
    Wanted(status="nonsense"),
    Wanted(decision="nonsense"),
    *starmap(
        Wanted,
        product(
            (None, "user-1"),
            (None, "created", "completed"),
            (None, "undecided", "approved"),
            (None, "itmpl_a"),
            (None, *(from_millis(1000 * second) for second in (3, 4, 10))),
        ),
    ),
]


def is_wanted(row: Row, wanted: Wanted) -> bool:
    named = ("reference_id", "status", "decision", "template_id")
    if any(getattr(wanted, name) not in (None, row[name]) for name in named):
        return False
    if wanted.unmoved_since is None:
        return True
    moved = row["status_since"]
    return row["decision"] in OPEN_DECISIONS and moved is not None and moved <= wanted.unmoved_since


def test_all_that_is_said_of_a_wanted_inquiry_holds(reader: Readable) -> None:
    rows = all_rows(reader)
    for wanted in FILTERS:
        expected = [row for row in rows if is_wanted(row, wanted)]
        assert reader.ask(reader.query.find(wanted, None, 50)) == expected
        longest = sorted(expected, key=lambda row: (row["status_since"] or row["last_event_at"], row["inquiry_id"]))
        assert reader.ask(reader.query.find_longest(wanted, 50)) == longest


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
def test_pages_show_each_inquiry_once_by_code_point_of_its_id(reader: Readable, limit: int) -> None:
    found: list[str] = []
    while page := ids(reader.ask(reader.query.find(Wanted(), found[-1] if found else None, limit))):
        assert len(page) <= limit
        found += page
    assert found == IDS


def test_whoever_moves_meanwhile_is_neither_missed_nor_seen_twice(reader: Readable) -> None:
    first = ids(reader.ask(reader.query.find(Wanted(), None, 3)))
    moved = happened("approved", "inq_1", 99), happened("approved", LAST_ID, 99), happened("created", "inq_0", 99)
    reader.write([record(event, offset) for offset, event in enumerate(moved, len(EVENTS))])
    rest = reader.ask(reader.query.find(Wanted(), first[-1], 50))
    assert [*first, *ids(rest)] == IDS
    assert rest[-1]["status"] == "approved"


def test_those_first_that_are_in_their_status_the_longest_and_no_more_than_asked(reader: Readable) -> None:
    assert ids(reader.ask(reader.query.find_longest(Wanted(), 50))) == [
        "inq_5", "inq_4", "inq_3", "inq_2", "inq_\uffff", "inq_1", LAST_ID,
    ]  # fmt: skip
    assert ids(reader.ask(reader.query.find_longest(Wanted(status="created"), 1))) == ["inq_1"]


def test_stuck_is_only_who_still_waits_for_a_decision(reader: Readable) -> None:
    stuck = Wanted(unmoved_since=from_millis(1_000_000))
    assert ids(reader.ask(reader.query.find_longest(stuck, 50))) == ["inq_3", "inq_2", "inq_1", LAST_ID]


def test_counts_are_by_status_and_decision(reader: Readable) -> None:
    rows = reader.ask(reader.query.counts())
    assert [(row["status"], row["decision"], row["inquiries"]) for row in rows] == [
        ("approved", "approved", 1), ("completed", "undecided", 1), ("created", "undecided", 2),
        ("declined", "declined", 1), ("needs_review", "needs_review", 1), (None, "undecided", 1),
    ]  # fmt: skip


def test_what_was_refused_is_shown_the_newest_first(reader: Readable) -> None:
    refused = reader.ask(reader.query.refused())
    assert [(row["inquiry_id"], row["position"]) for row in refused] == [("inq_\uffff", 2), ("inq_4", 2)]
    assert refused[0] in reader.views.read("inquiry_history")
    assert reader.ask(reader.query.refused(1)) == refused[:1]


def test_quarantine_is_shown_by_reason_and_limit(reader: Readable) -> None:
    reasons = (QuarantineReason.NOT_JSON, QuarantineReason.BAD_TIME, QuarantineReason.NOT_JSON)
    placements = [record(Event("", "", "", from_millis(0)), offset).placement for offset in (10, 11, 12)]
    lost = [Quarantined(place, reason, "no value") for place, reason in zip(placements, reasons, strict=True)]
    write_batch(reader.views.ledger, Batch(moves={0: (10, 13)}, quarantined=lost), RULES)
    ask, query = reader.ask, reader.query
    assert ask(query.quarantine()) == reader.views.read("quarantine")
    assert [row["offset"] for row in ask(query.quarantine("not_json"))] == [10, 12]
    assert [row["offset"] for row in ask(query.quarantine("not_json", 1))] == [10]
    assert ask(query.quarantine("too_large")) == []


def test_books_and_positions_are_by_partition(reader: Readable) -> None:
    reader.views.ledger.open([Position(3, "cluster", "topic", 5, 5), Position(1, "cluster", "topic", 2, 2)])
    assert reader.ask(reader.query.books()) == reader.views.read("books")
    assert reader.ask(reader.query.positions()) == [
        Position(0, "cluster", "topic", 0, 10), Position(1, "cluster", "topic", 2, 2),
        Position(3, "cluster", "topic", 5, 5),
    ]  # fmt: skip


def test_an_empty_ledger_answers_with_nothing(readable: MakeReadable) -> None:
    ask, query = (reader := readable()).ask, reader.query
    for question in (
        query.find(Wanted(), None, 50), query.find_longest(Wanted(), 50), query.positions(), query.books(),
        query.quarantine(), query.counts(), query.refused(),
    ):  # fmt: skip
        assert ask(question) == []
    assert ask(query.changes({}, 50)) == ([], {})
