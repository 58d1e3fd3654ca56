"""Compares a ledger with the truth of the simulator that fed it. Pure: rows and truth in, what differs out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

Row = Mapping[str, Any]


class Truth(Protocol):
    """What must be decided about one inquiry; the fields are columns of `current_decision`."""

    def _asdict(self) -> dict[str, Any]: ...


def differences(truth: Mapping[str, Truth], decisions: Iterable[Row]) -> list[str]:
    """One line for each inquiry whose row is missing, or says something else."""
    rows = {row["inquiry_id"]: row for row in decisions}
    found = (_compare(inquiry_id, expected, rows.get(inquiry_id)) for inquiry_id, expected in truth.items())
    return [line for line in found if line]


def _compare(inquiry_id: str, expected: Truth, row: Row | None) -> str:
    if row is None:
        return f"{inquiry_id}: not in the ledger"
    off = [f"{name} {row[name]} instead of {value}" for name, value in expected._asdict().items() if row[name] != value]
    return f"{inquiry_id}: {', '.join(off)}" if off else ""


def miscounts(expected: Mapping[str, int], books: Iterable[Row]) -> list[str]:
    """One line for each count of the books that is not what was sent, and for each partition out of balance."""
    rows = list(books)
    total = {name: sum(row[name] for row in rows) for name in expected}
    wrong = [f"{name}: {total[name]} instead of {count}" for name, count in expected.items() if total[name] != count]
    return wrong + [f"partition {row['partition']}: out of balance" for row in rows if not row["balanced"]]


def misfits(expected: Mapping[str, int], quarantined: Iterable[Row]) -> list[str]:
    """One line for each reason for which more or fewer records are in quarantine than were sent."""
    found = Counter(row["reason"] for row in quarantined)
    reasons = sorted({*expected, *found})
    return [
        f"{reason}: {found[reason]} in quarantine instead of {expected.get(reason, 0)}"
        for reason in reasons
        if found[reason] != expected.get(reason, 0)
    ]


def explain(decision: Row, history: Sequence[Row]) -> str:
    """Why an inquiry is where it is, in one line: its events in canonical order, with what each of them did."""
    return " → ".join(_explain(history)) + f" ⇒ {decision['decision']}"


def _explain(history: Iterable[Row]) -> Iterator[str]:
    for row in history:
        name = row["event_name"].removeprefix("inquiry.")
        marks = {"applied": f" ({row['edge']})", "repeated": " (repeated)", "refused": f" (refused: {row['reason']})"}
        yield name if row["edge"] == "documented" else name + marks[row["verdict"]]
