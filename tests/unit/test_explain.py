"""The proof of one inquiry: every event with its records, its sentence, and whether the ledger says the same."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from consumers.proof.explain import explain
from consumers.proof.sentences import describe_step
from domain.event import Record
from domain.lifecycle import Edge, Lifecycle, Reason, Verdict
from domain.proof import Lost
from tests.bodies import document, dump
from tests.proof_world import World
from tests.proofs import OLD_SECRET, SECRET, Signed, as_record, receive


def body(event_id: str, name: str, second: int) -> bytes:
    made = document(attributes={"status": name, "reference-id": "user-7"})
    made["data"]["id"] = event_id
    made["data"]["attributes"] |= {"name": f"inquiry.{name}", "created-at": f"2026-03-01T12:00:{second:02}.000Z"}
    return dump(made)


BODIES = [
    body("evt_1", "created", 5),
    body("evt_2", "approved", 8),
    body("evt_2", "approved", 8),
    body("evt_3", "completed", 7),
    body("evt_4", "started", 9),
    body("evt_2", "approved", 20),
]


def make_log() -> list[Record]:
    return [as_record(receive(one), offset) for offset, one in enumerate(BODIES)]


def prove(world: World, *secrets: str) -> dict[str, Any]:
    proof = explain("inq_1", world, world.prover(*secrets))
    assert proof is not None
    return proof


def test_each_event_is_told_with_its_verdict_and_a_sentence_in_the_order_in_which_they_happened() -> None:
    events = prove(World(make_log()), SECRET)["events"]
    assert [(event["event_id"], event["verdict"], event["edge"], event["reason"]) for event in events] == [
        ("evt_1", "applied", "documented", None),
        ("evt_3", "applied", "shortcut", None),
        ("evt_2", "applied", "documented", None),
        ("evt_4", "refused", None, "after_decision"),
    ]
    assert events[3]["sentence"] == "refused: it was already `approved`, and `started` may not follow a decision"


def test_who_makes_the_decision_and_what_came_late_is_told() -> None:
    proof = prove(World(make_log()), SECRET)
    assert proof["sentence"] == "approved since 2026-03-01T12:00:08.000Z, by event evt_2"
    assert [event["event_id"] for event in proof["events"] if event["decides"]] == ["evt_2"]
    assert [event["event_id"] for event in proof["events"] if event["is_late"]] == ["evt_3"]


def test_each_record_is_told_with_its_place_its_bytes_and_its_part() -> None:
    events = prove(World(make_log()), SECRET)["events"]
    records = {record["offset"]: record for event in events for record in event["records"]}
    assert {offset: record["role"] for offset, record in records.items()} == {
        0: "first", 1: "first", 2: "copy", 3: "first", 4: "first", 5: "loser",
    }  # fmt: skip
    for offset, value in enumerate(BODIES):
        assert (records[offset]["bytes"], records[offset]["sha256"]) == (len(value), sha256(value).hexdigest())
        assert (records[offset]["signature"], records[offset]["problems"]) == ("valid", [])


def test_where_fold_and_ledger_agree_there_is_no_finding() -> None:
    proof = prove(World(make_log()), SECRET, OLD_SECRET)
    assert (proof["agrees"], proof["findings"]) == (True, [])


@pytest.mark.parametrize("view", ["current_decision", "inquiry_history", "decision_revision", "inquiry_record"])
def test_a_row_that_is_not_the_folds_is_told_by_its_columns_without_values(view: str) -> None:
    world = World(make_log())
    row = world.views[view][1 if view != "current_decision" else 0]
    column = "reference_id" if "reference_id" in row else "partition"
    row[column] = "secret-person"
    proof = prove(world, SECRET)
    (finding,) = proof["findings"]
    assert finding["place"].startswith(view)
    assert finding["problem"] == f"not as the fold of the log: {column}"
    assert not proof["agrees"]
    assert "secret-person" not in str(proof["findings"])


def test_a_record_that_is_gone_leaves_the_inquiry_unproved_and_shows_what_is_there() -> None:
    world = World(make_log())
    world.log[3] = Lost.DAMAGED
    proof = prove(world, SECRET)
    assert [finding["place"] for finding in proof["findings"]] == ["persona.events-0@3"]
    assert not proof["agrees"]
    assert [event["event_id"] for event in proof["events"]] == ["evt_1", "evt_3", "evt_2", "evt_4"]
    (lost,) = proof["events"][1]["records"]
    assert (lost["lost"], "sha256" in lost) == (Lost.DAMAGED, False)
    assert "not proved" in proof["events"][0]["sentence"]


def test_a_record_that_is_another_one_is_told() -> None:
    world = World(make_log())
    world.log[3] = as_record(receive(body("evt_3", "completed", 7).replace(b"inq_1", b"inq_2")), 3)
    problems = [finding["problem"] for finding in prove(world, SECRET)["findings"]]
    assert problems == ["the record here is not one of this inquiry"]


def test_what_nobody_signed_and_what_cannot_be_checked_is_told_as_such() -> None:
    imported = as_record(Signed(b"inq_1", BODIES[0], ()), 0)
    world = World([imported, *make_log()[1:]])
    states = [prove(world, *secrets)["events"][0]["records"][0]["signature"] for secrets in ((SECRET,), ())]
    assert states == ["not_signed", "not_signed"]
    assert prove(world)["events"][1]["records"][0]["signature"] == "not_checked"
    assert prove(world, "wbhsec_new")["events"][1]["records"][0]["signature"] == "unknown_secret"


def test_an_inquiry_that_the_ledger_does_not_know_has_no_proof() -> None:
    world = World(make_log())
    assert explain("inq_2", world, world.prover(SECRET)) is None


def test_no_body_and_no_personal_value_but_that_of_the_decision_row_is_told() -> None:
    proof = prove(World(make_log()), SECRET)
    del proof["decision"]
    assert "user-7" not in str(proof)


def test_every_cell_of_the_lifecycle_has_a_sentence_that_names_event_and_status() -> None:
    steps = [(name, step) for _, name, step in Lifecycle().cells()]
    assert {step.reason for _, step in steps} == {None, *Reason}
    assert {step.edge for _, step in steps} == {None, *Edge} - {Edge.REDACTION}
    for name, step in steps:
        sentence = describe_step(step, name)
        assert sentence.startswith(f"{step.verdict}: ")
        assert step.verdict is Verdict.REPEATED or f"`{name.removeprefix('inquiry.')}`" in sentence
        assert step.from_status is None or f"`{step.from_status}`" in sentence


def test_a_redaction_has_a_sentence_for_the_first_and_for_the_next() -> None:
    lifecycle = Lifecycle()
    sentences = [describe_step(lifecycle.redact(None, again=again), "inquiry.redacted") for again in (False, True)]
    assert sentences == [
        "applied: it was redacted; its status stays unknown",
        "repeated: it was already redacted; the time of the first counts",
    ]
