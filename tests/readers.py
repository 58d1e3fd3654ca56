"""Asking readers in tests: a ledger that can be written to, and the reader beside it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from consumers.batch import Batch, write_batch
from domain.books import Position
from domain.event import Event, Placement, Sighting, from_millis
from domain.history import fold_records
from domain.inquiry import Rules
from domain.reading import ChangePage, ChangeReader, DecisionReader, ViewRow
from domain.revision import Row
from tests.ledgers import RULES, Views

Answer = TypeVar("Answer")


class Query(DecisionReader, ChangeReader, Protocol):
    """All that is asked of a ledger."""

    async def decisions(self, inquiry_ids: Collection[str]) -> Sequence[ViewRow]: ...

    async def books(self) -> Sequence[ViewRow]: ...

    async def quarantine(self, reason: str | None = None, limit: int = 100) -> Sequence[ViewRow]: ...

    async def counts(self) -> Sequence[ViewRow]: ...

    async def refused(self, limit: int = 100) -> Sequence[ViewRow]: ...


class Readable(NamedTuple):
    """A ledger, its reader, and a way to wait for an answer."""

    views: Views
    query: Query
    ask: Callable[[Coroutine[Any, Any, Any]], Any]

    def open(self, *positions: tuple[int, int], rules: Rules = RULES) -> None:
        """Agree on the rules, and open partitions: (partition, first offset)."""
        self.views.ledger.agree(rules.versions)
        self.views.ledger.open([Position(number, "cluster", "topic", first, first) for number, first in positions])

    def write(self, records: Sequence[Sighting], ends: Mapping[int, int] | None = None, rules: Rules = RULES) -> None:
        """Write one batch: these records, and what of the log lies before `ends` beside them."""
        stored = self.views.ledger.positions()
        following = {number: position.next_offset for number, position in stored.items()}
        for record in records:
            following[record.placement.partition] = record.placement.offset + 1
        following.update(ends or {})
        moves = {
            number: (position.next_offset, following[number])
            for number, position in stored.items()
            if position.next_offset != following[number]
        }
        write_batch(self.views.ledger, Batch(moves=moves, sightings=list(records)), rules)

    def page(self, offsets: Mapping[int, int], limit: int) -> ChangePage:
        """The next page of changes."""
        page: ChangePage = self.ask(self.query.changes(offsets, limit))
        return page


def record(event: Event, offset: int, partition: int = 0, topic: str = "topic") -> Sighting:
    """The event as a record; append times grow with the offset."""
    return Sighting(event, Placement(topic, partition, offset, from_millis(1_800_000_000_000 + 1000 * offset)))


def happened(word: str, inquiry_id: str = "inq_1", second: int = 1, **fields: Any) -> Event:
    """`inquiry.<word>`, so many seconds after 1970; a different event for each word and second."""
    made = Event(inquiry_id, f"evt_{word}_{second}", f"inquiry.{word}", from_millis(1000 * second))
    return made._replace(**fields)


def as_view_row(row: Row | None, rules: Rules) -> dict[str, Any] | None:
    """A fold's row, as `current_decision` would show it."""
    if row is None:
        return None
    columns = {name: value for name, value in row.inquiry._asdict().items() if name != "last_rank"}
    lifecycle, policy = rules.versions
    versions = {"lifecycle_version": lifecycle, "policy_version": policy}
    return {**columns, "revision": row.revision, **versions, **row.placement._asdict()}


def folded(inquiry_id: str, records: Sequence[Sighting], rules: Rules) -> dict[str, Any] | None:
    """The row that `current_decision` would have of these records."""
    return as_view_row(fold_records(inquiry_id, records, rules), rules)
