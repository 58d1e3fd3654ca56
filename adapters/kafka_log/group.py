"""Membership in a consumer group, with what kafka-python 3.0.12 needs to be told to do it right."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from kafka import ConsumerRebalanceListener, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.structs import MemberState

_JOIN_MS = 3_000


class Move(NamedTuple):
    """What the group gave (`is_gain`) or took."""

    is_gain: bool
    partitions: list[int]


class Rebalances(ConsumerRebalanceListener):
    """Notes what the group gives and takes. kafka-python tells it in the thread of its heartbeats, which must not wait
    for a database. Until the feed has told its caller, a new partition is paused, and has a position of its own: it is
    neither fetched, nor is its position looked up in the group."""

    def __init__(self, consumer: Any, moves: deque[Move]) -> None:
        self._consumer = consumer
        self._moves = moves

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        for partition in assigned:
            self._consumer.pause(partition)
            self._consumer.seek(partition, 0)
        self._moves.append(Move(True, sorted(partition.partition for partition in assigned)))

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        self._moves.append(Move(False, sorted(partition.partition for partition in revoked)))


class StickyAssignor(CooperativeStickyAssignor):
    """Claims, when it joins, what the member has (KIP-429). kafka-python's own claims what it was given last, also
    after the group has dropped it: the leader then waits for ever for it to hand over what it does not have."""

    assignment: Callable[[], Collection[TopicPartition]] = frozenset

    def metadata(self, topics: Collection[str]) -> Any:
        self.member_assignment = sorted(self.assignment())
        return super().metadata(topics)  # type: ignore[no-untyped-call]


def join_in_time(consumer: Any) -> None:
    """Join where the group is about to share out its partitions, with time enough.

    kafka-python loses a join that a `poll` with a short time-out has begun: it then waits for no answer, sends no
    heartbeats, and never reads again. Until it has joined there is nothing to read anyway.
    """
    coordinator = consumer._coordinator
    if coordinator.state is MemberState.REBALANCING:
        coordinator.request_rejoin()
    if coordinator.need_rejoin():
        coordinator.poll(timeout_ms=_JOIN_MS)
