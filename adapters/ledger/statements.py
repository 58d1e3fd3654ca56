"""What `write` asks of Postgres: one statement a named block."""

from __future__ import annotations

from adapters.ledger.columns import COLUMNS, names
from domain.books import Count


def _assign(table: str, source: str, keys: tuple[str, ...]) -> str:
    return ", ".join(f"{column} = {source}.{column}" for column in COLUMNS[table] if column not in keys)


WRITE_RULES = """
INSERT INTO ledger.rules (lifecycle_version, policy_version) VALUES (%(lifecycle)s, %(policy)s)
ON CONFLICT (one) DO UPDATE
SET lifecycle_version = EXCLUDED.lifecycle_version, policy_version = EXCLUDED.policy_version
WHERE NOT EXISTS (SELECT FROM ledger.inquiry)
"""

RULES = "SELECT lifecycle_version, policy_version FROM ledger.rules"

POSITIONS = """
SELECT partition, cluster_id, topic_id, first_offset, next_offset
FROM ledger.position
WHERE topic = %(topic)s
"""

OPEN = """
INSERT INTO ledger.position (topic, partition, cluster_id, topic_id, first_offset, next_offset)
VALUES (%(topic)s, %(partition)s, %(cluster_id)s, %(topic_id)s, %(first_offset)s, %(next_offset)s)
ON CONFLICT (topic, partition) DO NOTHING
"""

LOCK_POSITIONS = """
SELECT partition, next_offset
FROM ledger.position
WHERE topic = %(topic)s AND partition = ANY(%(partitions)s)
ORDER BY partition
FOR UPDATE
"""

LOAD = f"""
SELECT {names("inquiry")}
FROM ledger.inquiry
WHERE inquiry_id = ANY(%(ids)b)
ORDER BY inquiry_id
FOR UPDATE
"""

FIND = f"""
SELECT {names("event")}
FROM ledger.event
JOIN unnest(%(inquiries)b::text[], %(events)b::text[]) AS asked (inquiry_id, event_id) USING (inquiry_id, event_id)
"""

HISTORY = f"SELECT {names('event')} FROM ledger.event WHERE inquiry_id = ANY(%(ids)b)"

SIGHTINGS = f"SELECT {names('sighting')} FROM ledger.sighting WHERE inquiry_id = ANY(%(ids)b)"

#: Who was frozen in the midst of a statement (a COPY, or a result it does not take) is not idle in Postgres's eyes, and
#: no time-out of Postgres ends it: whoever waits for its locks does.
END_FROZEN = """
SELECT pg_terminate_backend(a.pid)
FROM pg_stat_activity AS a
WHERE a.datname = current_database()
  AND a.usename = current_user
  AND a.state = 'active'
  AND a.wait_event_type = 'Client'
  AND a.xact_start < now() - %(after_ms)s * interval '1 millisecond'
  AND EXISTS (SELECT FROM pg_locks AS l
              WHERE l.pid = a.pid AND l.relation = 'ledger.position'::regclass AND l.mode = 'RowShareLock')
"""

STAGE = "CREATE TEMPORARY TABLE {stage} (LIKE ledger.{table}) ON COMMIT DELETE ROWS"

STAGE_BEFORE = """
CREATE TEMPORARY TABLE staged_before (inquiry_id text COLLATE "C", before integer) ON COMMIT DELETE ROWS
"""

UPDATE_ROWS = f"""
UPDATE ledger.inquiry AS i
SET {_assign("inquiry", "s", ("inquiry_id",))}
FROM staged_inquiry AS s JOIN staged_before AS b USING (inquiry_id)
WHERE i.inquiry_id = s.inquiry_id AND i.revision = b.before
"""

UPDATE_ENTRIES = f"""
UPDATE ledger.event AS e
SET {_assign("event", "s", ("inquiry_id", "event_id"))}
FROM staged_event AS s
WHERE e.inquiry_id = s.inquiry_id AND e.event_id = s.event_id
"""

ADD_SIGHTINGS = f"""
INSERT INTO ledger.sighting ({names("sighting")})
SELECT {names("sighting")} FROM staged_sighting
ON CONFLICT (topic, partition, "offset") DO NOTHING
"""

_COUNTS = ", ".join(f"{count.value} = {count.value} + %({count.value})s" for count in Count)

MOVE = f"""
UPDATE ledger.position
SET next_offset = %(following)s, {_COUNTS}
WHERE topic = %(topic)s AND partition = %(partition)s AND next_offset = %(expected)s
"""

COUNT = f"UPDATE ledger.position SET {_COUNTS} WHERE topic = %(topic)s AND partition = %(partition)s"
