"""What the edge reports, for Prometheus. Label values are few and fixed; nothing comes from a request's text."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from adapters.web.load import Load
from adapters.web.refusal import BAD_SIGNATURE

#: Around what Persona allows (5 s) and what we do (3 s).
_ACK_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0)


class EdgeMetrics:
    """The edge on a Prometheus registry."""

    def __init__(self, registry: CollectorRegistry, load: Load) -> None:
        self._deliveries = Counter(
            "ledger_edge_deliveries", "Requests by source and outcome", ["source", "outcome"], registry=registry
        )
        self._signatures = Counter(
            "ledger_edge_signature_failures", "Refused signatures", ["source", "reason"], registry=registry
        )
        self._seconds = Histogram(
            "ledger_edge_ack_seconds", "From append to acknowledgement", registry=registry, buckets=_ACK_BUCKETS
        )
        self._children: dict[tuple[str, str], Counter] = {}
        records = Gauge("ledger_edge_in_flight", "Records that wait for the log", registry=registry)
        records.set_function(lambda: load.records)
        held = Gauge("ledger_edge_in_flight_bytes", "Bytes of bodies in memory", registry=registry)
        held.set_function(lambda: load.bytes)

    def took(self, source: str, outcome: str, seconds: float) -> None:
        """A delivery is in the log, `seconds` after it was appended."""
        self._count(source, outcome)
        self._seconds.observe(seconds)

    def refused(self, source: str, reason: str) -> None:
        """A request was answered with an error. `reason` of `adapters.web.refusal`, or disconnected."""
        is_signature = reason in BAD_SIGNATURE
        self._count(source, "bad_signature" if is_signature else reason)
        if is_signature:
            self._signatures.labels(source, reason).inc()

    def _count(self, source: str, outcome: str) -> None:
        """`Counter.labels` costs more than all else here, so its answers are kept."""
        key = (source, outcome)
        if key not in self._children:
            self._children[key] = self._deliveries.labels(source, outcome)
        self._children[key].inc()
