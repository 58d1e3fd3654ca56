"""Two times: what held at `as_of` by what was known at `known_at` is the row of a ledger that read only those records.

One exception (decision 12): once an inquiry is redacted, by what is known today, its reference id is null in every
answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.memory import MemoryLedger
from adapters.memory.reading import MemoryQuery
from domain.event import Event, Sighting
from domain.history import known_by, occurred_by
from domain.inquiry import Rules
from tests.builders import event
from tests.ledgers import RULES, Views
from tests.model import Saying
from tests.readers import Readable, folded, happened, record
from tests.strategies import batches, deliveries, rules_of, sayings

MakeReadable = Callable[[], Readable]
Row = dict[str, Any]

_MOMENT = timedelta(milliseconds=1)

law = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

#: Copies that differ in their reference id, and a redaction somewhere among them.
redacted_logs = st.builds(
    lambda events, redaction, place: [*events[:place], redaction, *events[place:]],
    deliveries(),
    st.sampled_from((1, 3)).map(lambda second: event("redacted", second)),
    st.integers(0, 12),
)

logs = given(events=deliveries() | redacted_logs, together=st.integers(1, 3), sizes=batches, saying=sayings)


@pytest.mark.parametrize("readable", ["memory"], indirect=True)
@settings(law, max_examples=200)
@logs
def test_any_two_times_fold_what_a_ledger_of_those_records_shows(
    readable: MakeReadable, events: list[Event], together: int, sizes: list[int], saying: Saying
) -> None:
    check_all_times(readable(), append(events, together), sizes, rules_of(saying))


@pytest.mark.parametrize("readable", ["postgres"], indirect=True)
@settings(law, max_examples=60)
@logs
def test_so_they_do_on_postgres(
    readable: MakeReadable, events: list[Event], together: int, sizes: list[int], saying: Saying
) -> None:
    check_all_times(readable(), append(events, together), sizes, rules_of(saying))


def append(events: Sequence[Event], together: int) -> list[Sighting]:
    """A partition of these events; `together` neighbours were appended in the same millisecond."""
    log = [record(one, offset) for offset, one in enumerate(events)]
    times = [log[number - number % together].placement.appended_at for number in range(len(log))]
    return [
        one._replace(placement=one.placement._replace(appended_at=time)) for one, time in zip(log, times, strict=True)
    ]


def check_all_times(readable: Readable, log: Sequence[Sighting], sizes: Sequence[int], rules: Rules) -> None:
    """Every pair of times, those that occur and those around them, for every inquiry of the log."""
    readable.open((0, 0), rules=rules)
    seen = read_on(readable, log, sizes, rules)
    for inquiry_id in {one.event.inquiry_id for one in log}:
        told = [one for one in log if one.event.inquiry_id == inquiry_id]
        records = readable.ask(readable.query.records(inquiry_id))
        now = readable.ask(readable.query.decision(inquiry_id))
        assert folded(inquiry_id, records, rules) == now
        is_redacted = now["redacted_at"] is not None
        for known_at in (None, *around(one.placement.appended_at for one in told)):
            for as_of in (None, *around(one.event.occurred_at for one in told)):
                chosen = [one for one in told if is_within(one, as_of, known_at)]
                answer = folded(inquiry_id, occurred_by(known_by(records, known_at), as_of), rules)
                assert answer == cleared(show(chosen, inquiry_id, rules), is_redacted)
        for known_at, rows in seen.items():
            answer = folded(inquiry_id, known_by(records, known_at), rules)
            assert answer == cleared(rows.get(inquiry_id), is_redacted)


def read_on(
    readable: Readable, log: Sequence[Sighting], sizes: Sequence[int], rules: Rules
) -> dict[datetime, dict[str, Row]]:
    """Read the log batch by batch. Append time → the rows that readers saw when all up to it had been read."""
    seen, start = {}, 0
    for size in (*sizes, len(log)):
        batch = log[start : start + size]
        if not batch:
            break
        readable.write(batch, rules=rules)
        start += size
        read_up_to = batch[-1].placement.appended_at
        if all(one.placement.appended_at > read_up_to for one in log[start:]):
            seen[read_up_to] = {row["inquiry_id"]: row for row in readable.views.read("current_decision")}
    return seen


def around(times: Iterable[datetime]) -> list[datetime]:
    """These times, and one before and one after them all."""
    distinct = sorted(set(times))
    return [distinct[0] - _MOMENT, *distinct, distinct[-1] + _MOMENT]


def is_within(one: Sighting, as_of: datetime | None, known_at: datetime | None) -> bool:
    """Whether the record was there at `known_at`, and what it says had happened at `as_of`."""
    had_happened = as_of is None or one.event.occurred_at <= as_of
    return had_happened and (known_at is None or one.placement.appended_at <= known_at)


def show(log: Sequence[Sighting], inquiry_id: str, rules: Rules) -> Row | None:
    """What a new ledger shows that reads just these records."""
    ledger = MemoryLedger("topic")
    readable = Readable(Views(ledger, "topic", ledger.view), MemoryQuery(ledger), asyncio.run)
    readable.open((0, 0), rules=rules)
    if log:
        readable.write(log, rules=rules)
    rows = [row for row in ledger.view("current_decision") if row["inquiry_id"] == inquiry_id]
    return rows[0] if rows else None


def cleared(row: Row | None, is_redacted: bool) -> Row | None:
    """The exception."""
    return {**row, "reference_id": None} if row and is_redacted else row


def test_a_redacted_inquiry_keeps_its_revisions_and_not_its_reference_id(readable: MakeReadable) -> None:
    said = [
        happened("created", second=1, reference_id="user-2"),
        happened("created", second=1, reference_id="user-1"),
        happened("started", second=2, reference_id="user-3"),
        happened("redacted", second=3),
    ]
    reader = readable()
    reader.open((0, 0))
    log = [record(one, offset) for offset, one in enumerate(said)]
    reader.write(log)
    records = reader.ask(reader.query.records("inq_1"))
    assert "user" not in repr(records)
    known = [folded("inq_1", known_by(records, one.placement.appended_at), RULES) for one in log]
    assert [(row["revision"], row["reference_id"]) for row in known if row] == [
        (1, None),
        (2, None),
        (3, None),
        (4, None),
    ]
