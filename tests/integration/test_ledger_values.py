"""Whatever a record may say comes out of Postgres as it went in: the rows are those of the ledger in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.ledger.admin import reset
from adapters.ledger.read import LedgerReader
from adapters.ledger.write import PostgresLedger
from adapters.memory import MemoryLedger
from domain.event import Event, is_text
from domain.lifecycle import RANKS
from tests.ledgers import Views, project

TOPIC = "events"

FIRST = datetime(1, 1, 1, tzinfo=UTC)
LAST = datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)

#: Sorted by code point these are in this order, by UTF-16 or by a language's rules they are not.
ODD = (
    "\x01", "\t", "\n", "\r", " ", '"', "%", "'", "\\", "\x7f", "\x80", "\u00a0", "\u0301", "\u200b", "\u202e",
    "\ud7ff", "\ue000", "\ufeff", "\ufffd", "\ufffe", "\uffff", "\U00010000", "\U0001d11e", "\U0010ffff",
)  # fmt: skip

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=128)
times = st.datetimes(timezones=st.just(UTC)).map(lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000))


@pytest.fixture
def write(database_url: str) -> Iterator[Callable[[list[Event]], Views]]:
    """Writes these events, and nothing else, into Postgres."""

    def write_anew(events: list[Event]) -> Views:
        reset(database_url)
        return project(Views(ledger, TOPIC, reader.view), events, cuts=[len(events) // 2])

    with closing(PostgresLedger(database_url, TOPIC)) as ledger, LedgerReader(database_url) as reader:
        yield write_anew


def check(written: Views, events: list[Event]) -> None:
    memory = MemoryLedger(TOPIC)
    assert written.rows() == project(Views(memory, TOPIC, memory.view), events).rows()


def test_the_first_and_the_last_moment_there_are(write: Callable[[list[Event]], Views]) -> None:
    events = [
        Event("inq_1", "evt_last", "inquiry.approved", LAST),
        Event("inq_1", "evt_first", "inquiry.created", FIRST),
        Event("inq_1", "evt_redacted", "inquiry.redacted", LAST),
    ]
    written = write(events)
    check(written, events)
    assert [row["occurred_at"] for row in written.read("inquiry_history")] == [FIRST, LAST, LAST]


@pytest.mark.parametrize("letter", ["x", "é", "\uffff", "\U0001d11e"])
def test_the_longest_texts_there_may_be(write: Callable[[list[Event]], Views], letter: str) -> None:
    longest = (letter * 512).encode()[:512].decode(errors="ignore")
    assert is_text(longest)
    assert not is_text(longest + letter)
    events = [Event(longest, longest, "inquiry.created", FIRST, *[longest] * 5) for _ in range(3)]
    check(write(events), events)


def test_odd_code_points_are_kept_and_ordered_as_the_fold_orders_them(write: Callable[[list[Event]], Views]) -> None:
    events = [Event(odd, other, "inquiry.started", FIRST, odd, other) for odd in reversed(ODD) for other in ODD[::7]]
    written = write(events)
    check(written, events)
    assert [row["inquiry_id"] for row in written.read("current_decision")] == list(ODD)
    assert [row["event_id"] for row in written.read("inquiry_history")] == list(ODD[::7]) * len(ODD)


@settings(max_examples=30)
@given(
    st.lists(
        st.builds(
            Event,
            inquiry_id=texts,
            event_id=texts,
            name=st.sampled_from(sorted(RANKS)),
            occurred_at=times,
            source=st.none() | texts,
            reference_id=st.none() | texts,
            account_id=st.none() | texts,
            template_id=st.none() | texts,
            payload_status=st.none() | texts,
        ),
        min_size=1,
        max_size=8,
    )
)
def test_any_text_and_any_time(write: Callable[[list[Event]], Views], events: list[Event]) -> None:
    check(write(events), events)
