"""The views as they were at one moment, however long it takes to read them, and by however many processes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self

from psycopg.rows import dict_row

from adapters.ledger.connection import connect, translated
from domain.books import Position

ViewRow = dict[str, Any]


class InquiryRows(NamedTuple):
    """What the views say of one inquiry."""

    decision: ViewRow | None
    history: Sequence[ViewRow]
    revisions: Sequence[ViewRow]
    records: Sequence[ViewRow]


class LedgerSnapshot:
    """One topic's part of the ledger, read in a transaction that changes nothing. Not thread-safe. LedgerUnavailable,
    SchemaError. While it is open Postgres keeps old versions of rows, and `reset` has to wait."""

    def __init__(self, url: str, topic: str, shared: str | None = None) -> None:
        """`shared`: the `name` of another snapshot that is open, to see the same as that."""
        self._topic = topic
        self._connection = connect(url)
        try:
            with translated():
                self._connection.execute("SET idle_in_transaction_session_timeout = 0")  # the log is read meanwhile
                self._connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                if shared is not None:
                    self._connection.execute(f"SET TRANSACTION SNAPSHOT '{shared}'")
                exported = self._connection.execute("SELECT pg_export_snapshot()").fetchone()
                self.name = str(exported[0]) if exported else ""
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def rules(self) -> tuple[str, str] | None:
        """(lifecycle_version, policy_version) of the rows; None where there are none."""
        rows = self._rows("SELECT lifecycle_version, policy_version FROM ledger.current_decision LIMIT 1")
        return (rows[0]["lifecycle_version"], rows[0]["policy_version"]) if rows else None

    def positions(self) -> list[Position]:
        """How far each partition is projected, in their order."""
        return [Position(**row) for row in self._rows(_POSITIONS)]

    def books(self) -> list[ViewRow]:
        """A row a partition."""
        return self._rows("SELECT * FROM ledger.books WHERE topic = %(topic)s ORDER BY partition")

    def rows(self, inquiry_ids: Collection[str]) -> Mapping[str, InquiryRows]:
        """Everything about these inquiries, each with or without rows."""
        decisions, history, revisions, records = (self._by_inquiry(view, inquiry_ids) for view in _INQUIRY_VIEWS)
        return {
            key: InquiryRows(
                next(iter(decisions.get(key, [])), None),
                history.get(key, []),
                revisions.get(key, []),
                records.get(key, []),
            )
            for key in inquiry_ids
        }

    def _by_inquiry(self, view: str, inquiry_ids: Collection[str]) -> Mapping[str, list[ViewRow]]:
        groups: dict[str, list[ViewRow]] = {}
        for row in self._rows(_INQUIRY_ROWS.format(view=view, order=_INQUIRY_VIEWS[view]), ids=list(inquiry_ids)):
            groups.setdefault(row["inquiry_id"], []).append(row)
        return groups

    def inquiries(self, partition: int) -> list[str]:
        """The inquiries of which any row names this partition."""
        return [row["inquiry_id"] for row in self._rows(_INQUIRIES, partition=partition)]

    def split(self) -> list[str]:
        """The inquiries whose records lie in several partitions."""
        return [row["inquiry_id"] for row in self._rows(_SPLIT)]

    def sample(self, count: int) -> list[str]:
        """So many inquiries, by chance."""
        return [row["inquiry_id"] for row in self._rows(_SAMPLE, count=count)]

    def quarantine(self, partition: int) -> list[ViewRow]:
        """A partition's rows."""
        return self._rows(_QUARANTINE, partition=partition)

    def quarantined_at(self, places: Collection[tuple[int, int]]) -> list[ViewRow]:
        """The rows at these (partition, offset)."""
        partitions, offsets = [place[0] for place in places], [place[1] for place in places]
        return self._rows(_QUARANTINED_AT, partitions=partitions, offsets=offsets)

    def _rows(self, statement: str, **parameters: object) -> list[ViewRow]:
        with translated(), self._connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(statement, {"topic": self._topic, **parameters}).fetchall()


_POSITIONS = """
SELECT partition, cluster_id, topic_id, first_offset, next_offset
FROM ledger.log_position
WHERE topic = %(topic)s
ORDER BY partition
"""

#: View → what its rows of one inquiry are ordered by.
_INQUIRY_VIEWS = {
    "current_decision": "inquiry_id",
    "inquiry_history": "position",
    "decision_revision": "revision",
    "inquiry_record": 'partition, "offset"',
}

_INQUIRY_ROWS = "SELECT * FROM ledger.{view} WHERE inquiry_id = ANY(%(ids)s) ORDER BY inquiry_id, {order}"

_INQUIRIES = """
SELECT inquiry_id FROM ledger.current_decision WHERE topic = %(topic)s AND partition = %(partition)s
UNION
SELECT inquiry_id FROM ledger.inquiry_history WHERE topic = %(topic)s AND partition = %(partition)s
UNION
SELECT inquiry_id FROM ledger.decision_revision WHERE topic = %(topic)s AND partition = %(partition)s
"""

_SPLIT = """
SELECT inquiry_id
FROM ledger.inquiry_record
WHERE topic = %(topic)s
GROUP BY inquiry_id
HAVING min(partition) <> max(partition)
"""

_SAMPLE = """
SELECT inquiry_id FROM ledger.current_decision WHERE topic = %(topic)s ORDER BY random() LIMIT %(count)s
"""

_QUARANTINE = """
SELECT * FROM ledger.quarantine WHERE topic = %(topic)s AND partition = %(partition)s ORDER BY "offset"
"""

_QUARANTINED_AT = """
SELECT *
FROM ledger.quarantine
WHERE topic = %(topic)s
  AND (partition, "offset") IN (SELECT * FROM unnest(%(partitions)s::int[], %(offsets)s::bigint[]))
ORDER BY partition, "offset"
"""
