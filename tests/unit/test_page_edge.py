"""What the page says of the edge: deliveries that never reach the log are only counted there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from adapters.web.edge_metrics import EdgeMetrics
from adapters.web.load import Load
from adapters.web.page.edge_figures import TurnedAway, read_figures, read_metrics
from adapters.web.refusal import BAD_SIGNATURE


def metrics_of(*outcomes: tuple[str, str]) -> str:
    """The edge's own text after these outcomes: (source, `accepted`, `unreadable` or the reason of a refusal)."""
    registry = CollectorRegistry()
    metrics = EdgeMetrics(registry, Load(1, 1))
    for source, outcome in outcomes:
        if outcome in ("accepted", "unreadable"):
            metrics.took(source, outcome, 0.01)
        else:
            metrics.refused(source, outcome)
    return generate_latest(registry).decode()


def test_forged_deliveries_are_counted_by_what_is_wrong_with_the_signature() -> None:
    figures = read_figures(
        metrics_of(("eu", "accepted"), ("eu", "unreadable"), ("eu", "mismatch"), ("eu", "mismatch"), ("us", "missing"))
    )
    assert figures
    assert (figures.taken, figures.forged, figures.others) == (2, 3, 0)
    assert figures.reasons == (
        TurnedAway("mismatch", "No secret of this source has signed this body", "eu", 2),
        TurnedAway("missing", "The signature header is missing", "us", 1),
    )


@pytest.mark.parametrize("reason", BAD_SIGNATURE)
def test_every_fault_of_a_signature_counts_as_forged(reason: str) -> None:
    figures = read_figures(metrics_of(("default", reason)))
    assert figures
    assert (figures.forged, figures.others) == (1, 0)


@pytest.mark.parametrize("reason", ["too_large", "overloaded", "no_ack", "disconnected", "not_found"])
def test_what_is_turned_away_for_another_reason_is_told_apart(reason: str) -> None:
    figures = read_figures(metrics_of(("", reason)))
    assert figures
    assert (figures.taken, figures.forged, figures.others) == (0, 0, 1)
    assert figures.reasons[0].reason == reason
    assert len(figures.reasons[0].text) > 20


def test_an_edge_that_has_done_nothing_has_taken_nothing() -> None:
    figures = read_figures(metrics_of())
    assert figures == (0, 0, 0, ())


@pytest.mark.parametrize("text", [None, "{ this is } no metric 1 2 3 4\n", "# TYPE x counter\nx{a=\n"])
def test_what_is_no_metrics_has_no_figures(text: str | None) -> None:
    assert read_figures(text) is None


@contextmanager
def answering(status: int, body: bytes) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_the_metrics_of_an_edge_are_read() -> None:
    text = metrics_of(("default", "mismatch"))
    with answering(200, text.encode()) as port:
        assert read_metrics("127.0.0.1", port) == text


@pytest.mark.parametrize(
    ("status", "body"), [(200, b"<html>another service"), (404, b"ledger_edge_deliveries_total 1")]
)
def test_another_service_at_that_address_is_no_edge(status: int, body: bytes) -> None:
    with answering(status, body) as port:
        assert read_metrics("127.0.0.1", port) is None


def test_where_nothing_answers_there_is_nothing_to_read() -> None:
    with answering(200, b"") as port:
        pass
    assert read_metrics("127.0.0.1", port) is None
