"""`publish`: what changes in the ledger, to the topic of decisions."""

from __future__ import annotations

import logging
from typing import Annotated

import typer
from prometheus_client import CollectorRegistry, start_http_server

from consumers import bootstrap
from consumers.cli.logs import configure_logs
from consumers.cli.output import say
from consumers.cli.workers import on_stop


def publish(
    context: typer.Context,
    until_end: Annotated[bool, typer.Option("--until-end", help="Stop when what is there now is published.")] = False,
    metrics_port: Annotated[int | None, typer.Option(help="Serve /metrics on this port.", min=1, max=65535)] = None,
) -> None:
    """Publish decisions to the topic inquiry.decisions."""
    configure_logs()
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # all that it meets comes to us, and is said in our words
    said, registry = bootstrap.read_settings(context.obj), CollectorRegistry()
    with bootstrap.servers(said, say=say) as settings, bootstrap.publisher(settings, registry) as publisher:
        on_stop(publisher.stop)
        if metrics_port is not None:
            start_http_server(metrics_port, settings.http_host, registry)
        publisher.run(until_end=until_end)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(publish)
