"""`migrate`, `reset` and `doctor`: what an operator does."""

from __future__ import annotations

from typing import Annotated

import typer

from consumers import bootstrap
from consumers.cli.output import print_json, print_table, say
from consumers.doctor import examine


def migrate(context: typer.Context) -> None:
    """Prepare the schema and the topic: create what is missing, alter no topic."""
    with bootstrap.running(context.obj) as settings:
        for line in bootstrap.migrate(settings):
            typer.echo(line)


def reset(
    context: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Empty the ledger. The topic stays; `project` makes everything again from it."""
    with bootstrap.running(context.obj, kafka=False) as settings:
        bootstrap.check_schema(settings)
        if not yes and not typer.confirm("Empty the ledger? Readers see nothing until `project` has made it again."):
            say("nothing was done")
            raise typer.Exit(1)
        bootstrap.reset(settings)
    typer.echo("the ledger is empty; `inquiry-ledger project` makes it again from the topic")


def doctor(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Look at every part, and say what is wrong. Exit code 1 when something is."""
    with bootstrap.running(context.obj) as settings, bootstrap.patient(settings) as patient:
        findings = examine(patient)
    rows = [finding._asdict() for finding in findings]
    if as_json:
        print_json(rows)
    else:
        print_table("doctor", rows, ("check", "state", "detail"))
    raise typer.Exit(any(finding.state != "ok" for finding in findings))


def add_to(app: typer.Typer) -> None:
    """Register the commands of this group."""
    app.command()(migrate)
    app.command()(reset)
    app.command()(doctor)
