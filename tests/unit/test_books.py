"""The books' words, and which positions a log lets one read on from."""

from __future__ import annotations

import re

import pytest

from domain.books import Count, LogState, Position, check_position, open_position
from domain.errors import PositionError, Refusal

LOG = LogState("cluster-1", "topic-1", {0: (10, 20), 3: (0, 0)})


def position(next_offset: int, partition: int = 0, cluster: str = "cluster-1", topic: str = "topic-1") -> Position:
    return Position(partition, cluster, topic, 10, next_offset)


def test_an_offset_is_one_of_seven_things() -> None:
    assert [*Count] == ["applied", "repeated", "refused", "ignored", "duplicate", "quarantined", "gaps"]


@pytest.mark.parametrize(("partition", "first"), [(0, 10), (3, 0)])
def test_a_partition_never_read_is_opened_at_its_first_offset(partition: int, first: int) -> None:
    assert open_position(LOG, partition) == Position(partition, "cluster-1", "topic-1", first, first)


@pytest.mark.parametrize("next_offset", [10, 11, 19, 20])
def test_a_position_within_the_log_may_be_read_on_from_an_older_one_too(next_offset: int) -> None:
    check_position(position(next_offset), LOG)


def test_an_empty_partition_may_be_read_on_from_its_only_offset() -> None:
    check_position(position(0, partition=3), LOG)
    with pytest.raises(PositionError):
        check_position(position(1, partition=3), LOG)


@pytest.mark.parametrize("next_offset", [0, 9, 21, 1000])
def test_a_position_below_the_first_offset_or_above_the_end_is_refused(next_offset: int) -> None:
    with pytest.raises(PositionError, match=rf"^partition 0: .*offset {next_offset}\b.* 10 to 20"):
        check_position(position(next_offset), LOG)


@pytest.mark.parametrize(
    ("cluster_id", "topic_id"), [("cluster-2", "topic-1"), ("cluster-1", "topic-2"), ("topic-1", "cluster-1")]
)
def test_a_position_of_another_log_is_refused_even_where_its_offset_would_fit(cluster_id: str, topic_id: str) -> None:
    with pytest.raises(PositionError) as caught:
        check_position(position(15, cluster=cluster_id, topic=topic_id), LOG)
    for name in ("partition 0", cluster_id, topic_id, "cluster-1", "topic-1"):
        assert name in str(caught.value)


@pytest.mark.parametrize("wrong", [position(9), position(21), position(15, topic="topic-2")])
def test_a_refused_position_is_a_refusal_that_says_how_to_go_on(wrong: Position) -> None:
    with pytest.raises(Refusal) as caught:
        check_position(wrong, LOG)
    assert re.search(r"`reset`", str(caught.value))
