"""Answers with data: JSON, not to be kept by caches, and saying how far the ledger is behind its log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from adapters.web.api.encoding import to_json
from adapters.web.api.lag import Lag
from domain.reading import ViewRow

_JSON = (b"content-type", b"application/json")
_NO_STORE = (b"cache-control", b"no-store")

#: May be kept by the client, and must be asked about each time.
_ASK_AGAIN = (b"cache-control", b"private, no-cache")

LAG_HEADER = "Ledger-Lag-Seconds"

Fields = list[tuple[bytes, bytes]]


class Answers:
    """Makes them."""

    def __init__(self, lag: Lag) -> None:
        self._lag = lag

    def json(self, document: Any) -> Response:
        """200 with one JSON document."""
        return _response(200, to_json(document), [_JSON, _NO_STORE, *self.lag()])

    def row(self, row: ViewRow, if_none_match: str | None) -> Response:
        """200 with a row of `current_decision` and its ETag; 304 where the client has it."""
        tag = etag(row)
        fields = [(b"etag", tag.encode()), _ASK_AGAIN, *self.lag()]
        if if_none_match is not None and matches(if_none_match, tag):
            return _response(304, b"", fields)
        return _response(200, to_json(row), [_JSON, *fields])

    def lag(self) -> Fields:
        """The header field of the lag; none where nothing is known of it."""
        seconds = self._lag.seconds()
        return [] if seconds is None else [(LAG_HEADER.lower().encode(), b"%d" % seconds)]


def etag(row: Mapping[str, Any]) -> str:
    """Weak (RFC 9110, 8.8.1). A ledger made again may use a revision's number again under another policy."""
    return f'W/"{row["revision"]}-{row["lifecycle_version"]}-{row["policy_version"]}"'


def matches(if_none_match: str, tag: str) -> bool:
    """Weak comparison with a list of tags, or `*` (RFC 9110, 13.1.2)."""
    tags = [part.strip().removeprefix("W/") for part in if_none_match.split(",")]
    return "*" in tags or tag.removeprefix("W/") in tags


def _response(status: int, body: bytes, fields: Fields) -> Response:
    response = Response(status_code=status)
    response.body = body
    length = [] if status == 304 else [(b"content-length", b"%d" % len(body))]
    response.raw_headers = [*length, *fields]
    return response
