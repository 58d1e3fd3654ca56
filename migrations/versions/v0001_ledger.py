"""The ledger: tables, views, roles."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Run `v0001_ledger_up.sql`."""
    _run("v0001_ledger_up.sql")


def downgrade() -> None:
    """Run `v0001_ledger_down.sql`."""
    _run("v0001_ledger_down.sql")


def _run(name: str) -> None:
    op.get_bind().exec_driver_sql(Path(__file__).with_name(name).read_text(encoding="utf-8"))
