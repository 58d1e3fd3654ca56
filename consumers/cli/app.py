"""The commands and the options they share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from consumers.cli import admin, bench, demo, lifecycle, process, proof, publish, read, serve, simulate

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="What is decided about a Persona inquiry, since when, and why.",
)


@app.callback()
def share(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option(help="A TOML file of settings: LEDGER_… in lower case; the environment wins.")
    ] = None,
) -> None:
    """Keep the path for the command that reads the settings."""
    context.obj = config


for group in (process, serve, publish, demo, admin, read, proof, lifecycle, simulate, bench):
    group.add_to(app)
