"""Every error this project raises on purpose.

    LedgerError
    ├── UsageError                  exit 2: the user can mend it before anything ran
    │   ├── SettingsError           a variable or a file of settings
    │   └── PolicyError             the decision policy file
    ├── Refusal                     exit 1: going on would lose or mix something
    │   ├── TopicError              the topic is missing, or set otherwise than designed
    │   ├── PositionError           the position in Postgres does not belong to this log
    │   ├── SchemaError             the database is older or newer than the code, or has no schema
    │   └── RulesError              the rows were made under another lifecycle or policy
    ├── Unavailable                 try again: the other side does not answer
    │   ├── LogUnavailable          Kafka
    │   └── LedgerUnavailable       Postgres
    ├── Fenced                      another writer owns the partition now; drop, and read the positions again
    ├── Contended                   another writer touched the same inquiry; do the batch again
    ├── EmbeddedError               an embedded server cannot be had, or does not start
    └── Undecodable                 a record that cannot be read; becomes a quarantine row, never a crash

A refused *event* is not an error: it is a verdict (`domain.lifecycle`).
Messages name the field, the kind of the value and what to do; never a value that may be personal.
"""

from __future__ import annotations

from enum import StrEnum


class LedgerError(Exception):
    """Anything this project raises on purpose."""


class UsageError(LedgerError):
    """Wrong usage, settings or policy file."""


class SettingsError(UsageError):
    """A setting cannot be used."""

    def __init__(self, variable: str, problem: str) -> None:
        """`variable` is the environment variable's name, as the user writes it."""
        super().__init__(f"{variable}: {problem}")
        self.variable = variable
        self.problem = problem


class PolicyError(UsageError):
    """The policy file cannot be used."""

    def __init__(self, path: str, problem: str, *, key: str | None = None, line: int | None = None) -> None:
        """`key` is dotted, as in the file; `line` counts from 1."""
        where = path if line is None else f"{path}, line {line}"
        super().__init__(f"{where}: {f'{key}: ' if key else ''}{problem}")
        self.path = path
        self.key = key
        self.line = line


class Refusal(LedgerError):
    """Going on would lose or mix something, so nothing was done."""


class TopicError(Refusal):
    """The topic is missing, or set otherwise than designed."""


class PositionError(Refusal):
    """The position in Postgres does not belong to this log."""


class SchemaError(Refusal):
    """The database does not have the schema this code needs."""


class RulesError(Refusal):
    """The rows were made under another lifecycle or policy."""


class Unavailable(LedgerError):
    """The other side does not answer; the same call may succeed later."""


class LogUnavailable(Unavailable):
    """Kafka does not answer."""


class LedgerUnavailable(Unavailable):
    """Postgres does not answer."""


class Fenced(LedgerError):
    """Another writer moved this partition's position; nothing was written."""


class Contended(LedgerError):
    """Another writer changed the same inquiry meanwhile; nothing was written, do the batch again."""


class EmbeddedError(LedgerError):
    """An embedded server cannot be had, or does not start."""


class QuarantineReason(StrEnum):
    """Why a record is in quarantine, in the order in which they are looked for."""

    TOO_LARGE = "too_large"
    SEALED = "sealed"
    NOT_JSON = "not_json"
    MISSING_FIELD = "missing_field"
    BAD_TIME = "bad_time"
    BAD_FIELD = "bad_field"
    CONFLICTING_DUPLICATE = "conflicting_duplicate"


class Undecodable(LedgerError):
    """A record that cannot be read as an event."""

    def __init__(self, reason: QuarantineReason, detail: str) -> None:
        """`detail` names fields and kinds, never values."""
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
