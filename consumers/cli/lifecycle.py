"""`lifecycle`: the table that decides what is legal, drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Annotated

import typer

from consumers.cli.output import print_json
from consumers.lifecycle_drawing import LEGEND, draw_lines, draw_markdown, draw_mermaid, to_mapping
from consumers.lifecycle_svg import draw_svg
from domain.lifecycle import Lifecycle


class Format(StrEnum):
    """How to draw."""

    TABLE = "table"
    MERMAID = "mermaid"
    SVG = "svg"
    TEXT = "text"


def lifecycle(
    form: Annotated[Format, typer.Option("--format", help="table: Markdown; text: one line a cell.")] = Format.TABLE,
    as_json: Annotated[bool, typer.Option("--json", help="For machines: every cell.")] = False,
) -> None:
    """Draw the lifecycle: which event does what in which status."""
    table = Lifecycle()
    if as_json:
        cells = [to_mapping(cell) for cell in table.cells()]
        print_json({"lifecycle_version": table.version, "cells": cells})
    else:
        typer.echo(_DRAWINGS[form](table))


_DRAWINGS: Mapping[Format, Callable[[Lifecycle], str]] = {
    Format.TABLE: lambda table: f"{draw_markdown(table.cells())}\n\n{LEGEND}\n\nlifecycle_version {table.version}",
    Format.MERMAID: lambda table: draw_mermaid(table.cells()),
    Format.SVG: lambda table: draw_svg(table.cells()),
    Format.TEXT: lambda table: draw_lines(table.cells()),
}


def add_to(app: typer.Typer) -> None:
    """Register the commands of this group."""
    app.command()(lifecycle)
