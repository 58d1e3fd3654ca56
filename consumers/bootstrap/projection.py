"""The projector, wired."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from prometheus_client import CollectorRegistry

from adapters.settings import Settings
from consumers.bootstrap.parts import check_schema, rules, topic
from consumers.bootstrap.servers import bootstrap_of, database_of
from consumers.metrics import ProjectorMetrics
from consumers.projector import Projector


@contextmanager
def projector(said: Settings, registry: CollectorRegistry) -> Iterator[Projector]:
    """The projector, not yet running. SchemaError, TopicError, PolicyError."""
    from adapters.kafka_log.feed import KafkaFeed
    from adapters.kafka_log.record import RecordReader
    from adapters.ledger.write import PostgresLedger
    from adapters.persona.body import read_body

    made_by, database = rules(said), database_of(said)
    check_schema(said)
    with topic(said) as log, closing(PostgresLedger(database, said.topic)) as ledger:
        log.inspect()
        feed = KafkaFeed(bootstrap_of(said), said.topic, said.group, said.kafka_security)
        decode = RecordReader(read_body, said.max_body_bytes)
        yield Projector(feed, log, ledger, decode, made_by, ProjectorMetrics(registry))
