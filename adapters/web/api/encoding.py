"""Rows as JSON: times RFC 3339 in UTC with milliseconds and `Z`."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from domain.event import format_time


def to_json(value: Any) -> bytes:
    """One JSON document."""
    return _encode(value).encode()


def _to_text(value: Any) -> str:
    if isinstance(value, datetime):
        return format_time(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False, default=_to_text).encode
