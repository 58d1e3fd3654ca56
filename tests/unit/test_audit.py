"""The audit of one partition: each record, each row, each count; and what is done where the log lost something."""

from __future__ import annotations

import pytest

from consumers.proof.audit import audit_inquiries, audit_partition, conclude
from consumers.proof.partition import Outcome
from domain.event import Record
from domain.proof import Damage, Lost
from tests.bodies import document, dump
from tests.ledgers import RULES
from tests.proof_world import World
from tests.proofs import OLD_SECRET, SECRET, as_record, flip, receive


def body(inquiry: int, event_id: str, name: str, second: int) -> bytes:
    made = document(id=f"inq_{inquiry}")
    made["data"]["id"] = event_id
    made["data"]["attributes"] |= {"name": f"inquiry.{name}", "created-at": f"2026-03-01T12:00:{second:02}.000Z"}
    return dump(made)


def make_world() -> World:
    """Three inquiries by turns, then a loser of a conflict, an event that is ignored, and what cannot be read."""
    bodies = [
        body(number, f"evt_{name}_{number}", name, second)
        for second, name in enumerate(["created", "completed", "approved"])
        for number in range(3)
    ]
    bodies += [body(0, "evt_created_0", "created", 30), body(0, "evt_9", "transitioned", 31), b"{"]
    return World([as_record(receive(one), offset) for offset, one in enumerate(bodies)])


def audit(world: World) -> Outcome:
    part = audit_partition(world.position, world.auditor(), world, [], lambda more: None)
    return conclude([part], [], world, RULES)


def findings(world: World) -> list[tuple[str, str]]:
    return [(finding.place, finding.problem) for finding in audit(world).findings]


def test_of_what_is_right_nothing_is_found_and_all_of_it_is_counted() -> None:
    outcome = audit(make_world())
    assert outcome.findings == []
    assert (outcome.records, outcome.inquiries, outcome.not_compared) == (12, 3, 0)
    assert outcome.signatures == {"valid": 12}


def test_progress_tells_every_offset_once() -> None:
    world, told = make_world(), list[int]()
    audit_partition(world.position, world.auditor(), world, [], told.append)
    assert sum(told) == world.end


def test_a_flipped_bit_in_a_body_is_told_by_its_place() -> None:
    world = make_world()
    record = world.log[4]
    assert isinstance(record, Record)
    world.log[4] = record._replace(value=flip(record.value or b"", 30))
    assert {place for place, _ in findings(world)} == {"persona.events-0@4"}


def test_damage_is_told_once_and_keeps_only_its_own_inquiries_from_being_compared() -> None:
    world = make_world()
    for offset in (3, 4):
        world.log[offset] = Lost.DAMAGED
        world.damage.append(Damage(Lost.DAMAGED, offset, offset + 1))
    outcome = audit(world)
    assert [(one.place, one.check) for one in outcome.findings] == [("persona.events-0@3", "log")]
    assert "offsets 3 to 4" in outcome.findings[0].problem
    assert (outcome.inquiries, outcome.not_compared) == (1, 2)
    world.views["current_decision"][2]["decision"] = "declined"
    assert findings(world)[1] == ("current_decision inq_2", "not as the fold of the log: decision")


def test_a_record_that_is_simply_not_there_any_more_is_told_by_its_place() -> None:
    world = make_world()
    del world.log[3]
    assert findings(world) == [("persona.events-0@3", "gone: the log holds no record here, the ledger has one")]


def test_a_quarantined_record_that_is_not_there_any_more_is_told_too() -> None:
    world = make_world()
    del world.log[11]
    gone = ("persona.events-0@11", "gone: the log holds no record here, the ledger has one")
    assert findings(world) == [gone, ("books persona.events 0", "not as the fold of the log: quarantined, gaps")]


def test_an_inquiry_that_only_the_ledger_knows_is_told() -> None:
    world = make_world()
    world.views["current_decision"].append({**world.views["current_decision"][0], "inquiry_id": "inq_9"})
    assert findings(world) == [("current_decision inq_9", "too many: the fold of the log has no such row")]


@pytest.mark.parametrize("view", ["current_decision", "inquiry_history", "decision_revision", "quarantine"])
def test_a_row_that_is_missing_is_told(view: str) -> None:
    world = make_world()
    world.views[view].pop(0)
    assert [problem for _, problem in findings(world)] == ["missing: the fold of the log has it"]


def test_books_that_are_not_the_count_are_told_by_their_columns() -> None:
    world = make_world()
    world.views["books"][0]["ignored"] += 1
    world.views["books"][0]["gaps"] -= 1
    assert findings(world) == [("books persona.events 0", "not as the fold of the log: ignored, gaps")]


def test_a_sample_looks_up_the_records_that_the_ledger_names() -> None:
    world, told = make_world(), list[int]()
    prover = world.prover(SECRET, OLD_SECRET)
    outcome = audit_inquiries(["inq_0", "inq_2"], prover, world, told.append)
    assert (outcome.findings, outcome.records, outcome.inquiries, len(told)) == ([], 7, 2, 2)
    world.views["quarantine"].pop(0)
    world.log[2] = Lost.DAMAGED
    again = audit_inquiries(["inq_0", "inq_2"], prover, world, told.append)
    assert [finding.place for finding in again.findings] == ["quarantine persona.events-0@9", "persona.events-0@2"]
    assert (again.inquiries, again.not_compared) == (1, 1)
