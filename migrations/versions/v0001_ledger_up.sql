-- The ledger. Readers use the views; the tables behind them are ours to change.
-- Text is compared by code point, whatever the database's locale.

-- Under which rules the rows were made. One row at most.
CREATE TABLE ledger.rules (
    one               boolean PRIMARY KEY DEFAULT true CHECK (one),
    lifecycle_version text COLLATE "C" NOT NULL,
    policy_version    text COLLATE "C" NOT NULL
);

-- How far each partition has been read, and what its offsets were.
CREATE TABLE ledger.position (
    topic        text COLLATE "C" NOT NULL,
    partition    integer NOT NULL,
    cluster_id   text COLLATE "C" NOT NULL,
    topic_id     text COLLATE "C" NOT NULL,
    first_offset bigint NOT NULL,
    next_offset  bigint NOT NULL CHECK (next_offset >= first_offset),
    applied      bigint NOT NULL DEFAULT 0,
    repeated     bigint NOT NULL DEFAULT 0,
    refused      bigint NOT NULL DEFAULT 0,
    ignored      bigint NOT NULL DEFAULT 0,
    duplicate    bigint NOT NULL DEFAULT 0,
    quarantined  bigint NOT NULL DEFAULT 0,
    gaps         bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (topic, partition)
);

-- One row an inquiry: the fold of its events. topic, partition, "offset", appended_at: the record that made the revision.
CREATE TABLE ledger.inquiry (
    inquiry_id     text COLLATE "C" NOT NULL PRIMARY KEY,
    source         text COLLATE "C",
    reference_id   text COLLATE "C",
    account_id     text COLLATE "C",
    template_id    text COLLATE "C",
    status         text COLLATE "C",
    status_since   timestamptz,
    decision       text COLLATE "C" NOT NULL,
    decided_at     timestamptz,
    decided_by     text COLLATE "C",
    redacted_at    timestamptz,
    refused_events integer NOT NULL,
    inferred_steps integer NOT NULL,
    last_event_at  timestamptz NOT NULL,
    last_rank      integer NOT NULL,
    last_event_id  text COLLATE "C" NOT NULL,
    revision       integer NOT NULL,
    topic          text COLLATE "C" NOT NULL,
    partition      integer NOT NULL,
    "offset"       bigint NOT NULL,
    appended_at    timestamptz NOT NULL
) WITH (fillfactor = 85);  -- room for the next status on the same page
CREATE INDEX inquiry_reference ON ledger.inquiry (reference_id) WHERE reference_id IS NOT NULL;

-- Every folded event, merged over its copies, with today's verdict. topic … appended_at: its first record.
CREATE TABLE ledger.event (
    inquiry_id     text COLLATE "C" NOT NULL,
    event_id       text COLLATE "C" NOT NULL,
    name           text COLLATE "C" NOT NULL,
    occurred_at    timestamptz NOT NULL,
    source         text COLLATE "C",
    reference_id   text COLLATE "C",
    account_id     text COLLATE "C",
    template_id    text COLLATE "C",
    payload_status text COLLATE "C",
    topic          text COLLATE "C" NOT NULL,
    partition      integer NOT NULL,
    "offset"       bigint NOT NULL,
    appended_at    timestamptz NOT NULL,
    rank           integer NOT NULL,
    verdict        text COLLATE "C" NOT NULL,
    edge           text COLLATE "C",
    reason         text COLLATE "C",
    from_status    text COLLATE "C",
    to_status      text COLLATE "C",
    PRIMARY KEY (inquiry_id, event_id)
) WITH (fillfactor = 95);

-- Every record of an event that was seen more than once, with what that record itself said: what a fold of an
-- earlier time needs, and where the copies lie should their event turn out to be the loser of a conflict.
CREATE TABLE ledger.sighting (
    inquiry_id     text COLLATE "C" NOT NULL,
    event_id       text COLLATE "C" NOT NULL,
    name           text COLLATE "C" NOT NULL,
    occurred_at    timestamptz NOT NULL,
    source         text COLLATE "C",
    reference_id   text COLLATE "C",
    account_id     text COLLATE "C",
    template_id    text COLLATE "C",
    payload_status text COLLATE "C",
    topic          text COLLATE "C" NOT NULL,
    partition      integer NOT NULL,
    "offset"       bigint NOT NULL,
    appended_at    timestamptz NOT NULL,
    PRIMARY KEY (topic, partition, "offset")
);
CREATE INDEX sighting_inquiry ON ledger.sighting (inquiry_id);

-- One row for each change a reader could see, in the order in which the records of a partition were read.
CREATE TABLE ledger.revision (
    inquiry_id     text COLLATE "C" NOT NULL,
    revision       integer NOT NULL,
    status         text COLLATE "C",
    decision       text COLLATE "C" NOT NULL,
    decided_at     timestamptz,
    effective_at   timestamptz,
    cause_event_id text COLLATE "C" NOT NULL,
    topic          text COLLATE "C" NOT NULL,
    partition      integer NOT NULL,
    "offset"       bigint NOT NULL,
    known_at       timestamptz NOT NULL,
    PRIMARY KEY (inquiry_id, revision)
);
CREATE INDEX revision_cursor ON ledger.revision (topic, partition, "offset");

CREATE TABLE ledger.quarantined (
    topic       text COLLATE "C" NOT NULL,
    partition   integer NOT NULL,
    "offset"    bigint NOT NULL,
    appended_at timestamptz NOT NULL,
    reason      text COLLATE "C" NOT NULL,
    detail      text COLLATE "C" NOT NULL,
    PRIMARY KEY (topic, partition, "offset")
);

CREATE VIEW ledger.current_decision AS
SELECT i.inquiry_id, i.source, i.reference_id, i.account_id, i.template_id, i.status, i.decision, i.decided_at,
       i.decided_by, i.status_since, i.redacted_at, i.revision, i.refused_events, i.inferred_steps,
       i.last_event_id, i.last_event_at, r.lifecycle_version, r.policy_version,
       i.topic, i.partition, i."offset", i.appended_at
FROM ledger.inquiry AS i CROSS JOIN ledger.rules AS r;

CREATE VIEW ledger.inquiry_history AS
SELECT e.inquiry_id,
       row_number() OVER (PARTITION BY e.inquiry_id ORDER BY e.occurred_at, e.rank, e.event_id) AS position,
       e.event_id, e.name AS event_name, e.occurred_at, e.appended_at, e.verdict, e.edge, e.reason,
       e.from_status, e.to_status, e.payload_status, e.topic, e.partition, e."offset"
FROM ledger.event AS e;

CREATE VIEW ledger.decision_revision AS
SELECT r.inquiry_id, r.revision, r.status, r.decision, r.decided_at, r.effective_at, r.known_at, r.cause_event_id,
       r.topic, r.partition, r."offset"
FROM ledger.revision AS r;

CREATE VIEW ledger.quarantine AS
SELECT q.topic, q.partition, q."offset", q.appended_at, q.reason, q.detail
FROM ledger.quarantined AS q;

CREATE VIEW ledger.books AS
SELECT p.topic, p.partition, p.first_offset, p.next_offset,
       p.applied, p.repeated, p.refused, p.ignored, p.duplicate, p.quarantined, p.gaps,
       p.next_offset - p.first_offset
         = p.applied + p.repeated + p.refused + p.ignored + p.duplicate + p.quarantined + p.gaps AS balanced
FROM ledger.position AS p;

-- Roles belong to the whole cluster, so another database may have made them already, or does so just now. Who may make
-- none may still migrate where they are there.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ledger_reader') THEN
        CREATE ROLE ledger_reader NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ledger_writer') THEN
        CREATE ROLE ledger_writer NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
GRANT USAGE ON SCHEMA ledger TO ledger_reader, ledger_writer;
GRANT SELECT ON ledger.current_decision, ledger.inquiry_history, ledger.decision_revision, ledger.quarantine,
                ledger.books TO ledger_reader, ledger_writer;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON ledger.rules, ledger.position, ledger.inquiry, ledger.event,
                ledger.sighting, ledger.revision, ledger.quarantined TO ledger_writer;
GRANT SELECT ON ledger.alembic_version TO ledger_writer;
