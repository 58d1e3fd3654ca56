"""`simulate`: a Persona of our own sends to an edge, and tells what the ledger must come to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from consumers import bootstrap
from consumers.cli.output import print_json, print_pairs, progress
from domain.errors import SettingsError

if TYPE_CHECKING:
    from consumers.bootstrap import Outcome, Plan, Settings

Share = Annotated[float, typer.Option(min=0, max=1)]


def simulate(
    context: typer.Context,
    url: Annotated[str | None, typer.Option(help="Where to send; by default the edge of the settings.")] = None,
    secret: Annotated[str | None, typer.Option(help="The current one, or current,old.", show_default=False)] = None,
    inquiries: Annotated[int, typer.Option(min=1)] = 100,
    rate: Annotated[float, typer.Option(min=0, help="Deliveries a second at most; 0: no limit.")] = 0,
    seed: Annotated[int, typer.Option()] = 1,
    repeated: Share = 0.2,
    out_of_order: Share = 0.2,
    late: Share = 0.05,
    dropped: Share = 0.05,
    forged: Share = 0.02,
    broken: Share = 0.02,
    time_scale: Annotated[float, typer.Option(min=0, help="Real seconds for a simulated one; 0: no waiting.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="For machines, with the truth about every inquiry.")] = False,
) -> None:
    """Send what Persona would: late, repeated, out of order, forged, broken.

    The same seed sends the same all day (UTC), and on another day the same about others.
    """
    settings = bootstrap.read_settings(context.obj)
    signers = secret.split(",") if secret else _secrets(settings)
    odds = {"repeated": repeated, "out_of_order": out_of_order, "late": late, "dropped": dropped,
            "forged": forged, "broken": broken}  # fmt: skip
    plan = bootstrap.make_plan(seed, inquiries, odds)
    target = url or f"http://127.0.0.1:{settings.edge_port}{bootstrap.WEBHOOK_PATH}"
    with progress("sent") as sent:
        outcome = bootstrap.deliver(plan, target, signers, sent, rate=rate, time_scale=time_scale)
    summary = summarise(plan, outcome)
    if as_json:
        print_json({**summary, "expected": _truth(plan)})
    else:
        print_pairs("simulate", summary)
    raise typer.Exit(1 if summary["never_accepted"] or summary["forged_accepted"] else 0)


def _secrets(settings: Settings) -> tuple[str, ...]:
    source = settings.sources.get("default")
    if source is None:
        raise SettingsError("LEDGER_WEBHOOK_SECRET", "is needed here, or --secret")
    return source.secrets


def summarise(plan: Plan, outcome: Outcome) -> dict[str, Any]:
    """What was sent, and how it was answered."""
    return {
        "seed": plan.seed,
        "inquiries": len(plan.truth),
        "deliveries": len(plan.deliveries),
        "answers": {str(status): count for status, count in sorted(outcome.statuses.items())},
        "never_accepted": len(outcome.never_accepted),
        "forged_accepted": sum(
            count for (kind, status), count in outcome.answers.items() if kind == "forged" and 200 <= status < 300
        ),
    }


def _truth(plan: Plan) -> dict[str, Any]:
    return {
        "counts": plan.counts,
        "quarantine": plan.quarantine,
        "inquiries": {inquiry_id: expected._asdict() for inquiry_id, expected in plan.truth.items()},
    }


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(simulate)
