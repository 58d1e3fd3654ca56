"""How commands speak: tables for people, JSON for machines, progress on stderr."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from domain.event import format_time

Row = Mapping[str, Any]


def print_json(value: object) -> None:
    """One JSON document on stdout; times RFC 3339 in UTC with milliseconds."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=_to_json))


def print_table(title: str, rows: Sequence[Row], columns: Iterable[str]) -> None:
    """A table on stdout, as wide as the terminal, or as it needs where there is none."""
    table = Table(header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_to_text(row.get(column.header)) for column in table.columns if isinstance(column.header, str)))
    console = _stdout()
    console.print(title, style="bold")
    console.print(table)


def print_pairs(title: str, row: Row) -> None:
    """One row on stdout, a line a column."""
    print_table(title, [{"column": name, "value": value} for name, value in row.items()], ("column", "value"))


def say(line: str) -> None:
    """One line on stderr: what is going on."""
    typer.echo(line, err=True)


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Yields `reached(done, total)`. A bar on a terminal, else plain lines at every tenth; both with the time left."""
    if sys.stderr.isatty():
        with _bar() as bar:
            task = bar.add_task(what, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
    else:
        yield _Lines(what)


class _Lines:
    """Progress where nobody watches: a line at every tenth of the way."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._tenth = -1
        self._began = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        tenth = done * 10 // total if total else 0
        if total and tenth != self._tenth:
            self._tenth = tenth
            say(f"{self._what}: {done} of {total}{self._tell_left(done, total)}")

    def _tell_left(self, done: int, total: int) -> str:
        """As fast as until now. Nothing where it is less than a second, or not known."""
        left_s = (time.monotonic() - self._began) * (total - done) / done if done else 0
        return f", about {left_s:.0f} s left" if left_s >= 1 else ""


def _bar() -> Progress:
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console)


def _stdout() -> Console:
    """rich takes 80 columns where there is no terminal, which breaks ids in two."""
    return Console() if sys.stdout.isatty() else Console(width=240)


def _to_text(value: object) -> Text:
    if value is None:
        return Text("–")
    return Text(format_time(value) if isinstance(value, datetime) else str(value))


def _to_json(value: object) -> str:
    if isinstance(value, datetime):
        return format_time(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
