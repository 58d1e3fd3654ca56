"""What the publisher reports, for Prometheus. Label values are few and fixed; nothing comes from a record's text."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge


class PublisherMetrics:
    """`consumers.publisher.Meter` on a Prometheus registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._published = Counter("ledger_published", "Revisions published", registry=registry)
        self._lag = Gauge(
            "ledger_publish_lag_records",
            "Offsets in the ledger and not yet published",
            ["partition"],
            registry=registry,
        )
        self._retries = Counter("ledger_publish_retries", "Times it began again", ["reason"], registry=registry)

    def published(self, revisions: int) -> None:
        """So many more are in the feed."""
        self._published.inc(revisions)

    def lags(self, records: Mapping[int, int]) -> None:
        """How many offsets of each partition are in the ledger and not published; nothing while another publishes."""
        self._lag.clear()
        for partition, lag in records.items():
            self._lag.labels(str(partition)).set(lag)

    def retried(self, reason: str) -> None:
        """It begins again."""
        self._retries.labels(reason).inc()
