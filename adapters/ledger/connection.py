"""Connections, their time-outs, and psycopg's errors in the project's words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors

from domain.errors import Contended, LedgerUnavailable, SchemaError

#: A frozen writer must not hold its successor: how long one waits for a lock, and may be idle inside a transaction.
LOCK_TIMEOUT_MS = 5_000
IDLE_IN_TRANSACTION_TIMEOUT_MS = 8_000

#: How long a server may take to accept a connection.
CONNECT_TIMEOUT_S = 5

OPTIONS = (
    f"-c lock_timeout={LOCK_TIMEOUT_MS}"
    f" -c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_TIMEOUT_MS}"
    " -c timezone=UTC"
)

_CONTENDED = (
    errors.UniqueViolation,
    errors.DeadlockDetected,
    errors.LockNotAvailable,
    errors.SerializationFailure,
)


def connect(url: str) -> psycopg.Connection[tuple[object, ...]]:
    """A connection for the ledger, in autocommit: transactions are opened where they are meant. LedgerUnavailable."""
    with translated():
        connection = psycopg.connect(
            url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S, options=OPTIONS, application_name="inquiry-ledger"
        )
    connection.prepare_threshold = None  # a plan made on an empty table must not outlive it
    return connection


#: Of psycopg's InternalError: the server ended our session or transaction, or is a standby by now.
_INTERRUPTED = (
    errors.IdleInTransactionSessionTimeout,
    errors.TransactionTimeout,
    errors.ReadOnlySqlTransaction,
)


@contextmanager
def translated() -> Iterator[None]:
    """psycopg's errors → Contended, SchemaError, LedgerUnavailable. Messages of the server are not repeated where
    they could quote a row."""
    try:
        yield
    except _CONTENDED as error:
        raise Contended("another writer holds or changed the same rows") from error
    except (errors.UndefinedTable, errors.InvalidSchemaName, errors.UndefinedColumn) as error:
        raise SchemaError("the database has no ledger of this version: run `inquiry-ledger migrate`") from error
    except errors.InsufficientPrivilege as error:
        raise SchemaError(
            "this database user may not do that: grant it ledger_writer (ledger_reader to read), or migrate as owner"
        ) from error
    except (errors.DiskFull, errors.ConfigurationLimitExceeded) as error:
        raise LedgerUnavailable(f"Postgres has no room: {type(error).__name__}") from error
    except (psycopg.OperationalError, psycopg.InterfaceError, *_INTERRUPTED) as error:
        raise LedgerUnavailable(f"Postgres does not answer ({type(error).__name__})") from error
