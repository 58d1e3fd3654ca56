"""`history` and `quarantine`: what the ledger says, from the views."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from consumers import bootstrap
from consumers.cli.output import print_json, print_pairs, print_table, say
from domain.errors import QuarantineReason

AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]

_HISTORY = ("position", "event_name", "occurred_at", "verdict", "edge", "reason", "from_status", "to_status",
            "payload_status", "partition", "offset", "event_id")  # fmt: skip
_REVISIONS = ("revision", "status", "decision", "decided_at", "effective_at", "known_at", "partition", "offset")
_QUARANTINE = ("partition", "offset", "appended_at", "reason", "detail")


def history(
    context: typer.Context,
    inquiry_id: Annotated[str, typer.Argument(help="The inquiry's id, inq_…")],
    as_json: AsJson = False,
) -> None:
    """Show one inquiry: its decision, its events in canonical order, and what a reader could have seen."""
    with bootstrap.running(context.obj, kafka=False) as settings, bootstrap.reader(settings) as reader:
        decision = reader.decision(inquiry_id)
        events, revisions = reader.history(inquiry_id), reader.revisions(inquiry_id)
    if decision is None:
        say("inquiry-ledger: no such inquiry in the ledger")
        raise typer.Exit(1)
    if as_json:
        print_json({"decision": decision, "history": events, "revisions": revisions})
    else:
        _print_history(decision, events, revisions)


def _print_history(decision: dict[str, Any], events: list[dict[str, Any]], revisions: list[dict[str, Any]]) -> None:
    print_pairs("current_decision", decision)
    print_table("inquiry_history", events, _HISTORY)
    print_table("decision_revision", revisions, _REVISIONS)


def quarantine(
    context: typer.Context,
    reason: Annotated[QuarantineReason | None, typer.Option(help="Only records with this reason.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Show the records that count for nothing: unreadable, or the losers of a conflict."""
    with bootstrap.running(context.obj, kafka=False) as settings, bootstrap.reader(settings) as reader:
        rows = reader.quarantine(reason, limit)
    if as_json:
        print_json(rows)
    else:
        print_table("quarantine", rows, _QUARANTINE)


def add_to(app: typer.Typer) -> None:
    """Register the commands of this group."""
    app.command()(history)
    app.command()(quarantine)
