"""The change feed: the next revisions of every partition, by a cursor that can miss nothing.

A revision becomes visible in the transaction that moves its partition's position past it (design, section 6). So what
one snapshot shows below a position is all that will ever be there, however many writers commit meanwhile; a number
drawn from a sequence would not do, since a later number can be committed first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from domain.reading import ChangePage, Offsets

#: One statement, so one snapshot of positions and revisions. Of each partition at most `limit` rows are looked at. The
#: first rows of all partitions come before the second ones, of these the longest known first: so none is starved, not
#: even where there are more partitions than `limit`. A row without `inquiry_id`: of this partition none was chosen.
CHANGES = """
WITH asked AS (
    SELECT p.partition, p.next_offset, coalesce(c.start, p.first_offset) AS start
    FROM ledger.log_position AS p
    LEFT JOIN unnest(%(partitions)s::integer[], %(starts)s::bigint[]) AS c (partition, start) USING (partition)
    WHERE p.topic = %(topic)s
), unread AS (
    SELECT r.*, row_number() OVER (PARTITION BY r.partition ORDER BY r."offset") AS rank
    FROM asked AS a CROSS JOIN LATERAL (
        SELECT * FROM ledger.decision_revision AS d
        WHERE d.topic = %(topic)s AND d.partition = a.partition
          AND d."offset" >= a.start AND d."offset" < a.next_offset
        ORDER BY d."offset"
        LIMIT %(limit)s + 1
    ) AS r
), counted AS (
    SELECT partition, count(*) AS unread FROM unread GROUP BY partition
), chosen AS (
    SELECT * FROM unread ORDER BY rank, known_at, partition LIMIT %(limit)s
)
SELECT a.partition AS read_partition, greatest(a.start, a.next_offset) AS read_to, n.unread, c.rank,
       c.inquiry_id, c.revision, c.status, c.decision, c.decided_at, c.effective_at, c.known_at, c.cause_event_id,
       c.topic, c.partition, c."offset"
FROM asked AS a LEFT JOIN counted AS n USING (partition) LEFT JOIN chosen AS c USING (partition)
ORDER BY a.partition, c."offset"
"""

_BESIDE = ("read_partition", "read_to", "unread", "rank")


def parameters(topic: str, offsets: Offsets, limit: int) -> dict[str, Any]:
    """The parameters of CHANGES."""
    return {"topic": topic, "partitions": list(offsets), "starts": list(offsets.values()), "limit": limit}


def to_page(rows: Sequence[Mapping[str, Any]], offsets: Offsets) -> ChangePage:
    """The rows that CHANGES gave for these `offsets` (dicts), as a page. A partition the ledger does not have stays."""
    following, chosen = dict(offsets), []
    for row in rows:
        is_read = not row["unread"] if row["inquiry_id"] is None else row["rank"] == row["unread"]
        if is_read:
            following[row["read_partition"]] = row["read_to"]
        elif row["inquiry_id"] is not None:
            following[row["read_partition"]] = row["offset"] + 1
        if row["inquiry_id"] is not None:
            chosen.append({name: value for name, value in row.items() if name not in _BESIDE})
    return ChangePage(chosen, following)
