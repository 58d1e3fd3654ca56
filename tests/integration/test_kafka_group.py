"""Several members of one group on a real broker: who reads what, and what each is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

import pytest
from kafka import KafkaAdminClient
from kafka.admin import MemberToRemove

from adapters.embedded.kafka import EmbeddedKafka
from adapters.kafka_log import feed as feed_module
from tests.feeds import Member, appending, joined, wait_for

ALL = set(range(6))


@pytest.fixture(autouse=True)
def _often_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """A member hears with a heartbeat that partitions move: ten times as soon as in production."""
    monkeypatch.setattr(feed_module, "HEARTBEAT_INTERVAL_MS", 300)


def take_turns(members: Sequence[Member], condition: Callable[[], bool]) -> None:
    """Poll all of them until it holds: each needs the others to answer when partitions move."""

    def drive(member: Member) -> None:
        while not done.is_set():
            member.poll(0.05)

    done = threading.Event()
    threads = [threading.Thread(target=drive, args=(member,)) for member in members]
    for thread in threads:
        thread.start()
    try:
        wait_for(condition)
    finally:
        done.set()
        for thread in threads:
            thread.join()


def test_a_member_alone_reads_every_partition(kafka: EmbeddedKafka, topic: str) -> None:
    with joined(kafka.bootstrap, topic) as member:
        member.poll_until(lambda: member.owned == ALL)
    assert member.told == [("assigned", sorted(ALL)), ("revoked", sorted(ALL))]


def test_a_member_that_never_waits_joins_all_the_same(kafka: EmbeddedKafka, make_topic: Callable[[int], str]) -> None:
    """kafka-python loses a join that a short poll began, and would then never read."""
    for _ in range(10):
        with joined(kafka.bootstrap, make_topic(2)) as member:
            deadline = time.monotonic() + 20
            while member.owned != {0, 1}:
                member.poll(0)
                assert time.monotonic() < deadline


def test_two_members_share_the_partitions_and_only_what_moves_is_revoked(kafka: EmbeddedKafka, topic: str) -> None:
    with joined(kafka.bootstrap, topic) as first, joined(kafka.bootstrap, topic) as second:
        first.poll_until(lambda: first.owned == ALL)
        take_turns([first, second], lambda: len(first.owned) == len(second.owned) == 3)
        assert first.owned | second.owned == ALL
        (revoked,) = [partitions for what, partitions in first.told if what == "revoked"]
        assert set(revoked) == second.owned
        assert [what for what, _ in first.told] == ["assigned", "revoked"]


def test_what_one_leaves_the_other_reads_on_from_its_position(kafka: EmbeddedKafka, topic: str) -> None:
    with appending(kafka.bootstrap, topic) as appender, joined(kafka.bootstrap, topic) as second:
        with joined(kafka.bootstrap, topic) as first:
            take_turns([first, second], lambda: len(first.owned) == len(second.owned) == 3)
            for number in range(60):
                appender.append(b"inq_%d" % number, b"%02d" % number, []).result(10)
            take_turns([first, second], lambda: len(first.records) + len(second.records) == 60)
            second.positions |= {p: offset for p, offset in first.positions.items() if p not in second.positions}
        second.poll_until(lambda: second.owned == ALL, within_s=5)  # told, not found out by a time-out
        for number in range(60, 120):
            appender.append(b"inq_%d" % number, b"%02d" % number, []).result(10)
        second.poll_until(lambda: len(first.records) + len(second.records) == 120)
    assert sorted(int(record.value or b"") for record in first.records + second.records) == list(range(120))


def test_a_member_that_the_group_dropped_loses_its_partitions_and_joins_again(kafka: EmbeddedKafka, topic: str) -> None:
    with (
        joined(kafka.bootstrap, topic, "drops") as member,
        KafkaAdminClient(bootstrap_servers=kafka.bootstrap) as admin,
    ):
        member.poll_until(lambda: member.owned == ALL)
        remove_all(admin, "drops")
        member.poll_until(lambda: len(member.told) == 3)
        assert [what for what, _ in member.told] == ["assigned", "revoked", "assigned"]
        assert member.owned == ALL


@pytest.mark.parametrize("others", [1, 2])
def test_whom_the_group_dropped_claims_nothing_of_what_others_have_by_then(
    kafka: EmbeddedKafka, topic: str, others: int
) -> None:
    """Or the leader would wait for ever for it to hand over what it does not have."""
    group = f"{topic}-group"
    with (
        KafkaAdminClient(bootstrap_servers=kafka.bootstrap) as admin,
        joined(kafka.bootstrap, topic, group) as dropped,
        ExitStack() as stack,
    ):
        members = [dropped]
        members += [stack.enter_context(joined(kafka.bootstrap, topic, group)) for _ in range(others)]
        dropped.poll_until(lambda: dropped.owned == ALL)
        remove_all(admin, group)
        take_turns(members[1:], lambda: sum(len(member.owned) for member in members[1:]) == 6)
        take_turns(
            members, lambda: sorted(len(member.owned) for member in members) == [6 // len(members)] * len(members)
        )
        assert set().union(*(member.owned for member in members)) == ALL


def remove_all(admin: KafkaAdminClient, group: str) -> None:
    found = admin.describe_groups([group])[group]["members"]
    admin.remove_group_members(group, [MemberToRemove(member_id=one["member_id"]) for one in found])


def test_a_member_that_does_not_poll_in_time_loses_its_partitions(
    kafka: EmbeddedKafka, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "_POLL_INTERVAL_MS", 2_000)
    with joined(kafka.bootstrap, topic) as slow, joined(kafka.bootstrap, topic) as other:
        slow.poll_until(lambda: slow.owned == ALL)
        other.poll_until(lambda: other.owned == ALL)
        take_turns([slow, other], lambda: len(slow.owned) == len(other.owned) == 3)
        assert {p for what, partitions in slow.told if what == "revoked" for p in partitions} == ALL


def test_members_come_and_go_and_every_record_is_read_once(kafka: EmbeddedKafka, topic: str) -> None:
    """With positions that all of them share, as those in Postgres are, and with batches that take their time."""
    shared: dict[int, int] = {}
    seen: list[bytes] = []

    class Sharing(Member):
        def assigned(self, partitions: object) -> dict[int, int]:
            super().assigned(partitions)  # type: ignore[arg-type]
            self.positions.update({p: shared.get(p, 0) for p in self.owned})
            return {p: self.positions[p] for p in self.owned}

        def poll(self, timeout_s: float = 0.2) -> None:
            before = len(self.records)
            super().poll(timeout_s)
            for record in self.records[before:]:
                seen.append(record.value or b"")
                _, partition, offset, _ = record.placement
                shared[partition] = max(shared.get(partition, 0), offset + 1)

    with appending(kafka.bootstrap, topic) as appender:
        for number in range(400):
            appender.append(b"inq_%d" % number, b"%03d" % number, [])
    members = [Sharing(kafka.bootstrap, topic, max_records=3) for _ in range(3)]
    take_turns(members[:1], lambda: len(seen) > 50)
    take_turns(members[:2], lambda: len(seen) > 150 and bool(members[1].owned))
    take_turns(members, lambda: len(seen) > 250 and bool(members[2].owned))
    members[0].feed.close()
    take_turns(members[1:], lambda: len(set(seen)) == 400)
    for member in members[1:]:
        member.feed.close()
    assert set(seen) == {b"%03d" % number for number in range(400)}
