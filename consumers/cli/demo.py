"""`demo`: the whole of it on throw-away data, fed by the simulator, compared with the simulator's truth."""

from __future__ import annotations

import os
import secrets
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consumers import bootstrap
from consumers.bootstrap import Settings
from consumers.cli.demo_report import print_report, verdict
from consumers.cli.output import progress, say
from consumers.cli.workers import Urls, Workers, on_stop, start_all

if TYPE_CHECKING:
    from consumers.bootstrap import Outcome, Plan

_PROJECTED_WITHIN_S = 60.0


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Stay up afterwards, to look around.")] = False,
    inquiries: Annotated[int, typer.Option(min=1)] = 500,
    seed: Annotated[int, typer.Option()] = 1,
    delivery: Annotated[
        list[Path] | None, typer.Option(help="A captured body to send as well; $REFERENCE_ID in it is replaced.")
    ] = None,
) -> None:
    """Show it all on throw-away data: what was decided and why. Exit code 1 where that is not the truth.

    No setting is read: what is simulated must not meet what is real.
    """
    plan = bootstrap.make_plan(seed, inquiries, {})
    captured = []
    for path in delivery or []:
        body = path.read_bytes().replace(b"$REFERENCE_ID", b"user-000000")
        plan, inquiry_id = bootstrap.add_delivery(plan, body)
        captured.append(inquiry_id)
    with tempfile.TemporaryDirectory(prefix="inquiry-ledger-demo-") as folder:
        is_right = _run(plan, captured, Settings(data_dir=Path(folder), edge_port=0, api_port=0), keep)
    raise typer.Exit(0 if is_right else 1)


def _run(plan: Plan, captured: list[str], said: Settings, keep: bool) -> bool:
    secret = f"wbhsec_{secrets.token_hex(16)}"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LEDGER_")}
    say("starting Kafka and Postgres")
    with bootstrap.servers(said, say=say) as settings, Workers(None, said.data_dir) as workers:
        for line in bootstrap.migrate(settings):
            say(line)
        urls = start_all(workers, settings, {**environ, "LEDGER_WEBHOOK_SECRET": secret})
        say(f"page: {urls.api}/")
        url = f"{urls.edge}{bootstrap.WEBHOOK_PATH}"
        with progress("delivered") as sent:
            outcome = bootstrap.deliver(plan, url, [secret], sent)
        _wait_for_projector(settings, workers)
        is_right = _report(plan, outcome, captured, settings)
        if keep:
            _stay(workers, settings, urls, secret)
    return is_right


def _wait_for_projector(settings: Settings, workers: Workers) -> None:
    """Until the ledger stands where the log ends."""
    ends = bootstrap.log_ends(settings)
    total = sum(ends.values())
    with bootstrap.reader(settings) as reader, progress("projected") as reached:

        def is_there() -> bool:
            done: int = sum(row["next_offset"] for row in reader.books())
            reached(done, total)
            return done >= total

        workers.watch(is_there, _PROJECTED_WITHIN_S)


def _report(plan: Plan, outcome: Outcome, captured: list[str], settings: Settings) -> bool:
    with bootstrap.reader(settings) as reader:
        print_report(reader, plan, outcome, captured)
        return verdict(reader, plan, outcome, captured)


def _stay(workers: Workers, settings: Settings, urls: Urls, secret: str) -> None:
    typer.echo(f"\npage: {urls.api}/\nwebhooks: {urls.edge}{bootstrap.WEBHOOK_PATH}")
    typer.echo(f"LEDGER_WEBHOOK_SECRET={secret}")
    typer.echo(f"LEDGER_KAFKA_BOOTSTRAP={settings.kafka_bootstrap}\nLEDGER_DATABASE_URL={settings.database_url}")
    say(f"Logs are in {settings.data_dir}. Ctrl-C ends it all, and throws it away.")
    stop = threading.Event()
    on_stop(stop.set)
    workers.watch(stop.is_set)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(demo)
