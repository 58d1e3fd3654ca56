"""Alembic's entry: runs the versions on the connection that the caller put into `config.attributes`."""

from __future__ import annotations

from alembic import context

connection = context.config.attributes["connection"]
connection.exec_driver_sql("CREATE SCHEMA IF NOT EXISTS ledger")
context.configure(connection=connection, version_table_schema="ledger", transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
