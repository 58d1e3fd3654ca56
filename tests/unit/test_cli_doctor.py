"""`doctor`: what is wrong is found, and what cannot be looked at is said to be unknown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from consumers.doctor import Books, Patient, examine
from domain.books import LogState, Position
from domain.errors import LogUnavailable, SchemaError, TopicError

LOG = LogState("cluster", "topic", {0: (0, 12), 1: (0, 5)})
COUNTS = {"applied": 7, "repeated": 1, "refused": 1, "duplicate": 1, "quarantined": 0}


@dataclass
class FixedBooks:
    """Books that stand as they are given; `moving` gives other rows at every look."""

    rows: list[dict[str, Any]] = field(default_factory=lambda: [{"partition": 0, "balanced": True, **COUNTS}])
    again: list[dict[str, Any]] = field(default_factory=lambda: [{"partition": 0, **COUNTS}])
    made_by: tuple[str, str] | None = ("lifecycle", "policy")
    found_roles: Sequence[str] = ("ledger_reader", "ledger_writer")
    moving: bool = False
    looks: int = 0

    def books(self) -> list[dict[str, Any]]:
        self.looks += 1
        return [{**row, "applied": row["applied"] + self.looks * self.moving} for row in self.rows]

    def recount(self) -> list[dict[str, Any]]:
        return self.again

    def roles(self) -> Sequence[str]:
        return self.found_roles

    def rules(self) -> tuple[str, str] | None:
        return self.made_by


def opener(books: Books) -> Callable[[], Any]:
    @contextmanager
    def open_books() -> Iterator[Books]:
        yield books

    return open_books


def fails(error: Exception) -> Callable[[], Any]:
    def fail() -> Any:
        raise error

    return fail


HEALTHY = Patient(
    topic="persona.events",
    versions=("lifecycle", "policy"),
    inspect_log=lambda: LOG,
    topic_problems=lambda: (),
    decisions_problems=lambda: (),
    check_schema=lambda: "0001",
    group_offsets=lambda: {0: 10, 1: 4},
    positions=lambda: {n: Position(n, "cluster", "topic", 0, next_offset) for n, next_offset in ((0, 10), (1, 5))},
    open_books=opener(FixedBooks()),
)


def states(patient: Patient) -> dict[str, str]:
    return {finding.check: finding.state for finding in examine(patient)}


def details(patient: Patient) -> dict[str, str]:
    return {finding.check: finding.detail for finding in examine(patient)}


def test_of_a_healthy_ledger_every_check_is_ok() -> None:
    found = states(HEALTHY)
    parts = ["kafka", "topic", "decisions", "schema", "partitions", "positions", "group"]
    parts += ["roles", "rules", "books", "recount"]
    assert list(found) == parts
    assert set(found.values()) == {"ok"}
    assert details(HEALTHY)["positions"] == "2 records not in the ledger yet"


def test_an_empty_ledger_is_healthy() -> None:
    books = FixedBooks(rows=[], again=[], made_by=None)
    assert set(states(replace(HEALTHY, positions=dict, open_books=opener(books))).values()) == {"ok"}


def test_without_kafka_what_needs_it_is_unknown_and_the_rest_is_looked_at() -> None:
    found = states(replace(HEALTHY, inspect_log=fails(LogUnavailable("Kafka does not answer"))))
    assert found["kafka"] == "wrong"
    unknown = {name for name, state in found.items() if state == "unknown"}
    assert unknown == {"topic", "decisions", "partitions", "positions", "group"}
    assert {found[name] for name in ("schema", "roles", "rules", "books", "recount")} == {"ok"}


def test_without_a_topic_it_is_the_topic_that_is_wrong() -> None:
    found = states(replace(HEALTHY, inspect_log=fails(TopicError("does not exist"))))
    assert (found["kafka"], found["topic"], found["positions"]) == ("ok", "wrong", "unknown")
    assert found["decisions"] == "ok"


def test_without_a_schema_what_lies_in_the_ledger_is_unknown() -> None:
    found = states(replace(HEALTHY, check_schema=fails(SchemaError("run migrate"))))
    assert found["schema"] == "wrong"
    assert {found[name] for name in ("partitions", "positions", "roles", "rules", "books", "recount")} == {"unknown"}
    assert found["topic"] == "ok"


def test_a_topic_set_otherwise_is_wrong_with_all_its_problems() -> None:
    patient = replace(HEALTHY, topic_problems=lambda: ["retention.ms is 7", "cleanup.policy is compact"])
    assert states(patient)["topic"] == "wrong"
    assert details(patient)["topic"] == "retention.ms is 7; cleanup.policy is compact"
    assert states(replace(HEALTHY, topic_problems=fails(TopicError("gone"))))["topic"] == "wrong"


def test_a_topic_of_decisions_that_is_missing_or_set_otherwise_is_wrong_alone() -> None:
    for find_problems in (fails(TopicError("gone")), lambda: ["cleanup.policy is delete, not compact"]):
        found = states(replace(HEALTHY, decisions_problems=find_problems))
        assert {name for name, state in found.items() if state != "ok"} == {"decisions"}


def test_a_topic_with_another_number_of_partitions_is_wrong() -> None:
    log = LOG._replace(offsets={**LOG.offsets, 2: (0, 0)})
    assert states(replace(HEALTHY, inspect_log=lambda: log))["partitions"] == "wrong"


@pytest.mark.parametrize(
    "position",
    [
        Position(0, "another", "topic", 0, 10),
        Position(0, "cluster", "another", 0, 10),
        Position(0, "cluster", "topic", 0, 13),
    ],
)
def test_a_position_of_another_log_is_wrong(position: Position) -> None:
    positions = {0: position, 1: Position(1, "cluster", "topic", 0, 5)}
    assert states(replace(HEALTHY, positions=lambda: positions))["positions"] == "wrong"


@pytest.mark.parametrize(
    ("check", "books"),
    [
        ("roles", FixedBooks(found_roles=["ledger_reader"])),
        ("rules", FixedBooks(made_by=("lifecycle", "another"))),
        ("books", FixedBooks(rows=[{"partition": 0, "balanced": False, **COUNTS}])),
        ("recount", FixedBooks(again=[{"partition": 0, **COUNTS, "applied": 6}])),
    ],
)
def test_what_is_wrong_in_the_ledger_is_found_alone(check: str, books: FixedBooks) -> None:
    found = states(replace(HEALTHY, open_books=opener(books)))
    assert {name for name, state in found.items() if state != "ok"} == {check}


def test_a_group_that_is_ahead_of_the_ledger_is_another_ledgers_too() -> None:
    patient = replace(HEALTHY, group_offsets=lambda: {0: 12, 1: 5})
    assert {name for name, state in states(patient).items() if state != "ok"} == {"group"}
    assert details(patient)["group"].startswith("partitions 0: ")


def test_a_ledger_that_is_just_being_made_again_is_not_behind_its_group() -> None:
    """After a reset Kafka still knows how far the group was, until the first batch is written."""
    fresh = {0: Position(0, "cluster", "topic", 0, 0)}
    patient = replace(HEALTHY, positions=lambda: fresh, group_offsets=lambda: {0: 12, 1: 5})
    assert states(patient)["group"] == "ok"


def test_a_group_that_may_not_be_looked_at_is_unknown() -> None:
    found = states(replace(HEALTHY, group_offsets=fails(TopicError("GroupAuthorizationFailedError"))))
    assert {name for name, state in found.items() if state != "ok"} == {"group"}
    assert found["group"] == "unknown"


def test_books_that_move_meanwhile_are_not_called_wrong() -> None:
    patient = replace(HEALTHY, open_books=opener(FixedBooks(moving=True)))
    assert details(patient)["recount"] == "not counted: a projector is writing"
