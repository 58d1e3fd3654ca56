"""The decision in two times: what held at one moment, by what was known at another. Asked by a form of two fields."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from adapters.web.api.past import look_back
from domain.event import Sighting, parse_time
from domain.history import known_by, occurred_by
from domain.inquiry import Rules
from domain.reading import ViewRow

#: What people write, and copy from the page. Without a zone it is UTC, as the label says; a day alone is its begin.
_SHORT = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[Tt ](\d{2}:\d{2})(:\d{2}(?:\.\d+)?)?)?[Zz]?", re.ASCII)

#: Of what cannot be read so much is shown again, to be mended.
_MAX_SHOWN = 64

_NO_TIME = "write a time in UTC such as 2026-03-01 12:00, or RFC 3339 with a zone"
_FUTURE = "lies in the future: nobody knows yet what will be known then"


class Asked(NamedTuple):
    """The form: two times, and by field what it shows and what is wrong with it."""

    as_of: datetime | None
    known_at: datetime | None
    texts: Mapping[str, str]
    problems: Mapping[str, str]

    @property
    def is_asked(self) -> bool:
        """Whether there is something to answer."""
        return bool((self.as_of or self.known_at) and not self.problems)


class Then(NamedTuple):
    """The answer. `row`: of `current_decision`; None where nothing was known then. How many of the inquiry's `records`
    were `known`, and of how many of these the event had `occurred`."""

    row: ViewRow | None
    known: int
    occurred: int
    records: int


def read_form(query: Mapping[str, str], now: datetime) -> Asked:
    """`query`: the parameters of the request."""
    texts = {name: query.get(name, "").strip() for name in ("as_of", "known_at")}
    times: dict[str, datetime | None] = dict.fromkeys(texts)
    problems = {}
    for name, text in texts.items():
        try:
            times[name] = _parse(text)
        except ValueError:
            problems[name] = _NO_TIME
    known_at = times["known_at"]
    if known_at is not None and known_at > now:
        problems["known_at"] = _FUTURE
    shown = {name: text[:_MAX_SHOWN] for name, text in texts.items()}
    return Asked(times["as_of"], known_at, shown, problems)


def _parse(text: str) -> datetime | None:
    if not text:
        return None
    short = _SHORT.fullmatch(text)
    return parse_time(f"{short[1]}T{short[2] or '00:00'}{short[3] or ':00'}Z" if short else text)


def answer(inquiry_id: str, records: Sequence[Sighting], asked: Asked, rules: Rules) -> Then:
    """What the ledger says of then. `records`: all of the inquiry's."""
    row = look_back(records, inquiry_id, asked.as_of, asked.known_at, rules)
    known = known_by(records, asked.known_at)
    return Then(row, len(known), len(occurred_by(known, asked.as_of)), len(records))
