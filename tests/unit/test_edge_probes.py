"""`/livez`, `/readyz`, `/metrics`, and what the log of a process says of refused requests."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from domain.errors import LogUnavailable, TopicError
from tests.edges import Edge, delivery, signed

PATH = "/webhooks/persona"


def test_a_live_process_says_so() -> None:
    assert Edge().send("GET", "/livez").json() == {"status": "alive"}
    assert Edge().send("HEAD", "/livez").status_code == 200


def test_a_process_without_problems_is_ready() -> None:
    response = Edge().send("GET", "/readyz")
    assert (response.status_code, response.json()) == (200, {"status": "ready", "problems": []})


@pytest.mark.parametrize("error", [LogUnavailable("the log is away"), TopicError("the log is away")])
def test_a_process_that_is_not_ready_lists_its_problems(error: Exception) -> None:
    def raises() -> Sequence[str]:
        raise error

    for find in (raises, lambda: ["the log is away"]):
        response = Edge(find_problems=find).send("GET", "/readyz")
        assert response.status_code == 503
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["problems"] == ["the log is away"]


def test_many_who_ask_at_once_are_one_question_in_a_thread_of_its_own() -> None:
    asked: list[int] = []

    def find() -> Sequence[str]:
        asked.append(threading.get_ident())
        return []

    edge = Edge(find_problems=find)

    async def scenario() -> list[httpx.Response]:
        return await asyncio.gather(*(edge.asend("GET", "/readyz") for _ in range(20)))

    assert {response.status_code for response in asyncio.run(scenario())} == {200}
    assert len(asked) == 1
    assert asked[0] != threading.get_ident()


def test_metrics_count_by_source_and_outcome() -> None:
    edge = Edge()
    edge.deliver(delivery())
    edge.deliver(b"")
    edge.send("POST", PATH, content=b"")
    response = edge.send("GET", "/metrics", headers={"accept": 'text/plain;version=1.0.0;escaping="x', "host": "x"})
    assert response.headers["content-type"].startswith("text/plain")
    for line in (
        'ledger_edge_deliveries_total{outcome="accepted",source="default"} 1.0',
        'ledger_edge_deliveries_total{outcome="unreadable",source="default"} 1.0',
        'ledger_edge_deliveries_total{outcome="bad_signature",source="default"} 1.0',
        'ledger_edge_signature_failures_total{reason="missing",source="default"} 1.0',
        "ledger_edge_ack_seconds_count 2.0",
        "ledger_edge_in_flight 0.0",
    ):
        assert line in response.text.splitlines()


def test_label_values_stay_few_whatever_is_sent() -> None:
    edge = Edge()
    for number in range(50):
        edge.send(f"M{number}", f"{PATH}/{number}", headers={"Persona-Signature": str(number)})
        edge.send("POST", PATH, headers={"Persona-Signature": f"t={number},v1={number:064}"})
    samples = [sample for metric in edge.registry.collect() for sample in metric.samples if sample.labels]
    assert {tuple(sorted(sample.labels.items())) for sample in samples if "le" not in sample.labels} == {
        (("outcome", "not_found"), ("source", "")),
        (("outcome", "bad_signature"), ("source", "default")),
        (("reason", "mismatch"), ("source", "default")),
    }


def test_what_is_taken_leaves_no_line() -> None:
    with capture_logs() as lines:
        Edge().deliver(delivery())
    assert lines == []


SECRET_WORDS = ("inq_personal", "evt_personal", "jane@example.org", "personal-path", "personal-method", "personal-key")


def send_everything(edge: Edge) -> None:
    body = delivery(
        "inq_personal", "evt_personal", "verification/personal-key.passed", **{"reference-id": "jane@example.org"}
    )
    edge.deliver(body)
    edge.send("PERSONAL-METHOD", PATH, content=body)
    edge.send("POST", f"{PATH}/personal-path?personal-key=1", content=body, headers=signed(body))
    edge.send("POST", "/personal-path", content=body, headers={"personal-key": "jane@example.org"})
    edge.send("POST", PATH, content=body, headers={"Persona-Signature": "personal-key"})
    edge.send("POST", PATH, content=body + b" " * 3_000)
    edge.appender.acknowledges = False
    edge.deliver(body)
    edge.appender.fails_with = LogUnavailable("away")
    edge.deliver(body)


def test_each_refusal_is_one_line_without_a_word_of_the_request() -> None:
    edge = Edge()
    with capture_logs() as lines:
        send_everything(edge)
    assert [(line["status"], line["reason"], line["route"], line["source"]) for line in lines] == [
        (405, "method", "/webhooks/persona/{source}", "default"),
        (404, "not_found", "", None),
        (404, "not_found", "", None),
        (401, "malformed", "/webhooks/persona/{source}", "default"),
        (413, "too_large", "/webhooks/persona/{source}", "default"),
        (503, "no_ack", "/webhooks/persona/{source}", "default"),
        (503, "log_failed", "/webhooks/persona/{source}", "default"),
    ]
    assert lines[0]["method"] == "other"
    assert {line["event_family"] for line in lines[-2:]} == {"verification"}
    assert all(line["duration_ms"] >= 0 for line in lines)
    assert not any(word in json.dumps(lines).lower() for word in SECRET_WORDS)


def test_neither_answers_nor_metrics_repeat_what_was_sent() -> None:
    edge = Edge()
    texts: list[str] = []
    original = edge.asend

    async def asend(*call: Any, **request: Any) -> httpx.Response:
        response = await original(*call, **request)
        texts.append(response.text if response.status_code != 200 else "")
        return response

    edge.asend = asend  # type: ignore[method-assign]
    send_everything(edge)
    texts.append(edge.send("GET", "/metrics").text)
    assert not any(word in text.lower() for word in SECRET_WORDS for text in texts)
