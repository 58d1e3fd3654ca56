DROP TRIGGER position_moved ON ledger.position;
DROP FUNCTION ledger.notify_position();
DROP INDEX ledger.inquiry_decision, ledger.inquiry_template, ledger.inquiry_refused;
DROP TABLE ledger.publication;
DROP VIEW ledger.schema_version, ledger.log_position, ledger.inquiry_record;
