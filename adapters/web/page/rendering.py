"""Templates and the header fields of every answer of the page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from adapters.web.page import words
from domain.event import format_time

FOLDER = Path(__file__).parent

#: Nothing is loaded but our own script, style sheet and data; nothing inline runs, no other site may frame the page.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)

#: Of every answer. No link tells another site where it came from; `same-origin` and not `no-referrer`, under which
#: browsers post our own forms with `Origin: null`, as a foreign page would.
HEADERS: Mapping[str, str] = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}

#: Of every page: it holds ids, which no cache may keep.
NO_STORE: Mapping[str, str] = {"cache-control": "no-store"}


#: Seconds between two looks of an open page without a change: spans of time grow, and not every event is a change.
EVERY_S = 15


class Renderer:
    """The page's templates. Everything that is put into one is escaped."""

    def __init__(self, *, can_log_out: bool) -> None:
        """`can_log_out`: whether there are sessions to end."""
        loader = FileSystemLoader(FOLDER / "templates")
        self._templates = Environment(
            loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        self._templates.globals["can_log_out"] = can_log_out
        self._templates.globals["every"] = EVERY_S
        #: Of a page without them; everything else that a template names must be given.
        self._templates.globals.update(dict.fromkeys(("place", "feed", "inquiry_id", "health", "retry"), None))
        self._templates.filters.update(
            event=lambda name: words.EVENTS[name],
            decision=lambda name: words.DECISIONS[name],
            status=lambda name: "None" if name is None else words.STATUSES[name],
            time=words.tell_time,
            iso=format_time,
            span=words.tell_span,
            path=lambda text: quote(text, safe=""),
            number=lambda count: f"{count:,}".replace(",", "\u202f"),
        )

    def answer(
        self, template: str, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any
    ) -> HTMLResponse:
        """A page. `values` are what its template names."""
        values.setdefault("now", datetime.now(UTC))
        html = self._templates.get_template(template).render(values)
        return HTMLResponse(html, status, {**HEADERS, **NO_STORE, **(headers or {})})
