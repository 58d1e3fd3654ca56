"""Cursors: opaque to who holds them, so that what is in them stays ours to change."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from domain.books import Position
from domain.event import is_text
from domain.reading import Offsets

_MAX_PARTITION = 2**31 - 1
_MAX_OFFSET = 2**63 - 1


class ChangeCursor(NamedTuple):
    """Where a reader of changes stands: in which log, and from which offset of each partition on. `topic_id` is empty
    where nothing has been read yet."""

    topic: str
    topic_id: str
    offsets: Offsets


def cursor_at(topic: str, positions: Iterable[Position]) -> ChangeCursor:
    """The cursor of who wants only what comes after these positions."""
    found = list(positions)
    return ChangeCursor(topic, topic_id_of(found), {position.partition: position.next_offset for position in found})


def topic_id_of(positions: Iterable[Position]) -> str:
    """The id of the topic that is projected; empty where nothing is."""
    return next((position.topic_id for position in positions), "")


def encode_changes(cursor: ChangeCursor) -> str:
    """As text that may stand in a URL and in a header."""
    return _encode([cursor.topic, cursor.topic_id, sorted(cursor.offsets.items())])


def decode_changes(text: str) -> ChangeCursor:
    """ValueError for what `encode_changes` has not made."""
    match _decode(text):
        case [str(topic), str(topic_id), list(pairs)] if all(map(_is_place, pairs)):
            return ChangeCursor(topic, topic_id, dict(pairs))
    raise ValueError("not a cursor of changes")


def encode_inquiry(inquiry_id: str) -> str:
    """The cursor of a list, after this inquiry."""
    return _encode([inquiry_id])


def decode_inquiry(text: str) -> str:
    """ValueError for what `encode_inquiry` has not made."""
    match _decode(text):
        case [str(inquiry_id)] if is_text(inquiry_id):
            return inquiry_id
    raise ValueError("not a cursor of inquiries")


def _is_place(pair: Any) -> bool:
    match pair:
        case [bool(), _] | [_, bool()]:
            return False
        case [int(partition), int(offset)]:
            return 0 <= partition <= _MAX_PARTITION and 0 <= offset <= _MAX_OFFSET
    return False


def _encode(value: Any) -> str:
    text = json.dumps(value, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(text: str) -> Any:
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        return json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (UnicodeError, binascii.Error, ValueError, RecursionError) as error:
        raise ValueError("not a cursor") from error
