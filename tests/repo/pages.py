"""The documentation as a machine reads it: pages, their fences and links, and the commands a reader would type."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.repo.tree import ROOT, list_files

#: Pages whose commands a reader types in order, from the first to the last.
SESSIONS = ("README.md", "CONTRIBUTING.md", "docs/tutorial.md", "docs/how-to/")

#: What a page may ask of the reader between two fences, written as a comment.
STOP = "<!-- reader: Ctrl-C -->"

PROMPT = "$ "

_OPEN = re.compile(r"```(\S.*)?")
_LINK = re.compile(r"\]\(([^)\s]+)\)")


class Fence(NamedTuple):
    """A fenced block. `kind`: the first word after the fence; `said`: the words after it, `name=value` or `name`. A
    `STOP` between fences is one of kind `stop`."""

    page: Path
    line: int
    kind: str
    said: Mapping[str, str]
    text: str


class Command(NamedTuple):
    """What is typed behind a prompt, and the lines a page shows of its output."""

    text: str
    shown: tuple[str, ...]


def list_pages() -> list[Path]:
    """Every Markdown page, relative to the root."""
    return [path for path in list_files() if path.suffix == ".md"]


def list_sessions() -> list[Path]:
    """The pages whose commands are run."""
    return [path for path in list_pages() if path.as_posix().startswith(SESSIONS)]


def read_page(path: Path) -> str:
    """A page's text."""
    return (ROOT / path).read_text(encoding="utf-8")


def read_fences(path: Path) -> list[Fence]:
    """The fences of a page, in order. ValueError where one does not end."""
    return list(_fences(path, iter(enumerate(read_page(path).splitlines(), 1))))


def _fences(path: Path, lines: Iterator[tuple[int, str]]) -> Iterator[Fence]:
    for number, line in lines:
        if line.strip() == STOP:
            yield Fence(path, number, "stop", {}, "")
        elif opened := _OPEN.fullmatch(line.strip()):
            kind, *words = shlex.split(opened[1] or "none")
            said = {name: value for name, _, value in (word.partition("=") for word in words)}
            yield Fence(path, number, kind, said, _until_closed(path, number, lines))


def _until_closed(path: Path, opened_at: int, lines: Iterator[tuple[int, str]]) -> str:
    inside: list[str] = []
    for _, line in lines:
        if line.strip() == "```":
            return textwrap.dedent("".join(f"{text}\n" for text in inside))
        inside.append(line)
    raise ValueError(f"{path}:{opened_at}: this fence does not end")


def read_commands(fence: Fence) -> list[Command]:
    """The commands of a console, each with what is shown after it."""
    commands: list[Command] = []
    for line in fence.text.splitlines():
        if line.startswith(PROMPT):
            commands.append(Command(line.removeprefix(PROMPT), ()))
        elif not commands:
            raise ValueError(f"{fence.page}:{fence.line}: a console begins with a prompt")
        elif commands[-1].text.endswith("\\"):
            commands[-1] = Command(f"{commands[-1].text}\n{line}", ())
        else:
            commands[-1] = commands[-1]._replace(shown=(*commands[-1].shown, line))
    return commands


def read_links(path: Path) -> list[str]:
    """Targets of the links of a page, code left out."""
    text = re.sub(r"```.*?```", "", read_page(path), flags=re.DOTALL)
    return _LINK.findall(re.sub(r"`[^`\n]*`", "", text))


def read_anchors(path: Path) -> set[str]:
    """What `#…` may name on a page: its headings, as GitHub writes them."""
    text = re.sub(r"```.*?```", "", read_page(path), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def read_table(path: Path, heading: str) -> list[list[str]]:
    """The rows of the first table under a heading, cells without backticks. KeyError where there is none."""
    _, found, section = read_page(path).partition(f"\n## {heading}\n")
    rows = [line for line in section.partition("\n## ")[0].splitlines() if line.startswith("|")]
    if not found or not rows:
        raise KeyError(f"{path}: no table under {heading}")
    return [[cell.strip().strip("`") for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows[2:]]
