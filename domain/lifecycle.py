"""The inquiry lifecycle: eight statuses, eight events that move between them, one table that decides.

The table is data (`TABLE`). `build_machine` turns it into one `transitions.Machine` without a model; `Lifecycle`
is the look-up compiled from that machine, which serves the hot path (0.1 µs a step instead of 10).
Nobody outside `domain/` compares statuses. Source of the cells: persona.md sections 1.1 and 1.2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from transitions import Machine, MachineError


class Status(StrEnum):
    """What an inquiry is. Before the first event it has none (`None`)."""

    CREATED = "created"
    PENDING = "pending"
    COMPLETED = "completed"
    FAILED = "failed"
    EXPIRED = "expired"
    NEEDS_REVIEW = "needs_review"
    APPROVED = "approved"
    DECLINED = "declined"


class Verdict(StrEnum):
    """What the lifecycle says of one event."""

    APPLIED = "applied"
    REPEATED = "repeated"
    REFUSED = "refused"


class Edge(StrEnum):
    """How an applied event moved its inquiry."""

    DOCUMENTED = "documented"
    SHORTCUT = "shortcut"
    ADOPTED = "adopted"
    REVERSAL = "reversal"
    REDACTION = "redaction"


class Reason(StrEnum):
    """Why an event was refused."""

    CREATED_TWICE = "created_twice"
    AFTER_OUTCOME = "after_outcome"
    AFTER_DECISION = "after_decision"


class Step(NamedTuple):
    """One cell: the verdict, the edge of an applied event, the reason of a refused one, the status before and after."""

    verdict: Verdict
    edge: Edge | None
    reason: Reason | None
    from_status: Status | None
    to_status: Status | None


REDACTED = "inquiry.redacted"

#: Event name → status it leads to, in the canonical order of equal times; the redaction comes last and moves nothing.
TARGETS: Mapping[str, Status] = {
    "inquiry.created": Status.CREATED,
    "inquiry.started": Status.PENDING,
    "inquiry.expired": Status.EXPIRED,
    "inquiry.completed": Status.COMPLETED,
    "inquiry.failed": Status.FAILED,
    "inquiry.marked-for-review": Status.NEEDS_REVIEW,
    "inquiry.approved": Status.APPROVED,
    "inquiry.declined": Status.DECLINED,
}

#: Rank of an event name among events of one millisecond (design: canonical order).
RANKS: Mapping[str, int] = {name: rank for rank, name in enumerate([*TARGETS, REDACTED])}

NONE = "none"

#: D documented, S shortcut, A adopted, R reversal, = repeated, else the reason of the refusal.
TABLE = """
from         created        started        completed      failed         expired        marked-for-review approved declined
none         D              A              A              A              A              A                 A        A
created      =              D              S              S              D              S                 S        S
pending      created_twice  =              D              D              D              S                 S        S
expired      created_twice  S              S              S              =              D                 D        D
completed    created_twice  after_outcome  =              after_outcome  after_outcome  D                 D        D
failed       created_twice  after_outcome  after_outcome  =              after_outcome  D                 D        D
needs_review created_twice  after_outcome  after_outcome  after_outcome  after_outcome  =                 D        D
approved     after_decision after_decision after_decision after_decision after_decision after_decision    =        R
declined     after_decision after_decision after_decision after_decision after_decision after_decision    R        =
"""  # noqa: E501 - a drawing

_EDGES = {"D": Edge.DOCUMENTED, "S": Edge.SHORTCUT, "A": Edge.ADOPTED, "R": Edge.REVERSAL}
_REPEATED = "="

Cells = Mapping[tuple[Status | None, str], str]


def parse_table(text: str) -> Cells:
    """Read a table as `TABLE` is drawn: (status or None, event name) → cell. ValueError on a gap or an unknown word."""
    header, *lines = [line.split() for line in text.strip().splitlines()]
    names = [f"inquiry.{word}" for word in header[1:]]
    cells = {
        (_parse_status(line[0]), name): _parse_cell(word)
        for line in lines
        for name, word in zip(names, line[1:], strict=True)
    }
    wanted = {(status, name) for status in (None, *Status) for name in TARGETS}
    if set(cells) != wanted or len(lines) * len(names) != len(wanted):
        raise ValueError("the lifecycle table must have each cell exactly once")
    return cells


def _parse_status(word: str) -> Status | None:
    return None if word == NONE else Status(word)


def _state(status: Status | None) -> str:
    return NONE if status is None else status.value


def _parse_cell(word: str) -> str:
    return word if word in _EDGES or word == _REPEATED else Reason(word).value


def build_machine(cells: Cells) -> Machine:
    """One machine for all inquiries: a state a status, a trigger an event name, internal transitions for `=`."""
    states = [NONE, *(status.value for status in Status)]
    return Machine(model=None, states=states, initial=NONE, auto_transitions=False, transitions=list(_rows(cells)))


def _rows(cells: Cells) -> Iterator[dict[str, Any]]:
    for (status, name), cell in cells.items():
        if cell in _EDGES:
            yield {"trigger": name, "source": _state(status), "dest": TARGETS[name].value}
        elif cell == _REPEATED:
            yield {"trigger": name, "source": _state(status), "dest": None}


class _Probe:
    """A model for one question to the machine: in which state are you after this trigger?"""

    state: str


def ask_machine(machine: Machine, status: Status | None, name: str) -> Status | None:
    """Fire `name` from `status` on the machine and return the status after it. MachineError when it refuses."""
    probe = _Probe()
    machine.add_model(probe, initial=_state(status))
    try:
        machine.events[name].trigger(probe)
        return _parse_status(probe.state)
    finally:
        machine.remove_model(probe)


class Lifecycle:
    """The compiled table. `step` answers for every status and every event that moves."""

    def __init__(self, table: str = TABLE) -> None:
        cells = parse_table(table)
        machine = build_machine(cells)
        self._steps = {key: _compile(machine, key, cell) for key, cell in cells.items()}
        self._redactions = {
            (status, again): _redaction(status, again) for status in (None, *Status) for again in (False, True)
        }
        self.version = _hash(cells)

    def step(self, status: Status | None, name: str) -> Step:
        """What event `name` (one of `TARGETS`) means for an inquiry in `status`. KeyError for any other name."""
        return self._steps[status, name]

    def redact(self, status: Status | None, *, again: bool) -> Step:
        """What a redaction means: the first is applied, a further one repeated; it moves nothing."""
        return self._redactions[status, again]

    def cells(self) -> Iterator[tuple[Status | None, str, Step]]:
        """Every cell, row by row."""
        for (status, name), step in self._steps.items():
            yield status, name, step


def _redaction(status: Status | None, again: bool) -> Step:
    if again:
        return Step(Verdict.REPEATED, None, None, status, status)
    return Step(Verdict.APPLIED, Edge.REDACTION, None, status, status)


def _compile(machine: Machine, key: tuple[Status | None, str], cell: str) -> Step:
    status, name = key
    try:
        to_status = ask_machine(machine, status, name)
    except MachineError:
        return Step(Verdict.REFUSED, None, Reason(cell), status, status)
    if cell == _REPEATED:
        return Step(Verdict.REPEATED, None, None, status, to_status)
    return Step(Verdict.APPLIED, _EDGES[cell], None, status, to_status)


def _hash(cells: Cells) -> str:
    """The first 12 hex digits of the SHA-256 over the sorted cells: what the table means, not how it is drawn."""
    lines = sorted(f"{_state(status)} {name} {cell}" for (status, name), cell in cells.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]
