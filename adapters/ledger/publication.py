"""What of the ledger is published: who may publish, the next page, and up to where the last one went.

Everything runs on one session. It holds the lock, so whoever loses the session has lost the lock, and can neither read
a page nor move a position in the belief that it is still the one that publishes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import dict_row

from adapters.ledger.changes import CHANGES, parameters, to_page
from adapters.ledger.connection import connect, translated
from adapters.ledger.notice import CHANNEL
from domain.errors import Fenced, LedgerUnavailable
from domain.publication import Move, Publishable
from domain.reading import ViewRow

Connection = psycopg.Connection[tuple[Any, ...]]
Row = dict[str, Any]

#: Postgres ends a session that is silent for so long: a frozen publisher must not keep the lock. Longer than a page
#: may take to be published.
SESSION_TIMEOUT_MS = 15_000


class PostgresPublication:
    """`consumers.publisher.Publication` of one topic's revisions. Not thread-safe."""

    def __init__(self, url: str, topic: str, session_timeout_ms: int = SESSION_TIMEOUT_MS) -> None:
        self._url = url
        self._topic = topic
        self._session_timeout_ms = session_timeout_ms
        self._connection: Connection | None = None

    def take(self) -> bool:
        """Become the one that publishes this topic; False while another is. LedgerUnavailable."""
        if self._connection is None:
            self._connection = self._begin_session()
        with self._session() as connection:
            row = connection.execute(_LOCK, {"topic": self._topic}).fetchone()
            is_ours = bool(row and row[0])
            if is_ours:
                connection.execute(f"LISTEN {CHANNEL}")
        return is_ours

    def progress(self) -> Mapping[int, tuple[int, int]]:
        """Partition → (up to where it is published, up to where it is projected)."""
        with self._session() as connection:
            rows = _rows(connection, _PROGRESS, {"topic": self._topic})
        return {row["partition"]: (_start(row), row["next_offset"]) for row in rows}

    def read(self, limit: int) -> Publishable:
        """The next revisions, at most about `limit`, each with what the ledger knows of its inquiry now. One snapshot.
        It begins with the table that a reset locks first, so the two wait for each other, and meet no deadlock."""
        with self._session() as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            rules = _rows(connection, _RULES, {})
            progress = _rows(connection, _PROGRESS, {"topic": self._topic})
            starts = {row["partition"]: _start(row) for row in progress}
            found = _rows(connection, CHANGES, parameters(self._topic, starts, limit))
            page = to_page(found, starts)
            described = _describe(connection, page.rows, rules)
        moves = [_to_move(row, page.offsets[row["partition"]]) for row in progress]
        lag = {row["partition"]: max(0, row["next_offset"] - page.offsets[row["partition"]]) for row in progress}
        return Publishable(described, [move for move in moves if move.before != (move.topic_id, move.next_offset)], lag)

    def move(self, moves: Sequence[Move]) -> None:
        """What was read is published. Fenced where another has moved a position meanwhile, or it was deleted."""
        with self._session() as connection, connection.transaction():
            for move in moves:
                before_id, before = move.before or (None, None)
                parameters = {**move._asdict(), "topic": self._topic, "before_id": before_id, "before": before}
                if connection.execute(_MOVE if move.before else _OPEN, parameters).rowcount != 1:
                    raise Fenced(f"partition {move.partition}: the publication's position moved meanwhile")

    def wait(self, timeout_s: float) -> None:
        """Until a position of the ledger moves (or has moved since the last time), or `timeout_s` has passed."""
        with self._session() as connection:
            for _ in connection.notifies(timeout=timeout_s, stop_after=1):
                pass

    def close(self) -> None:
        """End the session, and with it the lock."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _begin_session(self) -> Connection:
        connection = connect(self._url)
        try:
            with translated():
                connection.execute(_TIME_OUT, {"after": f"{self._session_timeout_ms}ms"})
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def _session(self) -> Iterator[Connection]:
        """The session that `take` has begun; never another one."""
        if self._connection is None:
            raise LedgerUnavailable("the session with Postgres is over")
        with translated():
            yield self._connection


def _rows(connection: Connection, statement: str, values: Mapping[str, Any]) -> list[Row]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement, values).fetchall()


def _start(row: Row) -> int:
    """From where to publish on: the first offset of a topic that is another one than the stored position's."""
    offset: int = row["published"] if row["published_id"] == row["topic_id"] else row["first_offset"]
    return offset


def _to_move(row: Row, next_offset: int) -> Move:
    before = (row["published_id"], row["published"]) if row["published_id"] is not None else None
    return Move(row["partition"], row["topic_id"], before, next_offset)


def _describe(connection: Connection, revisions: Sequence[ViewRow], rules: Sequence[Row]) -> list[ViewRow]:
    """The revisions with what is known of their inquiries. An inquiry in two partitions may come out of order: where
    its newest revision is another partition's, that one is repeated at the end, so that it stays the last one."""
    ids = {"ids": list({revision["inquiry_id"] for revision in revisions})}
    known = {row["inquiry_id"]: row for row in _rows(connection, _INQUIRIES, ids)} if revisions else {}
    elsewhere = [r["inquiry_id"] for r in revisions if known[r["inquiry_id"]]["in_partition"] != r["partition"]]
    newest = _rows(connection, _NEWEST, {"ids": elsewhere}) if elsewhere else []
    return [{**known[row["inquiry_id"]], **row, **rules[0]} for row in [*revisions, *newest]]


_TIME_OUT = "SELECT set_config('idle_session_timeout', %(after)s, false)"

#: Of the whole database's locks ours has its name's hash. Two ledgers in one database have different topics.
_LOCK = "SELECT pg_try_advisory_lock(hashtextextended('inquiry-ledger publish ' || %(topic)s, 0))"

_RULES = "SELECT lifecycle_version, policy_version FROM ledger.rules"

_PROGRESS = """
SELECT p.partition, p.topic_id, p.first_offset, p.next_offset,
       c.topic_id AS published_id, c.next_offset AS published
FROM ledger.log_position AS p LEFT JOIN ledger.publication AS c USING (topic, partition)
WHERE p.topic = %(topic)s
ORDER BY p.partition
"""

_INQUIRIES = """
SELECT inquiry_id, source, reference_id, account_id, template_id, redacted_at, partition AS in_partition
FROM ledger.current_decision
WHERE inquiry_id = ANY(%(ids)s::text[])
"""

_NEWEST = """
SELECT r.* FROM ledger.decision_revision AS r JOIN ledger.current_decision AS i USING (inquiry_id, revision)
WHERE r.inquiry_id = ANY(%(ids)s::text[])
"""

_OPEN = """
INSERT INTO ledger.publication (topic, partition, topic_id, next_offset)
VALUES (%(topic)s, %(partition)s, %(topic_id)s, %(next_offset)s)
ON CONFLICT (topic, partition) DO NOTHING
"""

_MOVE = """
UPDATE ledger.publication
SET topic_id = %(topic_id)s, next_offset = %(next_offset)s
WHERE topic = %(topic)s AND partition = %(partition)s AND (topic_id, next_offset) = (%(before_id)s, %(before)s)
"""
