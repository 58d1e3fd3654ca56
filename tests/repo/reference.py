"""Writes what the reference says from the code: `make docs`, or `python -m tests.repo.reference`.

A page is written by hand around its generated blocks, which stand between `<!-- generated: NAME -->` and
`<!-- end of NAME -->`. The picture of the lifecycle, and the schemas of the decision feed, are files of their own.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from inspect import cleandoc
from pathlib import Path
from typing import Any

import typer
from prometheus_client import CollectorRegistry
from typer.testing import CliRunner

from adapters.kafka_log.decision_record import FIELDS, headers_schema
from adapters.settings import Settings, variables
from adapters.web import refusal
from adapters.web.edge_metrics import EdgeMetrics
from adapters.web.load import Load
from adapters.web.reply import Problem
from consumers.cli.app import app
from consumers.lifecycle_drawing import LEGEND, draw_markdown, draw_mermaid
from consumers.lifecycle_svg import draw_svg
from consumers.metrics import ProjectorMetrics
from consumers.publisher_metrics import PublisherMetrics
from domain import errors
from domain.lifecycle import Lifecycle
from tests.repo import decisions_api, read_api
from tests.repo.tree import ROOT

REFERENCE = Path("docs/reference")
PICTURE = REFERENCE / "lifecycle.svg"

_BLOCK = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end of \2 -->)", re.DOTALL)

#: Columns of a line of help.
_WIDTH = 100

#: Defaults that are not the same on every machine, or no word of a shell.
_TOLD = {"data_dir": "`inquiry-ledger` in the user's data folder", "named_sources": "–"}

#: Fields with a secret in them, beside those that are not shown.
_HOLDS_SECRETS = {"named_sources"}


def draw_pages() -> dict[Path, str]:
    """What the pages with generated blocks, the picture, and the files for machines must be: path → text."""
    pages = {path: _fill((ROOT / path).read_text(encoding="utf-8")) for path in _list_generated()}
    picture = draw_svg(Lifecycle().cells()) + "\n"
    return {**pages, PICTURE: picture, **decisions_api.draw_files(), **read_api.draw_files()}


def _list_generated() -> list[Path]:
    pages = sorted((ROOT / "docs").rglob("*.md"))
    return [page.relative_to(ROOT) for page in pages if _BLOCK.search(page.read_text(encoding="utf-8"))]


def _fill(page: str) -> str:
    return _BLOCK.sub(lambda block: f"{block[1]}\n{BLOCKS[block[2]]()}\n\n{block[3]}", page)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _code(value: object) -> str:
    return f"`{value}`"


def draw_commands() -> str:
    """The help of every command, as it is shown."""
    return "\n\n".join(f"## {' '.join(words)}\n\n```text\n{_help(words)}\n```" for words in _walk(_command(), ()))


def _command() -> Any:
    return typer.main.get_command(app)


def _walk(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Every command in the order of the help, a group before what is in it; the outermost is not one."""
    if words:
        yield words
    for name, inner in getattr(command, "commands", {}).items():
        yield from _walk(inner, (*words, name))


def _help(words: Sequence[str]) -> str:
    asked = CliRunner().invoke(
        app, [*words, "--help"], prog_name="inquiry-ledger", terminal_width=_WIDTH, max_content_width=_WIDTH
    )
    return "\n".join(line.rstrip() for line in asked.output.strip().splitlines())


def draw_settings() -> str:
    """Every variable, its default, and what is expected of it."""
    return _table(("variable", "default", "expected", "secret"), _settings())


def _settings() -> Iterator[Sequence[str]]:
    for (variable, expected), (name, field) in zip(variables().items(), Settings.model_fields.items(), strict=True):
        default = _TOLD.get(name) or ("–" if field.default is None else _code(field.default))
        is_secret = not field.repr or name in _HOLDS_SECRETS
        yield _code(variable), default, expected, "yes" if is_secret else ""


def draw_errors() -> str:
    """The tree of `domain.errors`."""
    tree = cleandoc(errors.__doc__ or "").split("\n\n")[1]
    return f"```text\n{textwrap.dedent(tree)}\n```"


def draw_answers() -> str:
    """Everything the edge answers but 200."""
    problems = [value for value in vars(refusal).values() if isinstance(value, Problem)]
    ordered = sorted({*problems, *refusal.BAD_SIGNATURE.values()})
    return _table(("status", "reason", "detail", "fields"), map(_answer, ordered))


def draw_api_paths() -> str:
    """What can be asked of the read API."""
    return _table(("request", "answer", "status"), read_api.list_paths())


def draw_api_parameters() -> str:
    """And how."""
    return _table(("of", "parameter", "default", "meaning"), read_api.list_parameters())


def draw_api_answers() -> str:
    """Everything it answers but data."""
    return _table(("status", "reason", "detail", "fields"), map(_answer, read_api.list_problems()))


def _answer(problem: Problem) -> Sequence[str]:
    fields = ", ".join(_code(f"{name.decode()}: {value.decode()}") for name, value in problem.headers)
    return str(problem.status), _code(problem.reason), problem.detail, fields


def draw_edge_metrics() -> str:
    """What `/metrics` of the edge has."""
    return _draw_metrics(lambda registry: EdgeMetrics(registry, Load(1, 1)))


def draw_projector_metrics() -> str:
    """What `/metrics` of the projector has."""
    return _draw_metrics(ProjectorMetrics)


def draw_api_metrics() -> str:
    """What `/metrics` of the read API has."""
    return _draw_metrics(read_api.register_metrics)


def draw_publisher_metrics() -> str:
    """What `/metrics` of the publisher has."""
    return _draw_metrics(PublisherMetrics)


def _draw_metrics(make: Callable[[CollectorRegistry], object]) -> str:
    listing = _Listing()
    make(listing)
    return _table(("metric", "type", "labels", "meaning"), map(_metric, listing.made))


class _Listing(CollectorRegistry):
    """Keeps what registers: `collect` tells the labels only of what has been counted."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[Any] = []

    def register(self, collector: Any) -> None:
        super().register(collector)
        self.made.append(collector)


def _metric(collector: Any) -> Sequence[str]:
    (family,) = collector.describe()
    name = f"{family.name}_total" if family.type == "counter" else family.name
    return _code(name), family.type, ", ".join(map(_code, collector._labelnames)), family.documentation


def draw_table() -> str:
    """The lifecycle as a table."""
    table = Lifecycle()
    return f"{draw_markdown(table.cells())}\n\n{LEGEND}\n\n`lifecycle_version`: {_code(table.version)}"


def draw_diagram() -> str:
    """The lifecycle's edges as Mermaid."""
    return f"```mermaid\n{draw_mermaid(Lifecycle().cells())}\n```"


def draw_decision_fields() -> str:
    """The value of a record of the decision feed."""
    return _table(
        ("field", "type", "meaning"), ((_code(name), _type(schema), says) for name, (schema, says) in FIELDS.items())
    )


def _type(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(_code(value or "null") for value in schema["enum"])
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return " or ".join("time" if name == "string" and "pattern" in schema else name for name in types)


def draw_decision_headers() -> str:
    """The headers of a record of the decision feed."""
    schemas = headers_schema()["properties"]
    said = {
        name: _code(schema["const"]) if "const" in schema else schema["description"] for name, schema in schemas.items()
    }
    return _table(("header", "value"), ((_code(name), value) for name, value in said.items()))


def draw_decision_example() -> str:
    """A record of the decision feed."""
    return f"```json\n{json.dumps(decisions_api.example()['payload'], ensure_ascii=False, indent=2)}\n```"


def draw_decisions() -> str:
    """The decisions of design, by their headings."""
    pages = sorted((ROOT / "docs/decisions").glob("*.md"))
    return "\n".join(f"- [{_heading(page)}](decisions/{page.name})" for page in pages)


def _heading(page: Path) -> str:
    return page.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")


BLOCKS: Mapping[str, Callable[[], str]] = {
    "commands": draw_commands,
    "settings": draw_settings,
    "errors": draw_errors,
    "answers": draw_answers,
    "api_paths": draw_api_paths,
    "api_parameters": draw_api_parameters,
    "api_answers": draw_api_answers,
    "api_metrics": draw_api_metrics,
    "edge_metrics": draw_edge_metrics,
    "projector_metrics": draw_projector_metrics,
    "publisher_metrics": draw_publisher_metrics,
    "decision_fields": draw_decision_fields,
    "decision_headers": draw_decision_headers,
    "decision_example": draw_decision_example,
    "table": draw_table,
    "diagram": draw_diagram,
    "decisions": draw_decisions,
}


def main() -> None:
    """Write what is out of step, and name it."""
    for path, text in draw_pages().items():
        file = ROOT / path
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")
            typer.echo(f"written: {path}")


if __name__ == "__main__":
    main()
