"""The files of this repository, as git sees them: what the checks of this folder look at."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("domain", "adapters", "consumers", "migrations")

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


def list_files() -> list[Path]:
    """Tracked and new files, relative to the root; what is ignored is not there."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    names = [Path(name) for name in listed.split("\0") if name]
    return sorted(name for name in names if (ROOT / name).is_file())


def list_modules() -> list[Path]:
    """The Python files that are shipped."""
    return [path for path in list_files() if path.suffix == ".py" and path.parts[0] in PACKAGES]


def parse(path: Path) -> ast.Module:
    """A module's syntax tree."""
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def functions() -> Iterator[tuple[Path, FunctionNode]]:
    """Every function and method that is shipped."""
    for path in list_modules():
        for node in ast.walk(parse(path)):
            if isinstance(node, FunctionNode):
                yield path, node


def count_code_lines(path: Path, node: FunctionNode) -> int:
    """Lines from `def` to the end, without the docstring, comments and empty lines."""
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    numbers = set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    if ast.get_docstring(node) is not None:
        numbers -= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    texts = [lines[number - 1].strip() for number in numbers]
    return sum(bool(text) and not text.startswith("#") for text in texts)
