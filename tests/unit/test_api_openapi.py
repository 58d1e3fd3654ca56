"""The OpenAPI document says what there is: its models are the views, its examples are valid, its answers complete."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from pydantic import BaseModel

from adapters.web.api import models
from tests.apis import Reading
from tests.builders import event

DOCUMENT: dict[str, Any] = Reading().build().openapi()

OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}


def test_every_path_of_the_contract_is_there() -> None:
    assert set(OPERATIONS) == {
        "GET /v1/inquiries",
        "GET /v1/inquiries/{inquiry_id}",
        "GET /v1/inquiries/{inquiry_id}/history",
        "GET /v1/inquiries/{inquiry_id}/explain",
        "GET /v1/changes",
        "GET /v1/lifecycle",
        "POST /v1/callbacks",
    }


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_path_tells_all_its_answers(name: str) -> None:
    answers = set(OPERATIONS[name]["responses"])
    expected = {"200", "400", "401", "403", "429", "503"}
    if "{inquiry_id}" in name or name.startswith("POST"):
        expected |= {"404"}
    if name == "GET /v1/inquiries/{inquiry_id}":
        expected |= {"304", "409"}
    if name.startswith("POST"):
        expected |= {"408", "413"}
    assert answers == expected


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_parameter_is_described_and_typed(name: str) -> None:
    for parameter in OPERATIONS[name].get("parameters", []):
        assert parameter["description"]
        assert parameter["schema"]["type"] in ("string", "integer", "number")


@pytest.mark.parametrize(
    ("model", "view"),
    [
        (models.CurrentDecision, "current_decision"),
        (models.HistoryEvent, "inquiry_history"),
        (models.Revision, "decision_revision"),
    ],
)
def test_a_model_has_the_columns_of_its_view(model: type[BaseModel], view: str) -> None:
    reading = Reading()
    reading.write(event("created", 1))
    (row,) = reading.ledger.view(view)
    assert set(model.model_fields) == set(row)


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v1/inquiries/inq_1", "CurrentDecision"),
        ("/v1/inquiries/inq_1?as_of=1999-01-01T00:00:00Z", "CurrentDecision"),
        ("/v1/inquiries", "Decisions"),
        ("/v1/inquiries/inq_1/history", "History"),
        ("/v1/changes", "Changes"),
        ("/v1/inquiries/inq_2", "Problem"),
        ("/v1/inquiries?limit=0", "Problem"),
        ("/v1/inquiries/inq_1?at_least=0:9&timeout=0", "Problem"),
    ],
)
def test_an_answer_is_as_its_model_says(path: str, model: str) -> None:
    reading = Reading()
    reading.write(event("created", 1), event("failed", 2), event("redacted", 3))
    check(reading.ask(path).json(), {"$ref": f"#/components/schemas/{model}"})


def test_every_example_is_as_its_model_says() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        for example in schema.get("examples", []):
            check(example, schema)
    for example, schema in problems():
        check(example, schema)


def problems() -> Iterator[tuple[Any, Any]]:
    for operation in OPERATIONS.values():
        for answer in operation["responses"].values():
            for kind, content in answer.get("content", {}).items():
                if kind == "application/problem+json":
                    yield content["example"], content["schema"]


def check(value: Any, schema: Any) -> None:
    whole = {**schema, "components": DOCUMENT["components"]}
    Draft202012Validator(whole, format_checker=FormatChecker()).validate(value)


def test_a_token_is_asked_for_or_none() -> None:
    assert DOCUMENT["components"]["securitySchemes"] == {"bearer": {"type": "http", "scheme": "bearer"}}
    assert all(operation["security"] == [{}, {"bearer": []}] for operation in OPERATIONS.values())


def test_the_document_is_served() -> None:
    assert Reading().get("/v1/openapi.json") == DOCUMENT
