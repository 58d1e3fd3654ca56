"""What `demo` prints: what was sent, what was decided and why, what was refused, and whether it is the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from consumers.cli.output import print_table
from consumers.cli.simulate import summarise
from consumers.demo import differences, explain, miscounts, misfits

if TYPE_CHECKING:
    from consumers.bootstrap import LedgerReader, Outcome, Plan

_SHOWN = 8


def print_report(reader: LedgerReader, plan: Plan, outcome: Outcome, captured: Sequence[str]) -> None:
    """Everything but the verdict."""
    sent = Counter(planned.kind for planned in plan.deliveries)
    answers = [
        {"kind": kind, "sent": sent[kind], "answer": status, "deliveries": count}
        for (kind, status), count in sorted(outcome.answers.items())
    ]
    print_table("Deliveries, by their last answer", answers, ("kind", "sent", "answer", "deliveries"))
    _print_decisions(reader, plan)
    print_table("One inquiry of each story, and why", _samples(reader, plan, captured), ("story", "inquiries", "why"))
    columns = ("inquiry_id", "event_name", "occurred_at", "reason", "from_status")
    print_table(f"Refused by the lifecycle (the last {_SHOWN})", reader.refused(_SHOWN), columns)
    _print_quarantine(reader)
    print_table("Books: every offset of the topic is one of these", reader.books(), _BOOKS)


_BOOKS = ("partition", "next_offset", "applied", "repeated", "refused", "ignored", "duplicate", "quarantined", "gaps",
          "balanced")  # fmt: skip


def _print_decisions(reader: LedgerReader, plan: Plan) -> None:
    counts = Counter((row["status"], row["decision"]) for row in reader.view("current_decision"))
    rows = [{"status": status, "decision": decision, "inquiries": n} for (status, decision), n in counts.most_common()]
    print_table("Decisions", rows, ("status", "decision", "inquiries"))


def _samples(reader: LedgerReader, plan: Plan, captured: Sequence[str]) -> list[dict[str, Any]]:
    titles = Counter(story.title for story in plan.stories.values())
    first = {story.title: inquiry_id for inquiry_id, story in reversed(list(plan.stories.items()))}
    rows = [{"story": title, "inquiries": n, "why": _why(reader, first[title])} for title, n in titles.most_common()]
    return [*rows, *({"story": "captured", "inquiries": 1, "why": _why(reader, key)} for key in captured)]


def _why(reader: LedgerReader, inquiry_id: str) -> str:
    decision = reader.decision(inquiry_id)
    return explain(decision, reader.history(inquiry_id)) if decision else "not in the ledger"


def _print_quarantine(reader: LedgerReader) -> None:
    counts = Counter((row["reason"], row["detail"]) for row in reader.view("quarantine"))
    rows = [{"reason": reason, "detail": detail, "records": n} for (reason, detail), n in sorted(counts.items())]
    print_table("Quarantine", rows, ("reason", "detail", "records"))


def verdict(reader: LedgerReader, plan: Plan, outcome: Outcome, captured: Sequence[str]) -> bool:
    """Whether ledger and truth are the same, said in a line; else a line for each difference."""
    decisions = reader.view("current_decision")
    known = {row["inquiry_id"] for row in decisions}
    counts = {**plan.counts, "applied": plan.counts["applied"] + len(captured)}
    summary = summarise(plan, outcome)
    wrong = [
        *differences(plan.truth, decisions),
        *(f"{inquiry_id}: not in the ledger" for inquiry_id in captured if inquiry_id not in known),
        *miscounts(counts, reader.books()),
        *misfits(plan.quarantine, reader.view("quarantine")),
        *(f"{name}: {summary[name]}" for name in ("never_accepted", "forged_accepted") if summary[name]),
    ]
    for line in wrong:
        typer.echo(f"wrong: {line}")
    if not wrong:
        typer.echo(f"{len(plan.truth)} inquiries are decided as the simulator meant them, and the books balance.")
    return not wrong
