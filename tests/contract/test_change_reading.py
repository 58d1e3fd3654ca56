"""What every reader of changes answers: pages by a cursor of offsets, by partition, none starved, none passed over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from domain.event import Sighting, from_millis
from domain.reading import ViewRow
from tests.readers import Readable, happened, record

MakeReadable = Callable[[], Readable]

#: What moves an inquiry each time, for ever.
ROUND = ("approved", "declined")


@pytest.fixture
def reader(readable: MakeReadable) -> Readable:
    """Nothing read yet; partition 1 begins at offset 7."""
    made = readable()
    made.open((0, 0), (1, 7), (2, 0))
    return made


def moves(count: int, partition: int = 0, start: int = 0) -> list[Sighting]:
    """Records of one inquiry of this partition, each of which makes a revision."""
    return [
        record(happened(ROUND[offset % 2], f"inq_{partition}", 1 + offset), offset, partition)
        for offset in range(start, start + count)
    ]


def places(rows: Any) -> list[tuple[int, int]]:
    return [(row["partition"], row["offset"]) for row in rows]


def read_all(reader: Readable, offsets: Mapping[int, int], limit: int) -> tuple[list[ViewRow], Mapping[int, int]]:
    """Page by page, until one is empty."""
    rows: list[ViewRow] = []
    while (page := reader.page(offsets, limit)).rows:
        assert len(page.rows) <= limit
        assert places(page.rows) == sorted(places(page.rows))
        rows += page.rows
        offsets = page.offsets
    return rows, page.offsets


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 9, 10, 50])
def test_pages_of_any_size_hold_every_revision_once_in_order_of_each_partition(reader: Readable, limit: int) -> None:
    reader.write([*moves(5), *moves(3, 1, start=7), *moves(1, 2)], ends={2: 4})
    rows, offsets = read_all(reader, {}, limit)
    by_place = sorted(reader.views.read("decision_revision"), key=lambda row: (row["partition"], row["offset"]))
    assert sorted(rows, key=lambda row: (row["partition"], row["offset"])) == by_place
    for partition in (0, 1, 2):
        read = [place for place in places(rows) if place[0] == partition]
        assert read == sorted(read)
    assert offsets == {0: 5, 1: 10, 2: 4}


def test_a_partition_read_to_its_end_goes_on_at_its_position_and_a_cut_one_after_its_last_row(reader: Readable) -> None:
    reader.write([*moves(3), *moves(1, 1, start=7)], ends={1: 11, 2: 6})
    page = reader.page({}, 3)
    assert places(page.rows) == [(0, 0), (0, 1), (1, 7)]
    assert page.offsets == {0: 2, 1: 11, 2: 6}


def test_a_page_that_just_ends_with_the_last_row_is_at_the_end(reader: Readable) -> None:
    reader.write(moves(2), ends={0: 5})
    assert reader.page({}, 2).offsets[0] == 5


def test_records_that_change_nothing_move_the_cursor_too(reader: Readable) -> None:
    same = happened("approved", "inq_0", 1)
    reader.write([record(same, 0), record(same, 1), record(same, 2)])
    page = reader.page({}, 50)
    assert (places(page.rows), page.offsets[0]) == ([(0, 0)], 3)
    assert reader.page(page.offsets, 50) == ([], page.offsets)


def test_a_busy_partition_starves_no_other_even_where_there_are_more_of_them_than_rows_asked_for(
    reader: Readable,
) -> None:
    reader.write([*moves(1, 2), *moves(4)])
    offsets: Mapping[int, int] = {}
    seen = set()
    for round_ in range(4):
        page = reader.page(offsets, 1)
        offsets = page.offsets
        seen |= {row["partition"] for row in page.rows}
        reader.write(moves(1, 0, start=4 + round_))
    assert seen == {0, 2}


def test_a_partition_that_fell_behind_leaves_room_for_the_others(reader: Readable) -> None:
    reader.write([*moves(20), *moves(2, 1, start=7)])
    assert places(reader.page({}, 4).rows) == [(0, 0), (0, 1), (1, 7), (1, 8)]


def test_where_none_was_chosen_of_a_partition_its_cursor_stays(reader: Readable) -> None:
    reader.write([*moves(2), *moves(1, 2)])
    page = reader.page({2: 0}, 1)
    assert places(page.rows) == [(0, 0)]
    assert page.offsets == {0: 1, 1: 7, 2: 0}


def test_a_partition_that_the_cursor_does_not_know_is_read_from_its_first_offset(reader: Readable) -> None:
    reader.write(moves(2))
    offsets = reader.page({}, 50).offsets
    del offsets[1]  # type: ignore[attr-defined]
    reader.write(moves(2, 1, start=7))
    page = reader.page(offsets, 50)
    assert (places(page.rows), page.offsets) == ([(1, 7), (1, 8)], {0: 2, 1: 9, 2: 0})


def test_a_cursor_before_the_first_offset_is_read_from_there(reader: Readable) -> None:
    reader.write(moves(1, 1, start=7))
    assert places(reader.page({1: 0}, 50).rows) == [(1, 7)]


def test_a_cursor_ahead_of_the_position_stays_until_the_ledger_has_caught_up(readable: MakeReadable) -> None:
    reader = readable()  # emptied, and its first records read again
    reader.open((0, 0))
    reader.write(moves(2))
    ahead = {0: 4, 1: 9}
    assert reader.page(ahead, 50) == ([], ahead)
    reader.write(moves(4, 0, start=2))
    assert places(reader.page(ahead, 50).rows) == [(0, 4), (0, 5)]


def test_an_inquiry_that_lies_in_two_partitions_has_its_revisions_in_both(reader: Readable) -> None:
    reader.write([record(happened("created", "inq_0", 1), 0, 0)])
    reader.write([record(happened("completed", "inq_0", 2), 7, 1)])
    reader.write([record(happened("approved", "inq_0", 3), 1, 0)])
    page = reader.page({}, 50)
    assert places(page.rows) == [(0, 0), (0, 1), (1, 7)]
    assert [row["revision"] for row in page.rows] == [1, 3, 2]
    assert places(reader.page({0: 2, 1: 7}, 50).rows) == [(1, 7)]


def test_the_rows_are_those_of_the_view(reader: Readable) -> None:
    reader.write(moves(3))
    assert reader.page({}, 50).rows == reader.views.read("decision_revision")
    assert reader.page({}, 50).rows[0]["known_at"] == from_millis(1_800_000_000_000)
