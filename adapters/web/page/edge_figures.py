"""What the edge took and what it turned away, read from its `/metrics`.

A forged delivery is answered 401 and reaches no topic, so nothing but this count is kept of it. Edge and page are two
processes, often on two machines: where the edge does not answer, the page says so.
"""

from __future__ import annotations

from collections import Counter
from http.client import HTTPConnection, HTTPException
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from adapters.web import refusal
from adapters.web.reply import Problem

_TIMEOUT_S = 0.5
_MAX_BYTES = 1_000_000

_DELIVERIES = "ledger_edge_deliveries_total"
_SIGNATURES = "ledger_edge_signature_failures_total"

#: Outcomes of a delivery that is in the topic.
_TAKEN = frozenset({"accepted", "unreadable"})

#: Outcome that stands for every reason of `_SIGNATURES`.
_FORGED = "bad_signature"


class TurnedAway(NamedTuple):
    """How many deliveries of one source were turned away for one reason. `text`: the reason for people."""

    reason: str
    text: str
    source: str
    deliveries: int


class EdgeFigures(NamedTuple):
    """Since the edge was started. `forged`: with a signature that is missing, wrong or of another time."""

    taken: int
    forged: int
    others: int
    reasons: tuple[TurnedAway, ...]


def read_metrics(host: str, port: int) -> str | None:
    """The `/metrics` of an edge that listens there; None where nothing answers within half a second, or something else
    does."""
    connection = HTTPConnection(host, port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        text = answer.read(_MAX_BYTES).decode("utf-8", "replace")
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
    return text if answer.status == 200 and _DELIVERIES in text else None


def read_figures(text: str | None) -> EdgeFigures | None:
    """Prometheus' text format → figures; None where there is none, or it is not the edge's."""
    if text is None:
        return None
    try:
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    except ValueError:
        return None
    outcomes: Counter[tuple[str, str]] = Counter()
    signatures: Counter[tuple[str, str]] = Counter()
    for sample in samples:
        if sample.name == _DELIVERIES:
            outcomes[sample.labels["outcome"], sample.labels["source"]] += int(sample.value)
        elif sample.name == _SIGNATURES:
            signatures[sample.labels["reason"], sample.labels["source"]] += int(sample.value)
    return _add_up(outcomes, signatures)


def _add_up(outcomes: Counter[tuple[str, str]], signatures: Counter[tuple[str, str]]) -> EdgeFigures:
    others = Counter({key: n for key, n in outcomes.items() if key[0] not in _TAKEN and key[0] != _FORGED})
    reasons = [TurnedAway(reason, _tell(reason), source, n) for (reason, source), n in (signatures + others).items()]
    return EdgeFigures(
        taken=sum(n for (outcome, _), n in outcomes.items() if outcome in _TAKEN),
        forged=signatures.total(),
        others=others.total(),
        reasons=tuple(sorted(reasons, key=lambda line: (-line.deliveries, line))),
    )


def _tell(reason: str) -> str:
    known = [value for value in vars(refusal).values() if isinstance(value, Problem)]
    details = {problem.reason: problem.detail for problem in (*known, *refusal.BAD_SIGNATURE.values())}
    text = details.get(reason, "the sender went away before its body was whole")
    return text[0].upper() + text[1:]
