"""What the projector reports, for Prometheus. Label values are few and fixed; nothing comes from a record's text."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from consumers.batch import Batch
from domain.aggregate import Changes
from domain.books import Count
from domain.event import Event
from domain.lifecycle import TARGETS


class ProjectorMetrics:
    """`consumers.projector.Meter` on a Prometheus registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._records = Counter("ledger_records", "Offsets read into the books", registry=registry)
        self._counts = Gauge("ledger_counts", "Change of each count by this process", ["count"], registry=registry)
        self._revisions = Counter("ledger_revisions", "Changes a reader can see", registry=registry)
        self._disagreements = Counter(
            "ledger_status_disagreements", "Records whose payload status is not their event's", registry=registry
        )
        self._seconds = Histogram("ledger_batch_seconds", "Time to write one batch", registry=registry)
        self._lag = Gauge("ledger_lag_records", "Records not yet in the ledger", ["partition"], registry=registry)
        self._lag_seconds = Gauge(
            "ledger_lag_seconds",
            "Age of the newest record in the ledger while others wait",
            ["partition"],
            registry=registry,
        )
        self._retries = Counter("ledger_retries", "Batches tried again or dropped", ["reason"], registry=registry)
        self._newest: dict[int, datetime] = {}
        self._reported: set[int] = set()

    def wrote(self, batch: Batch, changes: Changes, seconds: float) -> None:
        """A batch is in the ledger."""
        self._newest.update(batch.newest)
        self._records.inc(batch.records)
        self._revisions.inc(len(changes.revisions))
        self._disagreements.inc(sum(disagrees(sighting.event) for sighting in batch.sightings))
        self._seconds.observe(seconds)
        for count in Count:
            self._counts.labels(count.value).inc(sum(tally[count] for tally in changes.tallies.values()))

    def lags(self, records: Mapping[int, int]) -> None:
        """How many records of each assigned partition are not yet in the ledger. Of one that was taken nothing more is
        said: what another makes of it is the other's to report."""
        for gone in self._reported - records.keys():
            self._lag.remove(str(gone))
            self._lag_seconds.remove(str(gone))
            self._newest.pop(gone, None)
        self._reported = set(records)
        for partition, lag in records.items():
            newest = self._newest.get(partition)
            behind = time.time() - newest.timestamp() if lag and newest else 0.0
            self._lag.labels(str(partition)).set(lag)
            self._lag_seconds.labels(str(partition)).set(behind)

    def retried(self, reason: str) -> None:
        """A batch is tried again, or dropped."""
        self._retries.labels(reason).inc()


def disagrees(event: Event) -> bool:
    """Whether the payload's status is another than the one this event leads to: evidence, not truth."""
    target = TARGETS.get(event.name)
    return target is not None and event.payload_status is not None and event.payload_status != target
