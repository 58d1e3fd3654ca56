"""How far what is shown can be trusted: whether the books balance, and how far the ledger is behind its log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

from adapters.web.api.lag import Lag
from adapters.web.page.words import tell_span
from domain.reading import ViewRow

#: Seconds behind from which on readers are warned.
_LATE_S = 10


class Health(NamedTuple):
    """A line on top of each page. `mood`: `good`, or `bad` where somebody has to look."""

    mood: str
    books: str
    lag: str


def judge(books: Sequence[ViewRow], lag: Lag) -> Health:
    """`books`: rows of `books`."""
    wrong = [str(row["partition"]) for row in books if not row["balanced"]]
    seconds = lag.seconds()
    is_good = not wrong and seconds is not None and seconds < _LATE_S
    return Health("good" if is_good else "bad", _tell_books(books, wrong), _tell_lag(seconds))


def _tell_books(books: Sequence[ViewRow], wrong: Sequence[str]) -> str:
    if wrong:
        return f"Books out of balance: partition {', '.join(wrong)}"
    return "Books balanced" if books else "Nothing has been read of the log yet"


def _tell_lag(seconds: int | None) -> str:
    if seconds is None:
        return "How far the ledger is behind the log is not known"
    return f"{tell_span(timedelta(seconds=seconds))} behind the log" if seconds else "Up to date with the log"


def behind(row: ViewRow, ends: Mapping[int, int]) -> int | None:
    """Records of a partition that are in the log and not in the ledger yet; None where the log has not answered."""
    end = ends.get(row["partition"])
    return None if end is None else max(0, end - row["next_offset"])
