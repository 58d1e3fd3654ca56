"""What readers select, from the views alone: a user with `ledger_reader` may run all of it."""

from __future__ import annotations

DECISION = "SELECT * FROM ledger.current_decision WHERE inquiry_id = %(id)s"

DECISIONS = "SELECT * FROM ledger.current_decision WHERE inquiry_id = ANY(%(ids)s::text[]) ORDER BY inquiry_id"

HISTORY = "SELECT * FROM ledger.inquiry_history WHERE inquiry_id = %(id)s ORDER BY position"

REVISIONS = "SELECT * FROM ledger.decision_revision WHERE inquiry_id = %(id)s ORDER BY revision"

RECORDS = 'SELECT * FROM ledger.inquiry_record WHERE inquiry_id = %(id)s ORDER BY topic, partition, "offset"'

#: Planned with the values at hand (decision 8), so that what is not asked for is not in the plan either.
_WANTED = """decision = ANY(%(decisions)s::text[])
  AND (%(status)s::text IS NULL OR status = %(status)s)
  AND (%(reference_id)s::text IS NULL OR reference_id = %(reference_id)s)
  AND (%(template_id)s::text IS NULL OR template_id = %(template_id)s)
  AND (%(unmoved_since)s::timestamptz IS NULL OR status_since <= %(unmoved_since)s)"""

FIND = f"""
SELECT * FROM ledger.current_decision
WHERE {_WANTED}
  AND (%(after)s::text IS NULL OR inquiry_id > %(after)s)
ORDER BY inquiry_id
LIMIT %(limit)s
"""

#: Of each decision and status the index has those first that are in it the longest, so no more than `limit` of each are
#: looked at. Without a status there are only the few of which nothing but a redaction is known.
FIND_LONGEST = f"""
SELECT * FROM (
    SELECT f.*
    FROM unnest(%(decisions)s::text[]) AS d (one) CROSS JOIN unnest(%(statuses)s::text[]) AS s (one)
    CROSS JOIN LATERAL (
        SELECT * FROM ledger.current_decision
        WHERE decision = d.one AND status = s.one AND {_WANTED}
        ORDER BY status_since, inquiry_id
        LIMIT %(limit)s
    ) AS f
    UNION ALL
    SELECT * FROM ledger.current_decision WHERE status IS NULL AND {_WANTED}
) AS found
ORDER BY coalesce(status_since, last_event_at), inquiry_id
LIMIT %(limit)s
"""

COUNTS = """
SELECT status, decision, count(*) AS inquiries
FROM ledger.current_decision
GROUP BY status, decision
ORDER BY status, decision
"""

POSITIONS = """
SELECT partition, cluster_id, topic_id, first_offset, next_offset
FROM ledger.log_position
WHERE topic = %(topic)s
ORDER BY partition
"""

BOOKS = "SELECT * FROM ledger.books ORDER BY topic, partition"

QUARANTINE = """
SELECT * FROM ledger.quarantine
WHERE %(reason)s::text IS NULL OR reason = %(reason)s
ORDER BY topic, partition, "offset"
LIMIT %(limit)s
"""

#: Of the inquiries that moved last; a window is not computed for all others where a LIMIT keeps it from being joined.
REFUSED = """
SELECT h.*
FROM (
    SELECT inquiry_id FROM ledger.current_decision
    WHERE refused_events > 0
    ORDER BY last_event_at DESC, inquiry_id
    LIMIT %(limit)s
) AS d CROSS JOIN LATERAL (
    SELECT * FROM ledger.inquiry_history
    WHERE inquiry_id = d.inquiry_id AND verdict = 'refused'
    ORDER BY position DESC
    LIMIT %(limit)s
) AS h
ORDER BY h.occurred_at DESC, h.inquiry_id, h.position
LIMIT %(limit)s
"""
