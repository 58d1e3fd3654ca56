"""The publisher, wired."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

from prometheus_client import CollectorRegistry

from adapters.settings import Settings
from consumers.bootstrap.parts import check_schema
from consumers.bootstrap.servers import bootstrap_of, database_of
from consumers.publisher import Publisher
from consumers.publisher_metrics import PublisherMetrics
from domain.errors import LogUnavailable, SettingsError


@contextmanager
def publisher(said: Settings, registry: CollectorRegistry) -> Iterator[Publisher]:
    """The publisher, not yet running. It starts without the log, but not without its topic. SettingsError, SchemaError,
    TopicError."""
    from adapters.kafka_log.decision_record import DECISIONS_TOPIC
    from adapters.kafka_log.publish import KafkaDecisions
    from adapters.ledger.publication import PostgresPublication

    if said.topic == DECISIONS_TOPIC:
        raise SettingsError("LEDGER_TOPIC", "is the topic that decisions are published to; events need another one")
    check_schema(said)
    feed = KafkaDecisions(bootstrap_of(said), said.topic, said.kafka_security)
    with closing(feed), closing(PostgresPublication(database_of(said), said.topic)) as publication:
        with suppress(LogUnavailable):
            feed.check()
        yield Publisher(publication, feed, PublisherMetrics(registry))
