"""What a member claims to have when it joins a consumer group."""

from __future__ import annotations

from kafka import TopicPartition
from kafka.protocol.consumer.metadata import ConsumerProtocolAssignment

from adapters.kafka_log.group import StickyAssignor

GIVEN = [("events", [0, 1, 2])]


def claims(assignor: StickyAssignor) -> dict[str, list[int]]:
    return {owned.topic: owned.partitions for owned in assignor.metadata({"events"}).owned_partitions}


def given(partitions: list[tuple[str, list[int]]]) -> StickyAssignor:
    """An assignor whose member was given these."""
    assignor = StickyAssignor()  # type: ignore[no-untyped-call]
    assignor.on_assignment(ConsumerProtocolAssignment(1, partitions, b""), 7)  # type: ignore[no-untyped-call]
    return assignor


def test_a_member_claims_what_it_has() -> None:
    assignor = given(GIVEN)
    assignor.assignment = lambda: {TopicPartition("events", 2), TopicPartition("events", 0)}
    assert claims(assignor) == {"events": [0, 2]}


def test_a_member_that_lost_all_claims_nothing_of_what_it_was_given() -> None:
    assignor = given(GIVEN)
    assignor.assignment = frozenset
    assert claims(assignor) == {}
