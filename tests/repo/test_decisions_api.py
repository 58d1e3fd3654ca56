"""The documents for machines hold together, and what they show is what is published."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft7Validator

from adapters.kafka_log.decision_record import DECISIONS_TOPIC, SCHEMA_ID
from tests.repo.decisions_api import ASYNCAPI, SCHEMA
from tests.repo.tree import ROOT

DOCUMENT = json.loads((ROOT / ASYNCAPI).read_text(encoding="utf-8"))
VALUE = json.loads((ROOT / SCHEMA).read_text(encoding="utf-8"))
MESSAGE = DOCUMENT["components"]["messages"]["decisionRevised"]


def find_references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (node["$ref"] for _ in [0] if "$ref" in node)
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from find_references(inner)


def resolve(reference: str) -> Any:
    file, _, pointer = reference.partition("#")
    node = json.loads((ROOT / ASYNCAPI.parent / file).read_text(encoding="utf-8")) if file else DOCUMENT
    for name in pointer.split("/")[1:]:
        node = node[name]
    return node


def test_every_reference_leads_somewhere() -> None:
    found = list(find_references(DOCUMENT))
    assert len(found) == 4
    assert all(resolve(reference) for reference in found)


def test_the_payload_is_the_schema_that_a_header_names() -> None:
    assert resolve(MESSAGE["payload"]["schema"]["$ref"]) == VALUE
    assert VALUE["$id"] == SCHEMA_ID == MESSAGE["headers"]["properties"]["ce_dataschema"]["const"]
    assert DOCUMENT["channels"]["decisions"]["address"] == DECISIONS_TOPIC


def test_the_example_is_as_the_schemas_say() -> None:
    (example,) = MESSAGE["examples"]
    Draft7Validator(VALUE).validate(example["payload"])
    Draft7Validator(MESSAGE["headers"]).validate(example["headers"])
