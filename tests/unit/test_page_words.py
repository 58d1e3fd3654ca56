"""What the page says about the ledger's terms: every term has words, and every event a sentence."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from adapters.web.page import words
from domain.decision import CHOICES, Decision
from domain.errors import QuarantineReason
from domain.lifecycle import RANKS, REDACTED, Edge, Lifecycle, Reason, Status, Verdict
from tests.builders import event, rules
from tests.ledgers import Views, project
from tests.sites import memory_ledger


@pytest.mark.parametrize(
    ("said", "terms"),
    [
        (words.DECISIONS, Decision),
        (words.STATUSES, Status),
        (words.EVENTS, RANKS),
        (words.WAITING, [None, *Status]),
        (words.EDGES, Edge),
        (words.REASONS, Reason),
        (words.QUARANTINE, QuarantineReason),
    ],
    ids=["decision", "status", "event", "waiting", "edge", "reason", "quarantine"],
)
def test_every_term_has_words(said: dict[Any, str], terms: Any) -> None:
    assert set(said) == set(terms)
    assert len(set(said.values())) == len(said)


@pytest.mark.parametrize("cell", list(Lifecycle().cells()), ids=lambda cell: f"{cell[0]}-{cell[1]}")
def test_every_cell_of_the_lifecycle_is_told_in_a_sentence(cell: Any) -> None:
    _, name, step = cell
    sentence = words.tell_event({"event_name": name, **step._asdict()})
    assert sentence.endswith(".")
    assert "{" not in sentence
    assert sentence.startswith("Refused:") is (step.verdict is Verdict.REFUSED)
    for status in {step.from_status, step.to_status} - {None}:
        assert words.tell_status(status) in sentence or sentence == words.BEGUN or step.edge is Edge.ADOPTED


def test_a_redaction_is_told_once_and_again() -> None:
    lifecycle = Lifecycle()
    first, again = (lifecycle.redact(Status.APPROVED, again=again) for again in (False, True))
    assert "erased" in words.tell_event({"event_name": REDACTED, **first._asdict()})
    assert "already" in words.tell_event({"event_name": REDACTED, **again._asdict()})


def tell(*happened: str, policy: str = "") -> str:
    """Why an inquiry is decided as it is, after these events."""
    ledger, _ = memory_ledger()
    views = Views(ledger, ledger.topic, ledger.view)
    project(views, [event(word, second) for second, word in enumerate(happened)], rules=rules(policy))
    (row,) = ledger.view("current_decision")
    return words.tell_decision(row, ledger.view("inquiry_history"))


def test_a_decision_is_explained_by_the_event_that_made_it() -> None:
    assert tell("created", "started", "completed", "approved", "approved", "started") == (
        "Because of the event “Approved”: moved the inquiry from completed to approved."
    )


def test_a_decision_that_the_policy_made_says_so() -> None:
    assert tell("created", "started", "completed", policy='[default]\ncompleted = "approved"').endswith(
        "The decision policy takes completed for approved."
    )


@pytest.mark.parametrize("key", CHOICES)
def test_where_nothing_is_decided_it_says_what_is_missing(key: str) -> None:
    told = tell("created", "started", key)
    assert told == words.WAITING[Status(key)]


@pytest.mark.parametrize(
    ("span", "told"),
    [
        ({"milliseconds": 0}, "0 ms"),
        ({"milliseconds": 999}, "999 ms"),
        ({"seconds": 59, "milliseconds": 999}, "59 s"),
        ({"minutes": 60}, "1 h"),
        ({"hours": 23, "minutes": 59, "seconds": 59}, "23 h 59 min"),
        ({"days": 1, "seconds": 5}, "1 d"),
        ({"days": 400, "hours": 3, "minutes": 9}, "400 d 3 h"),
        ({"seconds": -90}, "1 min 30 s"),
    ],
)
def test_a_span_is_told_in_its_two_largest_units(span: dict[str, int], told: str) -> None:
    assert words.tell_span(timedelta(**span)) == told
