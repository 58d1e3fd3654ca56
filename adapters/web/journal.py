"""One line of the log for each request that is not answered with 2xx. No text of a request goes in."""

from __future__ import annotations

import time
from typing import Any

from starlette.types import Scope

from adapters.web.reply import Problem

_METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})

#: Families of event names that Persona has (persona.md, section 2). A signed body may hold any name at all.
_FAMILIES = frozenset(
    {
        "account",
        "case",
        "document",
        "inquiry",
        "inquiry-session",
        "report",
        "selfie",
        "transaction",
        "verification",
        "workflow-run",
    }
)


class Journal:
    """Writes down what was refused. `log`: a structlog logger."""

    def __init__(self, log: Any) -> None:
        self._log = log

    def refused(
        self,
        scope: Scope,
        problem: Problem,
        started: float,
        route: str,
        source: str | None = None,
        event_name: str | None = None,
    ) -> None:
        """`started`: of `time.perf_counter`. `route`, `source`: of ours, never as the sender wrote them."""
        write = self._log.warning if problem.status >= 500 else self._log.info
        write(
            "refused",
            method=scope["method"] if scope["method"] in _METHODS else "other",
            route=route,
            status=problem.status,
            reason=problem.reason,
            source=source,
            event_family=_family(event_name),
            duration_ms=round((time.perf_counter() - started) * 1000, 1),
        )


def _family(event_name: str | None) -> str | None:
    """`report/watchlist.matched` → `report`."""
    if event_name is None:
        return None
    family = event_name.partition(".")[0].partition("/")[0]
    return family if family in _FAMILIES else "other"
