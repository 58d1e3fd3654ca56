"""The command `inquiry-ledger`: one file a group of commands."""

from __future__ import annotations

import sys

from domain.errors import LedgerError, UsageError


def main() -> None:
    """The entry of the command. Exit codes: 0 done, 1 refused or found something wrong, 2 wrong usage or settings."""
    from consumers.cli.app import app

    try:
        app()
    except UsageError as error:
        _fail(error, 2)
    except LedgerError as error:
        _fail(error, 1)


def _fail(error: LedgerError, code: int) -> None:
    """One line, no traceback: what this project raises on purpose says itself what to do."""
    sys.stderr.write(f"inquiry-ledger: {' '.join(str(error).split())}\n")
    sys.exit(code)
