"""Whatever goes wrong, the answer is a problem document that repeats nothing of the request."""

from __future__ import annotations

import json
from typing import Any

import pytest

from domain.errors import LedgerUnavailable, LogUnavailable, SchemaError
from tests.apis import Reading, problem
from tests.builders import event

PATHS = (
    "/v1/inquiries",
    "/v1/inquiries/inq_1",
    "/v1/inquiries/inq_1/history",
    "/v1/inquiries/inq_1/explain",
    "/v1/changes",
    "/v1/lifecycle",
)
SECRET = "ada.lovelace@example.org"


@pytest.fixture
def reading() -> Reading:
    reading = Reading()
    reading.write(event("created", 1))
    return reading


@pytest.mark.parametrize("path", PATHS)
def test_every_path_refuses_a_parameter_it_does_not_know(reading: Reading, path: str) -> None:
    assert problem(reading.ask(path, params={"x-ray": "1"}), 400)["parameter"] == "x-ray"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", [SECRET, "x" * 10_000, "", "a b", "é"], ids=["secret", "long", "empty", "two", "é"])
def test_a_name_that_is_none_is_not_repeated(reading: Reading, path: str, name: str) -> None:
    refused = problem(reading.ask(path, params={name: "1"}), 400)
    assert "parameter" not in refused
    assert name == "" or name not in json.dumps(refused)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", ["as_of", "at_least", "cursor", "status", "limit", "stuck_for", "wait", "timeout"])
def test_a_value_is_not_repeated(reading: Reading, capfd: pytest.CaptureFixture[str], path: str, name: str) -> None:
    answer = reading.ask(path, params={name: SECRET})
    assert answer.status_code == 400
    written = capfd.readouterr()
    assert SECRET not in answer.text + written.out + written.err


@pytest.mark.parametrize("query", ["%", "%ff%fe", "a=1&a=1&a=1", "&".join(["x=1"] * 3_000), ";;", "=&="])
def test_a_query_that_is_none_is_400_or_nothing_is_asked(reading: Reading, query: str) -> None:
    assert reading.ask(f"/v1/inquiries?{query}").status_code in (200, 400)


@pytest.mark.parametrize(
    "path", ["/v1", "/v1/", "/v1/inquiries/", "/v1/inquiries/a/b", "/v2/inquiries", "/v1/lifecycle/"]
)
def test_a_path_that_is_none_is_404(reading: Reading, path: str) -> None:
    assert problem(reading.ask(path), 404)["reason"] == "not_found"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", PATHS)
def test_nothing_can_be_changed(reading: Reading, method: str, path: str) -> None:
    refused = reading.ask(path, method)
    assert problem(refused, 405)["reason"] == "method"
    assert refused.headers["allow"] == "GET"


@pytest.mark.parametrize(
    "path", [path for path in PATHS if path not in ("/v1/lifecycle", "/v1/inquiries/inq_1/explain")]
)
def test_a_ledger_that_does_not_answer_is_503_with_when_to_try_again(reading: Reading, path: str) -> None:
    reading.query.is_away = True
    refused = reading.ask(path)
    assert problem(refused, 503)["reason"] == "unavailable"
    assert refused.headers["retry-after"] == "5"


@pytest.mark.parametrize("error", [LedgerUnavailable, LogUnavailable, SchemaError])
def test_a_proof_that_cannot_be_had_now_is_503_and_says_nothing_of_the_inside(
    reading: Reading, error: type[Exception]
) -> None:
    def explain(_: str) -> Any:
        raise error("postgresql://user:password@host")

    reading.changed["explain"] = explain
    refused = reading.ask("/v1/inquiries/inq_1/explain")
    assert problem(refused, 503)["reason"] == "unavailable"
    assert "password" not in refused.text


def test_readiness_names_what_is_wrong(reading: Reading) -> None:
    reading.changed["find_problems"] = lambda: ["the books of partition 3 do not balance"]
    refused = reading.ask("/readyz")
    assert refused.status_code == 503
    assert "the books of partition 3 do not balance" in refused.json()["problems"]


def test_metrics_count_by_route_and_status(reading: Reading) -> None:
    reading.ask_all(*(("GET", path, {}) for path in ("/v1/inquiries/inq_1", "/v1/inquiries/inq_2", "/nowhere")))
    route = "/v1/inquiries/{inquiry_id}"
    assert reading.count("ledger_api_requests_total", route=route, status="200") == 1
    assert reading.count("ledger_api_requests_total", route=route, status="404") == 1
    assert reading.count("ledger_api_requests_total", route="", status="404") == 1
    assert reading.count("ledger_api_request_seconds_count", route=route) == 2


def test_who_waits_does_not_count_as_slow(reading: Reading) -> None:
    reading.ask("/v1/inquiries/inq_1", params={"wait": "decision", "timeout": 0.02})
    route = "/v1/inquiries/{inquiry_id}"
    assert reading.count("ledger_api_requests_total", route=route, status="200") == 1
    assert reading.count("ledger_api_request_seconds_count", route=route) == 0
