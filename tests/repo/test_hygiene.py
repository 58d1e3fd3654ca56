"""What must never be in the tree."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from tests.repo.tree import ROOT, list_files, list_modules, parse

_TEXT = {".py", ".md", ".toml", ".txt", ".sql", ".mako", ".json", ".html", ".css", ".js", ".svg", ".lock", ""}

#: Put together from parts, so that this file does not hold them.
_UNFINISHED = "|".join(("TO" + "DO", "FIX" + "ME", "NotImplemented" + "Error", "st" + "ub"))
_PLACES = "|".join(("/wo" + "rk/", "/ro" + "ot/", "/tm" + "p/", "/ho" + "me/", "/Us" + "ers/", r"\.lib" + "rary"))
_REGISTRIES = "|".join(("pypi" + r"\.org", "pythonhosted" + r"\.org", "repo1?" + r"\.maven", "maven" + r"\.org"))


def _texts() -> Iterator[tuple[Path, str]]:
    for path in list_files():
        if path.suffix in _TEXT:
            yield path, (ROOT / path).read_text(encoding="utf-8")


def _find(pattern: str, keep: re.Pattern[str]) -> list[str]:
    return [
        f"{path}:{number}: {line.strip()[:120]}"
        for path, text in _texts()
        if keep.search(path.as_posix())
        for number, line in enumerate(text.splitlines(), 1)
        if re.search(pattern, line)
    ]


def test_nothing_is_left_unfinished() -> None:
    assert _find(rf"\b({_UNFINISHED})\b", re.compile(r"\.(py|md|sql)$")) == []


def test_no_file_names_a_folder_of_one_machine() -> None:
    assert _find(rf"(?<![\w.~*}}])({_PLACES})", re.compile("")) == []


def test_no_file_names_a_package_registry() -> None:
    assert _find(_REGISTRIES, re.compile("")) == []


def test_locks_hold_hashes_and_no_addresses() -> None:
    for path in (ROOT / "requirements").iterdir():
        text = path.read_text(encoding="utf-8")
        pins = re.findall(r"^[a-z0-9].*$", text, re.MULTILINE)
        assert pins
        assert all(re.fullmatch(r"[A-Za-z0-9._-]+==\S+ \\", pin) for pin in pins)
        assert text.count("--hash=sha256:") >= len(pins)
        assert "://" not in text


def test_locks_pin_every_dependency_that_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    names = {_normal(re.split(r"[\[<>=!~; ]", line)[0]) for line in declared}
    pinned = {
        _normal(line.split("==")[0])
        for line in (ROOT / "requirements/dev.txt").read_text().splitlines()
        if "==" in line
    }
    assert names - pinned == set()


def _normal(name: str) -> str:
    """PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("path", list_modules(), ids=str)
def test_no_error_is_swallowed(path: Path) -> None:
    """A surprise stops the process: whoever catches everything raises it again (style, rule 7)."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.ExceptHandler) and _catches_all(node):
            assert any(isinstance(inner, ast.Raise) for inner in ast.walk(node)), f"{path}:{node.lineno}"


def _catches_all(handler: ast.ExceptHandler) -> bool:
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(name is None or getattr(name, "id", "") in ("Exception", "BaseException") for name in caught)


@pytest.mark.parametrize("path", list_modules(), ids=str)
def test_a_module_is_named_for_what_it_holds(path: Path) -> None:
    assert path.stem not in {"utils", "util", "helpers", "helper", "base", "common", "misc"}


def test_no_test_is_skipped() -> None:
    assert _find(r"pytest\.(mark\.)?(sk" + "ip|xf" + "ail)", re.compile(r"^tests/")) == []
