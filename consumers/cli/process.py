"""`edge`, `project` and `up`: the processes that run on. Told to stop, they finish what they have, and exit with 0."""

from __future__ import annotations

import gc
import os
import resource
import secrets
import threading
from typing import Annotated

import typer
from prometheus_client import CollectorRegistry, start_http_server

from consumers import bootstrap
from consumers.bootstrap import Settings
from consumers.cli.logs import configure_logs
from consumers.cli.output import print_json, progress, say
from consumers.cli.workers import Workers, addresses, on_stop, say_where, start_all


def edge(context: typer.Context) -> None:
    """Receive webhooks: check, append to the topic, answer."""
    configure_logs()
    said = bootstrap.read_settings(context.obj)
    bootstrap.signature_checks(said)
    with bootstrap.servers(said, postgres=False, say=say) as settings, bootstrap.edge(settings) as server:
        on_stop(server.stop)
        say_where(f"webhooks: {server.url}{_webhook_path(said)}")
        server.run()


def project(
    context: typer.Context,
    until_end: Annotated[bool, typer.Option("--until-end", help="Stop at the end the topic has now.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --until-end: what was done, for machines.")] = False,
    metrics_port: Annotated[int | None, typer.Option(help="Serve /metrics on this port.", min=1, max=65535)] = None,
) -> None:
    """Project the topic into the ledger."""
    configure_logs()
    said, registry = bootstrap.read_settings(context.obj), CollectorRegistry()
    bootstrap.rules(said)
    with bootstrap.servers(said, say=say) as settings, bootstrap.projector(settings, registry) as projector:
        _collect_seldom()
        on_stop(projector.stop)
        if metrics_port is not None:
            start_http_server(metrics_port, settings.http_host, registry)
        if not until_end:
            projector.run()
            return
        with progress("projected") as reached:
            run = projector.run(until_end=True, reached=reached)
    if as_json:
        print_json({**run._asdict(), "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024})


def _collect_seldom() -> None:
    """A record leaves no cycles behind, but makes many objects: with Python's own thresholds the collector takes a
    fifth of the time. What is there before the first record is never looked at."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 50, 100)


def up(context: typer.Context) -> None:
    """Run everything in one go; on embedded servers where the settings name none. Data is kept between runs."""
    configure_logs()
    said = bootstrap.read_settings(context.obj)
    bootstrap.rules(said)
    bootstrap.check_access(said)
    made_up = {} if said.sources else {"LEDGER_WEBHOOK_SECRET": f"wbhsec_{secrets.token_hex(16)}"}
    with bootstrap.servers(said, say=say) as settings, Workers(context.obj) as workers:
        for line in bootstrap.migrate(settings):
            say(line)
        urls = start_all(workers, settings, {**os.environ, **made_up})
        workers.start("publish", {**os.environ, **addresses(settings)})
        where = [f"webhooks: {urls.edge}{_webhook_path(said)}", f"page: {urls.api}/"]
        for line in [*where, *_describe(said, settings), *_explain(made_up)]:
            typer.echo(line)
        stop = threading.Event()
        on_stop(stop.set)
        workers.watch(stop.is_set)


def _webhook_path(said: Settings) -> str:
    """One that is there: of the source `default`, or of the first that is configured."""
    named = [name for name in said.sources if name != "default"]
    is_default = "default" in said.sources or not named
    return bootstrap.WEBHOOK_PATH if is_default else f"{bootstrap.WEBHOOK_PATH}/{named[0]}"


def _describe(said: Settings, settings: Settings) -> list[str]:
    """Where the embedded servers are. Of a configured one nothing is shown: its URL may hold a secret."""
    lines = [f"LEDGER_KAFKA_BOOTSTRAP={settings.kafka_bootstrap}"] if said.kafka_bootstrap is None else []
    return lines + ([f"LEDGER_DATABASE_URL={settings.database_url}"] if said.database_url is None else [])


def _explain(made_up: dict[str, str]) -> list[str]:
    return [f"{name}={value}  (none is set: made up for this run)" for name, value in made_up.items()]


def add_to(app: typer.Typer) -> None:
    """Register the commands of this group."""
    app.command()(up)
    app.command()(edge)
    app.command()(project)
