"""`api`: the read API and the page."""

from __future__ import annotations

import sys

import typer

from consumers import bootstrap
from consumers.cli.logs import configure_logs
from consumers.cli.output import say
from consumers.cli.workers import on_stop, say_where

#: How long a thread that asks Kafka may hold the interpreter while requests wait. Python's own 5 ms is what one request
#: in a hundred would see.
_SWITCH_INTERVAL_S = 0.0005


def api(context: typer.Context) -> None:
    """Serve the read API and the page."""
    configure_logs()
    said = bootstrap.read_settings(context.obj)
    bootstrap.check_access(said)
    bootstrap.rules(said)
    with bootstrap.servers(said, say=say) as settings, bootstrap.api(settings) as server:
        on_stop(server.stop)
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        say_where(f"page: {server.url}/")
        server.run()


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(api)
