"""The decision that services act on, and the policy that maps a status to it.

A policy file says that an organisation has no post-inquiry step, for all templates or for one (design, section 4).
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from domain.errors import PolicyError
from domain.lifecycle import Status


class Decision(StrEnum):
    """What is decided about an inquiry."""

    UNDECIDED = "undecided"
    APPROVED = "approved"
    DECLINED = "declined"
    NEEDS_REVIEW = "needs_review"


#: Status (or None) → decision.
DecisionTable = Mapping[Status | None, Decision]

_ALWAYS: DecisionTable = {
    None: Decision.UNDECIDED,
    **dict.fromkeys(Status, Decision.UNDECIDED),
    Status.APPROVED: Decision.APPROVED,
    Status.DECLINED: Decision.DECLINED,
    Status.NEEDS_REVIEW: Decision.NEEDS_REVIEW,
}

#: What a policy may say: key → the decisions it may name.
CHOICES: Mapping[str, tuple[Decision, ...]] = {
    "completed": (Decision.UNDECIDED, Decision.APPROVED, Decision.NEEDS_REVIEW),
    "failed": (Decision.UNDECIDED, Decision.DECLINED, Decision.NEEDS_REVIEW),
    "expired": (Decision.UNDECIDED, Decision.DECLINED),
}

_TEMPLATE = re.compile(r"i?tmpl_[0-9A-Za-z_-]+")


class DecisionPolicy:
    """Which decision a status means, by template. `version` is a hash of the meaning, not of the text."""

    def __init__(
        self,
        default: Mapping[str, Decision] | None = None,
        templates: Mapping[str, Mapping[str, Decision]] | None = None,
    ) -> None:
        self._default = _fill(default or {}, _ALWAYS)
        tables = {name: _fill(said, self._default) for name, said in (templates or {}).items()}
        self._templates = {name: table for name, table in tables.items() if table != self._default}
        self.version = _hash(self._default, self._templates)

    def table(self, template_id: str | None) -> DecisionTable:
        """The decision table of a template (None: unknown)."""
        return self._templates.get(template_id, self._default) if template_id else self._default


def _fill(said: Mapping[str, Decision], base: DecisionTable) -> DecisionTable:
    return {**base, **{Status(key): decision for key, decision in said.items()}}


def _hash(default: DecisionTable, templates: Mapping[str, DecisionTable]) -> str:
    """The first 12 hex digits of the SHA-256 over what each table says of the statuses a policy may name."""
    meaning = {name: [table[Status(key)].value for key in CHOICES] for name, table in templates.items()}
    text = json.dumps([[default[Status(key)].value for key in CHOICES], meaning], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def parse_policy(text: str, path: str) -> DecisionPolicy:
    """Read a policy file's text; `path` is only named in errors. PolicyError with the key and the line."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"at line ([0-9]+)", str(error))
        raise PolicyError(path, f"not TOML: {error}", line=int(at[1]) if at else None) from error
    reader = _Reader(text, path)
    for key in sorted(document.keys() - {"default", "template"}):
        raise reader.error([key], "unknown key; a policy has [default] and [template.<id>]")
    default = reader.section(["default"], document.get("default", {}))
    templates = reader.templates(document.get("template", {}))
    return DecisionPolicy(default, templates)


class _Reader:
    """Checks the sections of one policy file, and knows where a key stands in it."""

    def __init__(self, text: str, path: str) -> None:
        self._lines = text.splitlines()
        self._path = path

    def templates(self, table: Any) -> dict[str, dict[str, Decision]]:
        if not isinstance(table, dict):
            raise self.error(["template"], "must be tables, [template.<id>]")
        for name in table:
            if not _TEMPLATE.fullmatch(name):
                raise self.error(["template", name], "unknown template form; it begins with itmpl_ or tmpl_")
        return {name: self.section(["template", name], said) for name, said in table.items()}

    def section(self, path: list[str], said: Any) -> dict[str, Decision]:
        if not isinstance(said, dict):
            raise self.error(path, "must be a table")
        return {key: self._decision([*path, key], value) for key, value in said.items()}

    def _decision(self, path: list[str], value: Any) -> Decision:
        key = path[-1]
        if key not in CHOICES:
            raise self.error(path, f"unknown key; known are {', '.join(CHOICES)}")
        choices = [choice.value for choice in CHOICES[key]]
        if not isinstance(value, str) or value not in choices:
            raise self.error(path, f"must be one of {', '.join(choices)}")
        return Decision(value)

    def error(self, path: list[str], problem: str) -> PolicyError:
        return PolicyError(self._path, problem, key=".".join(path), line=self._find(path))

    def _find(self, path: list[str]) -> int | None:
        """The line where the key is given a value, or its section begins; of an inline table the line it stands on."""
        section, around = [], None
        for number, line in enumerate(self._lines, 1):
            if header := _HEADER.match(line):
                section = _split(header[1])
                key = section
            elif given := _GIVEN.match(line):
                key = [*section, *_split(given[1])]
            else:
                continue
            if key[: len(path)] == path:
                return number
            if key == path[: len(key)]:
                around = number
        return around


_WORD = r"""(?:[\w-]+|"[^"]*"|'[^']*')"""
_DOTTED = rf"{_WORD}(?:\s*\.\s*{_WORD})*"
_HEADER = re.compile(rf"\s*\[{{1,2}}\s*({_DOTTED})\s*\]")
_GIVEN = re.compile(rf"\s*({_DOTTED})\s*=")


def _split(dotted: str) -> list[str]:
    return [word.strip("\"'") for word in re.findall(_WORD, dotted)]
