"""One event: its canonical order, the copies of its identity, and the texts that can be kept."""

from __future__ import annotations

from functools import reduce
from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.event import (
    MAX_TEXT_BYTES,
    Event,
    content,
    is_folded,
    is_text,
    merge,
    order_key,
    smaller,
)
from tests.builders import event
from tests.model import RANK
from tests.strategies import LAW, dressed, histories


def test_the_fold_takes_nine_names_and_no_other() -> None:
    others = ["inquiry.transitioned", "inquiry.updated-tags", "inquiry.reusable-persona-used", "inquiry.resumed"]
    assert all(is_folded(name) for name in RANK)
    assert not any(is_folded(name) for name in [*others, "verification.passed", "inquiry.Approved", "approved", ""])


def test_events_are_ordered_by_time_first() -> None:
    early = event("redacted", 1, event_id="evt_z")
    late = event("created", 2, event_id="evt_a")
    assert order_key(early) < order_key(late)


def test_events_of_one_millisecond_are_ordered_by_the_rank_of_their_names() -> None:
    one_time = [event(name.removeprefix("inquiry."), 1, event_id=f"evt_{9 - rank}") for name, rank in RANK.items()]
    assert [e.name for e in sorted(one_time, key=order_key)] == sorted(RANK, key=RANK.__getitem__)


def test_events_of_one_millisecond_and_name_are_ordered_by_id_by_code_point() -> None:
    ids = ["evt_", "evt_10", "evt_9", "evt_A", "evt_a", "evt_é", "evt_\ue000", "evt_\uffff", "evt_\U00010000", "evt_😀"]
    events = [event("approved", 1, event_id=one) for one in ids[::-1]]
    assert [e.event_id for e in sorted(events, key=order_key)] == ids
    assert sorted(ids, key=lambda text: text.encode("utf-16-be")) != ids, "UTF-16 would order otherwise"
    assert sorted(ids, key=str.encode) == ids, "as COLLATE C does"


@LAW
@given(histories())
def test_the_canonical_order_is_total_over_distinct_identities(events: list[Event]) -> None:
    keys = [order_key(one) for one in events]
    assert len(set(keys)) == len(keys)
    for one, other in product(keys, keys):
        assert (one < other) + (one == other) + (one > other) == 1


@pytest.mark.parametrize("field", ["source", "reference_id", "account_id", "template_id", "payload_status"])
def test_optional_fields_have_no_part_in_order_and_content(field: str) -> None:
    bare = event("approved", 1)
    other = event("approved", 1, **{field: "x"})
    assert order_key(other) == order_key(bare)
    assert content(other) == content(bare)


def test_content_is_the_time_then_the_name() -> None:
    assert content(event("started", 1)) < content(event("approved", 2))
    assert content(event("approved", 1)) < content(event("created", 1)), "the name as text, not its rank"


@pytest.mark.parametrize("field", ["source", "reference_id", "account_id", "template_id", "payload_status"])
def test_a_copy_fills_in_what_the_first_lacked_and_of_two_values_the_smaller_stays(field: str) -> None:
    bare = event("approved", 1)
    small, great = (event("approved", 1, **{field: value}) for value in ("\uffff", "\U00010000"))
    assert merge(bare, small) == merge(small, bare) == small
    assert merge(small, great) == merge(great, small) == small
    assert merge(bare, bare) == bare


def test_merging_what_is_known_already_gives_the_same_object() -> None:
    known = event("approved", 1, source="eu", reference_id="user-1")
    assert merge(known, event("approved", 1, source="eu")) is known


@LAW
@given(st.lists(dressed(event("approved", 1)), min_size=1, max_size=4))
def test_merging_knows_no_order_and_no_number(copies: list[Event]) -> None:
    once = reduce(merge, copies)
    for order in permutations(copies):
        assert reduce(merge, order) == once
        assert reduce(merge, [*order, *order]) == once
    for cut in range(1, len(copies)):
        assert merge(reduce(merge, copies[:cut]), reduce(merge, copies[cut:])) == once


def test_the_smaller_of_nothing_and_something_is_something() -> None:
    assert smaller(None, None) is None
    assert smaller("b", None) == smaller(None, "b") == "b"
    assert smaller("b", "a") == smaller("a", "b") == "a"


@pytest.mark.parametrize(
    "value",
    [
        "a",
        " ",
        "inq_1",
        "a" * MAX_TEXT_BYTES,
        "é" * 256,
        "😀" * 128,
        "\x01",
        "\x7f",
        "\ufeff",
        "\U0010ffff",
        "a\nb",
        "0",
    ],
)
def test_a_text_that_fits_can_be_kept(value: str) -> None:
    assert is_text(value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "\0",
        "a\0",
        "\0a",
        "a" * 513,
        "é" * 257,
        "é" * 256 + "a",
        "😀" * 128 + "a",
        "\ud800",
        "a\udfff",
        "\ud83d\ude00",
    ],
)
def test_a_text_that_is_empty_too_long_or_no_unicode_text_cannot(value: str) -> None:
    assert not is_text(value)


@pytest.mark.parametrize("value", [None, 1, 1.5, True, b"a", ["a"], {"a": 1}])
def test_what_is_no_text_cannot_be_kept(value: object) -> None:
    assert not is_text(value)


def test_the_longest_text_has_512_bytes() -> None:
    assert MAX_TEXT_BYTES == 512
