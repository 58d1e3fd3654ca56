"""The one transaction: rows, history, revisions, quarantine, books and positions change together, or not at all.

Set-based throughout: a batch costs about a dozen statements, however many events it holds. New rows go in by binary
COPY (0.8 µs of Python a row), changed ones by COPY into a temporary table and one UPDATE or INSERT from it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import errors

from adapters.ledger import statements
from adapters.ledger.columns import (
    COLUMNS,
    from_entry,
    from_quarantined,
    from_revision,
    from_row,
    from_sighting,
    names,
    to_entry,
    to_row,
    to_sighting,
)
from adapters.ledger.connection import IDLE_IN_TRANSACTION_TIMEOUT_MS, connect, translated
from domain.aggregate import Changes, Entry, Stored
from domain.books import Count, Position, Tallies
from domain.errors import Contended, Fenced, LedgerUnavailable, RulesError
from domain.event import Sighting
from domain.revision import Row

Connection = psycopg.Connection[tuple[Any, ...]]
Moves = Mapping[int, tuple[int, int]]

#: Temporary tables of a connection, empty outside a transaction.
_STAGES = {
    "staged_inquiry": "inquiry",
    "staged_event": "event",
    "staged_sighting": "sighting",
}


class PostgresLedger:
    """`domain.ports.Ledger` on Postgres, for one topic. Not thread-safe; a lost connection is made again when used."""

    def __init__(self, url: str, topic: str) -> None:
        self._url = url
        self._topic = topic
        self._connection: Connection | None = None
        self._versions: tuple[str, str] | None = None

    def agree(self, versions: tuple[str, str]) -> None:
        """Write down (lifecycle_version, policy_version) in an empty ledger; RulesError where others stand."""
        with self._connected() as connection:
            connection.execute(statements.WRITE_RULES, {"lifecycle": versions[0], "policy": versions[1]})
            self._versions = versions
            self._check_rules(connection)

    def positions(self) -> Mapping[int, Position]:
        """The stored position of each partition of this topic."""
        with self._connected() as connection:
            rows = connection.execute(statements.POSITIONS, {"topic": self._topic}).fetchall()
        return {row[0]: Position(*row) for row in rows}

    def open(self, positions: Sequence[Position]) -> None:
        """Store positions of partitions never read before; one that is there stays."""
        with self._connected() as connection, connection.cursor() as cursor:
            cursor.executemany(
                statements.OPEN, [{"topic": self._topic, **position._asdict()} for position in positions]
            )

    @contextmanager
    def begin(self, moves: Moves) -> Iterator[PostgresTransaction]:
        """One transaction that moves each partition from the expected offset to the next."""
        with self._connected() as connection:
            try:
                with connection.transaction():
                    transaction = PostgresTransaction(connection, self._topic, moves)
                    transaction.fence()
                    self._check_rules(connection)
                    yield transaction
            except errors.LockNotAvailable:
                connection.execute(statements.END_FROZEN, {"after_ms": IDLE_IN_TRANSACTION_TIMEOUT_MS})
                raise

    def close(self) -> None:
        """Close the connection. Using the ledger again opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """A connection, given up where it does not answer: whatever state it is in, the next call makes another."""
        try:
            with translated():
                yield self._connect()
        except LedgerUnavailable:
            self.close()
            raise

    def _connect(self) -> Connection:
        if self._connection is None or self._connection.closed:
            connection = connect(self._url)
            try:
                for stage, table in _STAGES.items():
                    connection.execute(statements.STAGE.format(stage=stage, table=table))
                connection.execute(statements.STAGE_BEFORE)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _check_rules(self, connection: Connection) -> None:
        row = connection.execute(statements.RULES).fetchone()
        if row is None:
            raise Fenced("the ledger was emptied meanwhile")
        if self._versions is not None and row != self._versions:
            raise RulesError(
                f"the ledger's rows were made under lifecycle {row[0]} and policy {row[1]}, this process has lifecycle "
                f"{self._versions[0]} and policy {self._versions[1]}: they cannot be mixed. Start with the old policy, "
                "or run `inquiry-ledger reset`, after which `project` makes everything again."
            )


class PostgresTransaction:
    """`domain.ports.LedgerTransaction`: what is loaded is locked, what is stored becomes visible at once."""

    def __init__(self, connection: Connection, topic: str, moves: Moves) -> None:
        self._cursor = connection.cursor(binary=True)
        self._topic = topic
        self._moves = moves

    def fence(self) -> None:
        """Lock the positions, in partition order; Fenced where one is not the expected one."""
        parameters = {"topic": self._topic, "partitions": list(self._moves)}
        stored: dict[int, int] = dict(self._cursor.execute(statements.LOCK_POSITIONS, parameters).fetchall())
        for partition, (expected, _) in self._moves.items():
            if stored.get(partition) != expected:
                raise Fenced(f"partition {partition}: expected offset {expected}, found {stored.get(partition)}")

    def load(self, inquiry_ids: Collection[str]) -> Mapping[str, Row]:
        """The rows of these inquiries that exist, locked in inquiry order."""
        self._cursor.execute(statements.LOAD, {"ids": list(inquiry_ids)})
        return {row.inquiry.inquiry_id: row for row in map(to_row, self._cursor)}

    def find(self, identities: Collection[tuple[str, str]]) -> Mapping[str, Sequence[Entry]]:
        """Inquiry id → those entries whose (inquiry id, event id) was asked for."""
        if not identities:
            return {}
        inquiries, events = zip(*identities, strict=True)
        self._cursor.execute(statements.FIND, {"inquiries": list(inquiries), "events": list(events)})
        return _by_inquiry(map(to_entry, self._cursor))

    def history(self, inquiry_ids: Collection[str]) -> Mapping[str, Stored]:
        """All entries and sightings of these inquiries; `row` is left None for the caller."""
        parameters = {"ids": list(inquiry_ids)}
        entries = _by_inquiry(map(to_entry, self._cursor.execute(statements.HISTORY, parameters)))
        sightings = _by_inquiry(map(to_sighting, self._cursor.execute(statements.SIGHTINGS, parameters)))
        return {
            key: Stored(None, tuple(entries.get(key, ())), tuple(sightings.get(key, ())), complete=True)
            for key in inquiry_ids
        }

    def store(self, changes: Changes) -> None:
        """Write what a batch changed, its tallies into the books. Rows go in inquiry order, so no two deadlock."""
        self._copy("inquiry", sorted(map(from_row, changes.new_rows)))
        self._update_rows(changes.changed_rows)
        self._copy("event", map(from_entry, changes.new_entries))
        self._update_entries(changes.changed_entries)
        self._copy("revision", map(from_revision, changes.revisions))
        self._add_sightings(changes.sightings)
        self._copy("quarantined", map(from_quarantined, changes.quarantined))
        self._move(changes.tallies)

    def _copy(self, table: str, rows: Iterable[tuple[Any, ...]], stage: str | None = None) -> None:
        """Binary COPY into `table`, or into the temporary table that stands for it."""
        rows = list(rows)
        if not rows:
            return
        target = stage or f"ledger.{table}"
        with self._cursor.copy(f"COPY {target} ({names(table)}) FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(list(COLUMNS[table].values()))
            for row in rows:
                copy.write_row(row)

    def _update_rows(self, changed: Sequence[tuple[Row, int]]) -> None:
        """Compare and set: an inquiry in two partitions is changed by two writers."""
        if not changed:
            return
        self._copy("inquiry", (from_row(row) for row, _ in changed), "staged_inquiry")
        with self._cursor.copy("COPY staged_before FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(["text", "int4"])
            for row, before in changed:
                copy.write_row((row.inquiry.inquiry_id, before))
        if self._cursor.execute(statements.UPDATE_ROWS).rowcount != len(changed):
            raise Contended("another writer changed an inquiry of this batch")

    def _update_entries(self, changed: Sequence[Entry]) -> None:
        if changed:
            self._copy("event", map(from_entry, changed), "staged_event")
            self._cursor.execute(statements.UPDATE_ENTRIES)

    def _add_sightings(self, sightings: Sequence[Sighting]) -> None:
        if sightings:
            self._copy("sighting", map(from_sighting, sightings), "staged_sighting")
            self._cursor.execute(statements.ADD_SIGHTINGS)

    def _move(self, tallies: Tallies) -> None:
        """Move positions and books, where the position is still the expected one."""
        for partition, (expected, following) in sorted(self._moves.items()):
            parameters = {"partition": partition, "expected": expected, "following": following}
            if self._cursor.execute(statements.MOVE, self._counted(tallies, parameters)).rowcount != 1:
                raise Fenced(f"partition {partition}: position moved meanwhile")
        self._move_elsewhere(tallies)

    def _move_elsewhere(self, tallies: Tallies) -> None:
        """An inquiry in two partitions: the books of the other one change as well, its position does not."""
        for partition in sorted(tallies.keys() - self._moves.keys()):
            self._cursor.execute(statements.COUNT, self._counted(tallies, {"partition": partition}))

    def _counted(self, tallies: Tallies, parameters: Mapping[str, int]) -> dict[str, Any]:
        tally = tallies.get(parameters["partition"], Counter())
        return {"topic": self._topic, **parameters, **{count.value: tally[count] for count in Count}}


def _by_inquiry(items: Iterable[Any]) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = {}
    for item in items:
        groups.setdefault(item.event.inquiry_id, []).append(item)
    return groups
