"""What readers need: records, positions, notices."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Run `v0002_readers_up.sql`."""
    _run("v0002_readers_up.sql")


def downgrade() -> None:
    """Run `v0002_readers_down.sql`."""
    _run("v0002_readers_down.sql")


def _run(name: str) -> None:
    op.get_bind().exec_driver_sql(Path(__file__).with_name(name).read_text(encoding="utf-8"))
