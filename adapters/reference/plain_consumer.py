"""The plain consumer: kafka-python, one transaction an event, a deduplication table and one mutable status column.

It commits durably and after the write, so it loses nothing; it keeps no order, no history, no revisions and no books.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import psycopg
from kafka import KafkaConsumer, TopicPartition


class Run(NamedTuple):
    """How many events were written, and the seconds from the first poll that returned some."""

    events: int
    seconds: float


def consume(
    bootstrap: str, topic: str, database_url: str, events: int, security: Mapping[str, object] | None = None
) -> Run:
    """Read `events` records from the start of the topic and write each in a transaction of its own."""
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest", **(security or {})
    )
    consumer.assign([TopicPartition(topic, partition) for partition in sorted(consumer.partitions_for_topic(topic))])
    try:
        with psycopg.connect(database_url) as connection:
            for statement in _SCHEMA:
                connection.execute(statement)
            connection.commit()
            return _consume(consumer, connection, events)
    finally:
        consumer.close()


def _consume(consumer: Any, connection: psycopg.Connection[Any], events: int) -> Run:
    done, started = 0, None
    while done < events:
        records = [record for records in consumer.poll(timeout_ms=1000).values() for record in records]
        started = started if started is not None or not records else time.perf_counter()
        for record in records[: events - done]:
            _write(connection, json.loads(record.value))
            done += 1
    return Run(done, time.perf_counter() - (started or 0.0))


def _write(connection: psycopg.Connection[Any], body: Any) -> None:
    attributes = body["data"]["attributes"]
    payload = attributes["payload"]["data"]
    parameters = {
        "event_id": body["data"]["id"],
        "inquiry_id": payload["id"],
        "status": attributes["name"].removeprefix("inquiry."),
        "at": attributes["created-at"],
    }
    if connection.execute(_REMEMBER, parameters).rowcount:
        connection.execute(_UPSERT, parameters)
    connection.commit()


_SCHEMA = (
    "DROP TABLE IF EXISTS plain_event, plain_inquiry",
    "CREATE TABLE plain_event (event_id text PRIMARY KEY)",
    "CREATE TABLE plain_inquiry (inquiry_id text PRIMARY KEY, status text NOT NULL, changed_at timestamptz NOT NULL)",
)

_REMEMBER = "INSERT INTO plain_event (event_id) VALUES (%(event_id)s) ON CONFLICT DO NOTHING"

_UPSERT = """
INSERT INTO plain_inquiry (inquiry_id, status, changed_at) VALUES (%(inquiry_id)s, %(status)s, %(at)s)
ON CONFLICT (inquiry_id) DO UPDATE SET status = EXCLUDED.status, changed_at = EXCLUDED.changed_at
WHERE plain_inquiry.changed_at <= EXCLUDED.changed_at
"""
