"""Alembic migrations: SQL by hand, nothing of ours imported."""
