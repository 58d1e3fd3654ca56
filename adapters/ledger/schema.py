"""The schema: brought to this code's version by alembic, and checked before anything else touches it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files

import psycopg
import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from adapters.ledger.connection import CONNECT_TIMEOUT_S, translated
from domain.errors import SchemaError

#: Two migrations at once would trip over each other: the second waits (any constant does; this one is "ledger").
_LOCK_KEY = 0x6C6564676572


def migrate(url: str, revision: str = "head") -> str:
    """Bring the database to `revision` and return it. SchemaError where it is newer than this code."""
    with _connect(url) as connection:
        config = _config(connection)
        _refuse_newer(_current(connection), ScriptDirectory.from_config(config))
        command.upgrade(config, revision)
        connection.commit()
        return _current(connection) or "base"


def downgrade(url: str, revision: str) -> None:
    """Bring the database back to an older `revision` (or `base`). What the newer one added is gone."""
    with _connect(url) as connection:
        command.downgrade(_config(connection), revision)
        connection.commit()


def check_schema(url: str) -> str:
    """The schema's version, where it is the one this code needs; SchemaError says what to do where it is not."""
    with _connect(url) as connection:
        script = ScriptDirectory.from_config(_config(connection))
        current, head = _seen(connection), script.get_current_head()
        _refuse_newer(current, script)
    if current != head:
        raise SchemaError(
            f"the database has schema version {current or 'none'}, this code needs {head}: run `inquiry-ledger migrate`"
        )
    return str(head)


def _refuse_newer(current: str | None, script: ScriptDirectory) -> None:
    known = {revision.revision for revision in script.walk_revisions()}
    if current is not None and current not in known:
        raise SchemaError(
            f"the database has schema version {current}, which this code does not know: it is newer. "
            "Run the release that made it, or a later one."
        )


@contextmanager
def _connect(url: str) -> Iterator[sqlalchemy.Connection]:
    """One connection through SQLAlchemy, which alembic needs; made by psycopg, so every URL it takes is good."""
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(url, connect_timeout=CONNECT_TIMEOUT_S),
        poolclass=sqlalchemy.NullPool,
    )
    with translated():
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql(f"SELECT pg_advisory_lock({_LOCK_KEY})")
                connection.commit()
                yield connection
        except sqlalchemy.exc.DBAPIError as error:
            raise error.orig or error from error


def _config(connection: sqlalchemy.Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("migrations")))
    config.attributes["connection"] = connection
    return config


def _seen(connection: sqlalchemy.Connection) -> str | None:
    """The version as a reader may see it too; of a schema older than its view as alembic sees it."""
    if connection.exec_driver_sql("SELECT to_regclass('ledger.schema_version')").scalar() is None:
        return _current(connection)
    return connection.exec_driver_sql("SELECT version FROM ledger.schema_version").scalar()


def _current(connection: sqlalchemy.Connection) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table_schema": "ledger"})
    heads = context.get_current_heads()
    connection.commit()
    return heads[0] if heads else None
