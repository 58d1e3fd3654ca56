"""Looks at every part of a ledger and says what is wrong. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from domain.books import LogState, Position, check_position
from domain.errors import LedgerError, TopicError

OK, WRONG, UNKNOWN = "ok", "wrong", "unknown"

#: How often the books are counted again while a projector moves them.
_RECOUNTS = 3

BookRow = Mapping[str, Any]


class Finding(NamedTuple):
    """What one check found. `state`: ok, wrong, or unknown where another part kept it from being checked."""

    check: str
    state: str
    detail: str


class Books(Protocol):
    """What is read of the ledger."""

    def books(self) -> Sequence[BookRow]:
        """A row a partition, with its counts."""

    def recount(self) -> Sequence[BookRow]:
        """The same counts, made from the rows."""

    def roles(self) -> Sequence[str]:
        """Which of the roles exist."""

    def rules(self) -> tuple[str, str] | None:
        """(lifecycle_version, policy_version) of the rows."""


@dataclass(frozen=True)
class Patient:
    """How to get at the parts. Each raises a LedgerError where its part is not as it should be."""

    topic: str
    versions: tuple[str, str]
    inspect_log: Callable[[], LogState]
    topic_problems: Callable[[], Sequence[str]]
    decisions_problems: Callable[[], Sequence[str]]
    check_schema: Callable[[], str]
    group_offsets: Callable[[], Mapping[int, int]]
    positions: Callable[[], Mapping[int, Position]]
    open_books: Callable[[], AbstractContextManager[Books]]


def examine(patient: Patient) -> list[Finding]:
    """Every check, in the order in which one builds on another."""
    log, seen = _look_at_log(patient)
    _, schema = _try("schema", patient.check_schema, lambda version: f"version {version}")
    findings = [*seen, schema]
    if schema.state != OK:
        return [*findings, *(Finding(check, UNKNOWN, "see schema") for check in _IN_LEDGER)]
    return [*findings, *_check_positions(patient, log), *_check_ledger(patient)]


_IN_LEDGER = ("partitions", "positions", "group", "roles", "rules", "books", "recount")


def _try(check: str, look: Callable[[], Any], describe: Callable[[Any], str]) -> tuple[Any, Finding]:
    try:
        seen = look()
    except LedgerError as error:
        return None, Finding(check, WRONG, str(error))
    return seen, Finding(check, OK, describe(seen))


def _look_at_log(patient: Patient) -> tuple[LogState | None, list[Finding]]:
    """What the log says of itself; None where it says nothing."""
    try:
        log = patient.inspect_log()
    except TopicError as error:
        topic = Finding("topic", WRONG, str(error))
        return None, [Finding("kafka", OK, "it answers"), topic, _check_decisions(patient)]
    except LedgerError as error:
        kafka = Finding("kafka", WRONG, str(error))
        return None, [kafka, *(Finding(check, UNKNOWN, "see kafka") for check in ("topic", "decisions"))]
    topic = _check_topic("topic", patient.topic_problems, patient.topic)
    return log, [Finding("kafka", OK, f"cluster {log.cluster_id}"), topic, _check_decisions(patient)]


def _check_topic(check: str, find_problems: Callable[[], Sequence[str]], well: str) -> Finding:
    problems, finding = _try(check, find_problems, lambda problems: "; ".join(problems) or well)
    return finding._replace(state=WRONG) if problems else finding


def _check_decisions(patient: Patient) -> Finding:
    return _check_topic("decisions", patient.decisions_problems, "the topic is as designed")


def _check_positions(patient: Patient, log: LogState | None) -> Iterator[Finding]:
    if log is None:
        yield from (Finding(check, UNKNOWN, "see topic") for check in ("partitions", "positions", "group"))
        return
    committed, group = _try("group", patient.group_offsets, lambda _: "follows the ledger")
    stored = patient.positions()  # asked after the group, which is told of a position once it is stored
    yield _check_partitions(len(stored), len(log.offsets))
    _, finding = _try("positions", lambda: _check_each(stored, log), lambda lag: f"{lag} records not in the ledger yet")
    yield finding
    yield group._replace(state=UNKNOWN) if committed is None else _check_group(group, stored, committed)


def _check_partitions(stored: int, there: int) -> Finding:
    """A projector opens every partition it is given, so a ledger knows none or all of them."""
    if stored not in (0, there):
        detail = f"the ledger knows {stored}, the topic has {there}: inquiries may lie in two partitions now"
        return Finding("partitions", WRONG, detail)
    return Finding("partitions", OK, str(there))


def _check_group(found: Finding, stored: Mapping[int, Position], committed: Mapping[int, int]) -> Finding:
    """A group that is ahead of what is stored was moved by another. (It is for a moment too where a ledger is being
    made again after a reset: not counted while nothing of the partition is in the books.)"""
    ahead = [
        str(number)
        for number, position in sorted(stored.items())
        if position.first_offset < position.next_offset < committed.get(number, 0)
    ]
    if not ahead:
        return found
    detail = "the group is ahead of this ledger: another one reads with the same LEDGER_GROUP, or this one was restored"
    return found._replace(state=WRONG, detail=f"partitions {', '.join(ahead)}: {detail}")


def _check_each(stored: Mapping[int, Position], log: LogState) -> int:
    """The lag over all partitions; PositionError."""
    for position in stored.values():
        if position.partition in log.offsets:
            check_position(position, log)
    return sum(
        end - (stored[number].next_offset if number in stored else first)
        for number, (first, end) in log.offsets.items()
    )


def _check_ledger(patient: Patient) -> Iterator[Finding]:
    with patient.open_books() as books:
        yield _check_roles(books.roles())
        yield _check_rules(books.rules(), patient.versions)
        rows = books.books()
        off = [str(row["partition"]) for row in rows if not row["balanced"]]
        yield Finding("books", WRONG if off else OK, f"partitions {', '.join(off)}" if off else "balanced")
        yield _recount(books)


def _check_roles(roles: Sequence[str]) -> Finding:
    missing = {"ledger_reader", "ledger_writer"} - set(roles)
    return Finding("roles", WRONG if missing else OK, f"missing: {', '.join(sorted(missing))}" if missing else "both")


def _check_rules(stored: tuple[str, str] | None, ours: tuple[str, str]) -> Finding:
    if stored is not None and stored != ours:
        detail = f"the rows were made under {' and '.join(stored)}, this process has {' and '.join(ours)}: `reset`"
        return Finding("rules", WRONG, detail)
    return Finding("rules", OK, f"lifecycle {ours[0]}, policy {ours[1]}")


def _recount(books: Books) -> Finding:
    """Count the rows again. A projector at work moves the books meanwhile: then once more."""
    for _ in range(_RECOUNTS):
        before, counted, after = books.books(), books.recount(), books.books()
        if before == after:
            off = [str(row["partition"]) for row, again in zip(before, counted, strict=True) if not _agree(row, again)]
            return Finding("recount", WRONG if off else OK, f"partitions {', '.join(off)}" if off else "rows agree")
    return Finding("recount", OK, "not counted: a projector is writing")


def _agree(row: BookRow, again: BookRow) -> bool:
    return all(row[column] == value for column, value in again.items())
