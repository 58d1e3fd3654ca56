"""A log that lost something: damaged on the broker's disk, or removed. It is named, and what is left is audited."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, TopicPartition

from adapters.embedded.kafka import EmbeddedKafka
from adapters.kafka_log.lookup import KafkaLookup
from adapters.kafka_log.topic import KafkaTopic
from adapters.ledger.snapshot import LedgerSnapshot
from consumers.bootstrap import proof
from consumers.proof.inquiry import LOST_PROBLEMS
from domain.proof import Lost
from tests.integration.scene import Scene
from tests.integration.test_audit import append, audit, settings_of
from tests.integration.traffic import leave_gaps
from tests.proofs import signed_traffic


def test_a_bit_flipped_on_the_brokers_disk_is_named_by_the_offsets_of_its_batch(
    data_dir: Path, database_url: str, in_this_process: None
) -> None:
    """In partition 0 the CRC of a batch tells it; in partition 1 the length of one is wrong, so that the broker itself
    does not find what follows. What lies behind is read, and inquiries that are not in the damage are compared."""
    folder = data_dir / "damaged"
    with EmbeddedKafka(folder) as server:
        scene = Scene(server.bootstrap, "damaged", database_url)
        with KafkaTopic(scene.bootstrap, scene.topic) as topic:
            topic.create(2)
        for part in range(6):
            append(scene, signed_traffic(part, 12))
        scene.project()
    first, following = _flip_in_second_batch(folder, 0, lambda begin, length: begin + length // 2)
    torn, _ = _flip_in_second_batch(folder, 1, lambda begin, length: begin + 8)
    with EmbeddedKafka(folder) as server:
        moved = scene._replace(bootstrap=server.bootstrap)
        outcome = proof.audit(settings_of(moved), None, lambda done, total: None)
        places = [finding.place for finding in outcome.findings]
        assert places == [f"damaged-0@{first}", f"damaged-1@{torn}"]
        lost = [_read_offsets(finding.problem) for finding in outcome.findings]
        assert lost[0] == (first, following - 1)
        ends = moved.offsets()
        assert lost[1][1] < ends[1] - 1
        assert outcome.records == sum(ends.values()) - sum(last - begin + 1 for begin, last in lost)
        assert outcome.not_compared > 0
        assert outcome.inquiries > 0
        with KafkaLookup(server.bootstrap, "damaged") as lookup:
            for offset in (first, following - 1):
                assert lookup(0, offset) is Lost.DAMAGED
            for offset in (first - 1, following, ends[0] - 1):
                found = lookup(0, offset)
                assert not isinstance(found, Lost)
                assert found.placement.offset == offset
            assert lookup(1, torn) is Lost.DAMAGED
            assert lookup(0, ends[0]) is lookup(0, ends[0] + 1000) is Lost.GONE


def _flip_in_second_batch(folder: Path, partition: int, at: Callable[[int, int], int]) -> tuple[int, int]:
    """Flip a bit of the second batch of the only segment; `at`: (where it begins, its length) → which byte. Returns the
    batch's first offset and the next one's (KIP-98: base offset, length, …)."""
    (segment,) = folder.rglob(f"damaged-{partition}/*.log")
    log = bytearray(segment.read_bytes())
    begin = 12 + struct.unpack_from(">qi", log, 0)[1]
    first, length = struct.unpack_from(">qi", log, begin)
    following: int = struct.unpack_from(">q", log, begin + 12 + length)[0]
    log[at(begin, length)] ^= 0x10
    segment.write_bytes(log)
    return first, following


def _read_offsets(problem: str) -> tuple[int, int]:
    found = re.search(r"damaged: offsets (\d+) to (\d+) cannot be read", problem)
    assert found is not None
    return int(found[1]), int(found[2])


def test_a_record_of_an_aborted_transaction_is_not_answered(scene: Scene) -> None:
    leave_gaps(scene.bootstrap, scene.topic, [0], abort=True)
    leave_gaps(scene.bootstrap, scene.topic, [0], abort=False)
    with KafkaLookup(scene.bootstrap, scene.topic) as lookup:
        found = [lookup(0, offset) for offset in range(4)]
    assert [one if isinstance(one, Lost) else one.value for one in found] == [Lost.GONE, Lost.GONE, b"{", Lost.GONE]


@pytest.mark.usefixtures("in_this_process")
def test_records_that_were_removed_are_said_to_be_gone(scene: Scene) -> None:
    append(scene, signed_traffic(1, 10))
    scene.project()
    end = scene.offsets()[2]
    with KafkaAdminClient(bootstrap_servers=scene.bootstrap) as admin:
        admin.delete_records({TopicPartition(scene.topic, 2): end - 1})
    findings = audit(scene)
    assert [finding.place for finding in findings] == [f"{scene.topic}-2@0"]
    assert f"gone: offsets 0 to {end - 2} cannot be read" in findings[0].problem
    sampled = audit(scene, sample=100)
    assert {finding.problem for finding in sampled} == {LOST_PROBLEMS[Lost.GONE]}


@pytest.mark.usefixtures("in_this_process")
def test_an_audit_leaves_no_group_behind_and_sees_one_moment_while_others_write(scene: Scene) -> None:
    append(scene, signed_traffic(1, 10))
    scene.project()
    with KafkaAdminClient(bootstrap_servers=scene.bootstrap) as admin:
        groups = admin.list_groups()
        with LedgerSnapshot(scene.url, scene.topic) as rows, LedgerSnapshot(scene.url, scene.topic, rows.name) as other:
            append(scene, signed_traffic(2, 10))
            scene.project()
            assert len(rows.sample(100)) == len(other.sample(100)) == 10
        assert audit(scene) == []
        assert audit(scene, sample=5) == []
        assert len(admin.list_groups()) == len(groups) + 1  # of the second run of the projector
