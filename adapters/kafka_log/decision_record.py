"""A record of the decision feed: one revision of an inquiry, as JSON behind CloudEvents 1.0 headers. And its schema.

Pure: knows no client. `FIELDS` is the only list of what the value holds; value, schema and documentation follow it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from domain.decision import Decision
from domain.event import format_time
from domain.lifecycle import Status
from domain.reading import ViewRow

DECISIONS_TOPIC = "inquiry.decisions"

#: Of a compacted topic the last record of each key stays. Older ones, and so a reference id from before a redaction,
#: are gone after about a day (KIP-354), once more is written to their partition.
DECISIONS_SETTINGS: Mapping[str, str] = {"cleanup.policy": "compact", "max.compaction.lag.ms": "86400000"}

SCHEMA_ID = "urn:inquiry-ledger:decision:1"
EVENT_TYPE = "inquiry-ledger.decision.revised"
SOURCE_PREFIX = "/inquiry-ledger/"

Schema = dict[str, Any]
Headers = list[tuple[str, bytes]]

_ID: Schema = {"type": "string", "minLength": 1}
_MAYBE_TEXT: Schema = {"type": ["string", "null"]}
_TIME_PATTERN = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"
_TIME: Schema = {"type": "string", "format": "date-time", "pattern": _TIME_PATTERN}
_MAYBE_TIME: Schema = {**_TIME, "type": ["string", "null"]}
_NUMBER: Schema = {"type": "integer", "minimum": 0}

#: Field → its schema and what it says. Those up to `known_at` and from `cause_event_id` to `offset` are columns of
#: `decision_revision`; the others are what the ledger knows of the inquiry when the record is published.
FIELDS: Mapping[str, tuple[Schema, str]] = {
    "inquiry_id": (_ID, "The inquiry; also the key of the record."),
    "revision": ({"type": "integer", "minimum": 1}, "Counts the changes a reader could see: 1, 2, …"),
    "status": ({"enum": [*Status, None]}, "Where the inquiry is; null before the first event that moves it."),
    "decision": ({"enum": [*Decision]}, "What to act on."),
    "decided_at": (_MAYBE_TIME, "Since when this decision has held without a break; null while undecided."),
    "effective_at": (_MAYBE_TIME, "Since when the status has held (valid time)."),
    "known_at": (_TIME, "When the log had the record that caused this revision."),
    "source": (_MAYBE_TEXT, "The webhook source."),
    "reference_id": (_MAYBE_TEXT, "Your own id of the person; null once the inquiry is redacted."),
    "account_id": (_MAYBE_TEXT, "Persona's account."),
    "template_id": (_MAYBE_TEXT, "Persona's inquiry template."),
    "redacted_at": (_MAYBE_TIME, "When the inquiry was redacted, if it was."),
    "cause_event_id": (_ID, "The event that caused this revision."),
    "topic": (_ID, "The topic of the record that caused it …"),
    "partition": (_NUMBER, "… its partition …"),
    "offset": (_NUMBER, "… and its offset."),
    "lifecycle_version": (_ID, "Hash of the lifecycle table by which this was decided."),
    "policy_version": (_ID, "Hash of the decision policy by which this was decided."),
}


class DecisionRecord(NamedTuple):
    """What is appended for one revision."""

    key: bytes
    value: bytes
    headers: Headers


def encode_decision(row: ViewRow) -> DecisionRecord:
    """The record of a revision. `row`: the columns named in FIELDS; times UTC. KeyError where one is missing."""
    inquiry_id, known_at = row["inquiry_id"], format_time(row["known_at"])
    value = _encode({name: _plain(row[name]) for name in FIELDS}).encode()
    headers = {
        "ce_specversion": "1.0",
        "ce_id": f"{inquiry_id}:{row['revision']}",
        "ce_type": EVENT_TYPE,
        "ce_source": f"{SOURCE_PREFIX}{row['topic']}",
        "ce_subject": inquiry_id,
        "ce_time": known_at,
        "ce_dataschema": SCHEMA_ID,
        "content-type": "application/json",
    }
    return DecisionRecord(inquiry_id.encode(), value, [(name, said.encode()) for name, said in headers.items()])


def _plain(value: object) -> object:
    return format_time(value) if isinstance(value, datetime) else value


_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def value_schema() -> Schema:
    """JSON Schema (draft 7, which AsyncAPI and registries understand) of the value. Fields may be added to it, none
    is taken away: that would be another schema id."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": SCHEMA_ID,
        "title": "A decision about an inquiry, as revised",
        "type": "object",
        "properties": {name: {**schema, "description": says} for name, (schema, says) in FIELDS.items()},
        "required": [*FIELDS],
    }


def headers_schema() -> Schema:
    """JSON Schema (draft 7) of the headers, as text: CloudEvents 1.0, Kafka binding, binary mode."""
    fixed = {
        "ce_specversion": "1.0",
        "ce_type": EVENT_TYPE,
        "ce_dataschema": SCHEMA_ID,
        "content-type": "application/json",
    }
    said = {
        "ce_id": {"type": "string", "description": "Inquiry id, colon, revision."},
        "ce_source": {"type": "string", "pattern": f"^{SOURCE_PREFIX}", "description": "Which ledger: its topic."},
        "ce_subject": {**_ID, "description": "The inquiry id."},
        "ce_time": {**_TIME, "description": "`known_at` of the value."},
    }
    properties: Schema = {**{name: {"const": value} for name, value in fixed.items()}, **said}
    return {"type": "object", "properties": properties, "required": [*properties]}
