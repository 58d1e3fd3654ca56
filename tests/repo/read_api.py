"""The read API for machines and for people: its OpenAPI document, and the same as tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from adapters.memory import MemoryLedger
from adapters.memory.reading import MemoryQuery
from adapters.web.api import guard, limits, problems
from adapters.web.api.app import build_api
from adapters.web.api.lag import Lag
from adapters.web.api.metrics import ApiMetrics
from adapters.web.api.tail import Tail
from adapters.web.reply import Problem
from tests.sites import no_news, parts_over

OPENAPI = Path("docs/reference/openapi.json")


def draw_files() -> dict[Path, str]:
    """The OpenAPI document: path → text."""
    return {OPENAPI: json.dumps(_document(), ensure_ascii=False, indent=2) + "\n"}


def _document() -> dict[str, Any]:
    return build_api(parts_over(MemoryQuery(MemoryLedger("persona.events")))).openapi()


def _operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in _document()["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def list_paths() -> Iterator[Sequence[str]]:
    """Request and answer of each operation."""
    for request, operation in _operations():
        yield f"`{request}`", operation["summary"], ", ".join(sorted(operation["responses"]))


def list_parameters() -> Iterator[Sequence[str]]:
    """Where it may be said, its name, default, and meaning."""
    for request, operation in _operations():
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "query":
                default = parameter["schema"].get("default")
                shown = "–" if default is None else f"`{default}`"
                yield f"`{request.removeprefix('GET /v1/')}`", f"`{parameter['name']}`", shown, _tell(parameter)


def _tell(parameter: Mapping[str, Any]) -> str:
    schema: dict[str, Any] = parameter["schema"]
    description: str = parameter["description"]
    if "enum" in schema:
        return f"{description} {', '.join(f'`{value}`' for value in schema['enum'])}."
    if "maximum" in schema:
        return f"{description} {schema['minimum']:g} to {schema['maximum']:g}."
    return description


def list_problems() -> list[Problem]:
    """Everything that is answered but data, beside a bad parameter."""
    return sorted({value for room in (guard, limits, problems) for value in vars(room).values() if _is_problem(value)})


def _is_problem(value: object) -> bool:
    return isinstance(value, Problem)


def register_metrics(registry: CollectorRegistry) -> None:
    """What `/metrics` of the read API has."""
    query = MemoryQuery(MemoryLedger("persona.events"))
    ApiMetrics(registry, Tail(query, no_news), Lag(dict))
