-- What readers need besides the row of today: records as they were read, positions for cursors, and notice of a change.

-- Every record of a folded event, losers of conflicts included, with what the record itself said: what a fold of an
-- earlier time is made of. A redaction clears the reference id of all of them; which of them had the same, and which
-- the smaller one, a fold has to know all the same: of what was visible then, a revision was made for each change.
CREATE VIEW ledger.inquiry_record AS
SELECT r.inquiry_id, r.event_id, r.event_name, r.occurred_at, r.appended_at, r.source,
       CASE WHEN i.redacted_at IS NULL THEN r.reference_id END AS reference_id,
       r.account_id, r.template_id, r.payload_status, r.topic, r.partition, r."offset",
       CASE WHEN i.redacted_at IS NOT NULL AND r.reference_id IS NOT NULL
            THEN dense_rank() OVER (PARTITION BY r.inquiry_id ORDER BY r.reference_id) END AS cleared_reference
FROM (
    SELECT s.inquiry_id, s.event_id, s.name AS event_name, s.occurred_at, s.appended_at, s.source, s.reference_id,
           s.account_id, s.template_id, s.payload_status, s.topic, s.partition, s."offset"
    FROM ledger.sighting AS s
    UNION ALL
    SELECT e.inquiry_id, e.event_id, e.name, e.occurred_at, e.appended_at, e.source, e.reference_id,
           e.account_id, e.template_id, e.payload_status, e.topic, e.partition, e."offset"
    FROM ledger.event AS e
    WHERE NOT EXISTS (SELECT FROM ledger.sighting AS s
                      WHERE (s.inquiry_id, s.event_id) = (e.inquiry_id, e.event_id))
) AS r JOIN ledger.inquiry AS i USING (inquiry_id);

-- How far each partition is projected, and of which topic it is: what a cursor over decision_revision is checked with.
CREATE VIEW ledger.log_position AS
SELECT p.topic, p.partition, p.cluster_id, p.topic_id, p.first_offset, p.next_offset
FROM ledger.position AS p;

-- Which release a reader has before it: it may not look at alembic's own table.
CREATE VIEW ledger.schema_version AS SELECT v.version_num::text COLLATE "C" AS version FROM ledger.alembic_version AS v;

-- Up to which offset the revisions are in the topic of decisions.
CREATE TABLE ledger.publication (
    topic       text COLLATE "C" NOT NULL,
    partition   integer NOT NULL,
    topic_id    text COLLATE "C" NOT NULL,
    next_offset bigint NOT NULL,
    PRIMARY KEY (topic, partition)
);

-- Lists by decision and status, those first that are in it the longest; by template; and those with refused events.
CREATE INDEX inquiry_decision ON ledger.inquiry (decision, status, status_since, inquiry_id);
CREATE INDEX inquiry_template ON ledger.inquiry (template_id);
CREATE INDEX inquiry_refused ON ledger.inquiry (inquiry_id) WHERE refused_events > 0;

-- Whoever waits is told once a transaction that positions moved. What changed is read from the rows: a notice can be
-- lost with its connection, a row cannot.
CREATE FUNCTION ledger.notify_position() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('ledger_position', '');
    RETURN NULL;
END $$;
CREATE TRIGGER position_moved AFTER INSERT OR UPDATE OR TRUNCATE ON ledger.position
FOR EACH STATEMENT EXECUTE FUNCTION ledger.notify_position();

GRANT SELECT ON ledger.inquiry_record, ledger.log_position, ledger.schema_version TO ledger_reader, ledger_writer;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON ledger.publication TO ledger_writer;
