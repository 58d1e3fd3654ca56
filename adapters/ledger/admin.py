"""What an operator does to the ledger as a whole."""

from __future__ import annotations

from adapters.ledger.connection import connect, translated


def reset(url: str) -> None:
    """Empty the ledger, rules and positions included: the log is the truth, and `project` makes everything again.

    A projector that runs meanwhile is fenced, and begins again from the log's first offset.
    """
    with translated(), connect(url) as connection:
        connection.execute(
            "TRUNCATE ledger.rules, ledger.position, ledger.inquiry, ledger.event, ledger.sighting, "
            "ledger.revision, ledger.quarantined"
        )
