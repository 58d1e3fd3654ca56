"""`api`: the read API and the page."""

from __future__ import annotations

import typer

from consumers import bootstrap
from consumers.cli.logs import configure_logs
from consumers.cli.output import say
from consumers.cli.workers import on_stop, say_where


def api(context: typer.Context) -> None:
    """Serve the read API and the page."""
    configure_logs()
    said = bootstrap.read_settings(context.obj)
    bootstrap.check_access(said)
    bootstrap.rules(said)
    with bootstrap.servers(said, say=say) as settings, bootstrap.api(settings) as server:
        on_stop(server.stop)
        say_where(f"page: {server.url}/")
        server.run()


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(api)
