"""What the projector reports is about the partitions that it has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry

from consumers.batch import Batch
from consumers.metrics import ProjectorMetrics
from domain.aggregate import Changes


def lags(registry: CollectorRegistry, metric: str) -> dict[str, float]:
    (family,) = (family for family in registry.collect() if family.name == metric)
    return {sample.labels["partition"]: sample.value for sample in family.samples}


def test_the_lag_of_a_partition_that_was_taken_is_no_longer_reported() -> None:
    registry = CollectorRegistry()
    metrics = ProjectorMetrics(registry)
    metrics.lags({0: 3, 1: 7})
    metrics.lags({1: 5})
    assert lags(registry, "ledger_lag_records") == {"1": 5}
    assert lags(registry, "ledger_lag_seconds").keys() == {"1"}
    metrics.lags({})
    assert lags(registry, "ledger_lag_records") == {}


def test_a_partition_that_comes_back_has_no_age_until_it_was_written_again() -> None:
    registry = CollectorRegistry()
    metrics = ProjectorMetrics(registry)
    metrics.wrote(Batch(newest={0: datetime.now(UTC) - timedelta(hours=1)}), Changes(), 0.1)
    metrics.lags({0: 1})
    assert lags(registry, "ledger_lag_seconds")["0"] >= 3600
    metrics.lags({})
    metrics.lags({0: 1})
    assert lags(registry, "ledger_lag_seconds") == {"0": 0}
