"""Reading the views: for the commands, and for tests that compare ledgers. Column names as in the views."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from psycopg.rows import dict_row

from adapters.ledger import selects
from adapters.ledger.columns import to_record
from adapters.ledger.connection import connect, translated
from domain.event import Sighting

#: View → the columns that order it.
VIEWS: Mapping[str, str] = {
    "current_decision": "inquiry_id",
    "inquiry_history": "inquiry_id, position",
    "decision_revision": "inquiry_id, revision",
    "quarantine": 'topic, partition, "offset"',
    "books": "topic, partition",
}

ViewRow = dict[str, Any]


class LedgerReader:
    """Rows of the views as mappings; times are UTC."""

    def __init__(self, url: str) -> None:
        self._connection = connect(url)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def decision(self, inquiry_id: str) -> ViewRow | None:
        """The current decision of one inquiry; None where it is unknown."""
        rows = self._rows(selects.DECISION, id=inquiry_id)
        return rows[0] if rows else None

    def history(self, inquiry_id: str) -> list[ViewRow]:
        """Its events in canonical order."""
        return self._rows(selects.HISTORY, id=inquiry_id)

    def revisions(self, inquiry_id: str) -> list[ViewRow]:
        """What a reader could have seen of it, and when."""
        return self._rows(selects.REVISIONS, id=inquiry_id)

    def records(self, inquiry_id: str) -> list[Sighting]:
        """Every record of its folded events, losers of conflicts included, in the order of the log."""
        return [to_record(row) for row in self._rows(selects.RECORDS, id=inquiry_id)]

    def quarantine(self, reason: str | None = None, limit: int = 100) -> list[ViewRow]:
        """Records that could not be read, or lost a conflict; in the order of the log."""
        return self._rows(selects.QUARANTINE, reason=reason, limit=limit)

    def books(self) -> list[ViewRow]:
        """What the offsets of each partition were."""
        return self._rows(selects.BOOKS)

    def recount(self) -> list[ViewRow]:
        """The books once more, counted from the rows themselves: what they must agree with. Reads every row."""
        return self._rows(_RECOUNT)

    def refused(self, limit: int = 100) -> list[ViewRow]:
        """Events that the lifecycle refused, of the inquiries that moved last, the newest first."""
        return self._rows(selects.REFUSED, limit=limit)

    def view(self, name: str) -> list[ViewRow]:
        """All rows of a view, ordered by its key. KeyError for an unknown view."""
        return self._rows(f"SELECT * FROM ledger.{name} ORDER BY {VIEWS[name]}")

    def rules(self) -> tuple[str, str] | None:
        """(lifecycle_version, policy_version) of the rows; None in a ledger never written to."""
        rows = self._rows("SELECT lifecycle_version, policy_version FROM ledger.rules")
        return (rows[0]["lifecycle_version"], rows[0]["policy_version"]) if rows else None

    def versions(self) -> tuple[str, str] | None:
        """The same, as whoever may only read the views sees it; None in a ledger without inquiries."""
        rows = self._rows("SELECT lifecycle_version, policy_version FROM ledger.current_decision LIMIT 1")
        return (rows[0]["lifecycle_version"], rows[0]["policy_version"]) if rows else None

    def roles(self) -> list[str]:
        """Which of the two roles exist."""
        return [row["rolname"] for row in self._rows(_ROLES)]

    def _rows(self, statement: str, **parameters: object) -> list[ViewRow]:
        with translated(), self._connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(statement, parameters).fetchall()


_ROLES = "SELECT rolname FROM pg_roles WHERE rolname IN ('ledger_reader', 'ledger_writer') ORDER BY rolname"

#: A sighting is a duplicate where it is neither the first record of its event nor in quarantine.
_RECOUNT = """
WITH verdicts AS (
    SELECT topic, partition, verdict AS count, count(*) AS n FROM ledger.event GROUP BY 1, 2, 3
    UNION ALL
    SELECT topic, partition, 'quarantined', count(*) FROM ledger.quarantined GROUP BY 1, 2
    UNION ALL
    SELECT s.topic, s.partition, 'duplicate', count(*)
    FROM ledger.sighting AS s
    WHERE NOT EXISTS (SELECT FROM ledger.event AS e
                      WHERE (e.inquiry_id, e.event_id) = (s.inquiry_id, s.event_id)
                        AND (e.topic, e.partition, e."offset") = (s.topic, s.partition, s."offset"))
      AND NOT EXISTS (SELECT FROM ledger.quarantined AS q
                      WHERE (q.topic, q.partition, q."offset") = (s.topic, s.partition, s."offset"))
    GROUP BY 1, 2
)
SELECT p.topic, p.partition,
       coalesce(sum(v.n) FILTER (WHERE v.count = 'applied'), 0)::bigint AS applied,
       coalesce(sum(v.n) FILTER (WHERE v.count = 'repeated'), 0)::bigint AS repeated,
       coalesce(sum(v.n) FILTER (WHERE v.count = 'refused'), 0)::bigint AS refused,
       coalesce(sum(v.n) FILTER (WHERE v.count = 'duplicate'), 0)::bigint AS duplicate,
       coalesce(sum(v.n) FILTER (WHERE v.count = 'quarantined'), 0)::bigint AS quarantined
FROM ledger.position AS p LEFT JOIN verdicts AS v USING (topic, partition)
GROUP BY p.topic, p.partition
ORDER BY p.topic, p.partition
"""
