-- The roles stay: they belong to the whole cluster, and another database may use them.
DROP VIEW ledger.books, ledger.quarantine, ledger.decision_revision, ledger.inquiry_history, ledger.current_decision;
DROP TABLE ledger.quarantined, ledger.revision, ledger.sighting, ledger.event, ledger.inquiry, ledger.position,
           ledger.rules;
REVOKE SELECT ON ledger.alembic_version FROM ledger_writer;
REVOKE USAGE ON SCHEMA ledger FROM ledger_reader, ledger_writer;
