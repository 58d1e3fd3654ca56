"""The decision feed for machines: the JSON Schema of its value, and an AsyncAPI 3.0 document of its topic."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from adapters.kafka_log.decision_record import (
    DECISIONS_SETTINGS,
    DECISIONS_TOPIC,
    EVENT_TYPE,
    encode_decision,
    headers_schema,
    value_schema,
)
from domain.event import parse_time

FOLDER = Path("docs/reference")
SCHEMA = FOLDER / "decision.schema.json"
ASYNCAPI = FOLDER / "decisions.asyncapi.json"

#: Changes with what a consumer may rely on; fields that are added do not.
_VERSION = "1.0.0"

_EXAMPLE = {
    "inquiry_id": "inq_2CVZ4HyVg7qaboXz2PUHknAn",
    "revision": 3,
    "status": "approved",
    "decision": "approved",
    "decided_at": parse_time("2026-03-01T10:07:00.000Z"),
    "effective_at": parse_time("2026-03-01T10:07:00.000Z"),
    "known_at": parse_time("2026-03-01T10:07:01.482Z"),
    "source": "default",
    "reference_id": "user-7",
    "account_id": "act_8dJnkR2LzmVXf9sKqWc41tYb",
    "template_id": "itmpl_Ygs16MKTkA6obnF8C3Rb17dm",
    "redacted_at": None,
    "cause_event_id": "evt_Q3PCmgDp6vKsa7BMQXbCvPPM",
    "topic": "persona.events",
    "partition": 3,
    "offset": 1207,
    "lifecycle_version": "c6633dfddd68",
    "policy_version": "6ae4b7f8a9c1",
}


def draw_files() -> dict[Path, str]:
    """Both files: path → text."""
    return {SCHEMA: _write(value_schema()), ASYNCAPI: _write(asyncapi())}


def example() -> dict[str, Any]:
    """A record as a consumer sees it: its headers and its value."""
    record = encode_decision(_EXAMPLE)
    return {"headers": {name: text.decode() for name, text in record.headers}, "payload": json.loads(record.value)}


def asyncapi() -> dict[str, Any]:
    """One channel, one message, and what the publisher does with them."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Decisions of the inquiry ledger",
            "version": _VERSION,
            "description": "Each change of what is decided about an inquiry: at least once, in order for each inquiry.",
        },
        "defaultContentType": "application/json",
        "channels": {"decisions": _channel()},
        "operations": {
            "publish": {
                "action": "send",
                "channel": {"$ref": "#/channels/decisions"},
                "messages": [{"$ref": "#/channels/decisions/messages/decisionRevised"}],
            }
        },
        "components": {"messages": {"decisionRevised": _message()}},
    }


def _channel() -> dict[str, Any]:
    settings: dict[str, Any] = dict(DECISIONS_SETTINGS)
    configured = {"cleanup.policy": [settings.pop("cleanup.policy")], **{k: int(v) for k, v in settings.items()}}
    return {
        "address": DECISIONS_TOPIC,
        "messages": {"decisionRevised": {"$ref": "#/components/messages/decisionRevised"}},
        "bindings": {"kafka": {"topic": DECISIONS_TOPIC, "topicConfiguration": configured, "bindingVersion": "0.5.0"}},
    }


def _message() -> dict[str, Any]:
    return {
        "name": EVENT_TYPE,
        "title": "A decision was revised",
        "contentType": "application/json",
        "headers": headers_schema(),
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-07",
            "schema": {"$ref": SCHEMA.name},
        },
        "bindings": {
            "kafka": {"key": {"type": "string", "description": "The inquiry id, UTF-8."}, "bindingVersion": "0.5.0"}
        },
        "examples": [example()],
    }


def _write(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"
