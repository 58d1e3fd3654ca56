"""A ledger, the topic that its decisions are published to, and what can be read there."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from itertools import count
from typing import Any, NamedTuple
from zlib import crc32

import psycopg
from kafka import KafkaConsumer, TopicPartition

from adapters.kafka_log.publish import KafkaDecisions, open_topic
from adapters.ledger.publication import PostgresPublication
from adapters.ledger.write import PostgresLedger
from adapters.persona.simulator.records import records
from consumers.batch import write_batch
from consumers.publisher import Publisher
from domain.books import Position
from domain.event import Event, Placement, Sighting, from_millis, is_folded
from domain.reading import ViewRow
from tests.integration.scene import Scene
from tests.ledgers import RULES, batch_of

PARTITIONS = 6

_numbers = count()


class Meter:
    """Remembers what was reported."""

    def __init__(self) -> None:
        self.revisions = 0
        self.lag: Mapping[int, int] = {}
        self.retries: list[str] = []

    def published(self, revisions: int) -> None:
        self.revisions += revisions

    def lags(self, records: Mapping[int, int]) -> None:
        self.lag = records

    def retried(self, reason: str) -> None:
        self.retries.append(reason)


class Told(NamedTuple):
    """A record of the topic of decisions."""

    partition: int
    key: str
    value: dict[str, Any]
    headers: dict[str, str]

    @property
    def place(self) -> tuple[str, int]:
        return self.key, self.value["revision"]


class Stand(NamedTuple):
    """A scene, and the topic that its decisions go to."""

    scene: Scene
    decisions: str

    def write(self, events: Iterable[Event], topic_id: str = "topic", partition: int | None = None) -> None:
        """Put events into the ledger as the next records of a topic that nobody needs to read; of one partition, or of
        that of their inquiry."""
        with closing(PostgresLedger(self.scene.url, self.scene.topic)) as ledger:
            ledger.agree(RULES.versions)
            ledger.open([Position(number, "cluster", topic_id, 0, 0) for number in range(PARTITIONS)])
            ends = {number: position.next_offset for number, position in ledger.positions().items()}
            write_batch(ledger, batch_of([*self._place(events, ends, partition)]), RULES)

    def _place(self, events: Iterable[Event], ends: dict[int, int], chosen: int | None) -> Iterator[Sighting]:
        for event in events:
            partition = crc32(event.inquiry_id.encode()) % PARTITIONS if chosen is None else chosen
            moment = from_millis(1_800_000_000_000 + ends[partition])
            yield Sighting(event, Placement(self.scene.topic, partition, ends[partition], moment))
            ends[partition] += 1

    def publisher(self, **more: Any) -> tuple[Publisher, Meter]:
        """One that does not run yet, and what it reports."""
        meter = Meter()
        publication = PostgresPublication(self.scene.url, self.scene.topic)
        feed = KafkaDecisions(self.scene.bootstrap, self.scene.topic, topic=self.decisions)
        return Publisher(publication, feed, meter, **more), meter

    def publish(self, **more: Any) -> Meter:
        """Publish what is in the ledger now."""
        publisher, meter = self.publisher(**more)
        publisher.run(until_end=True)
        return meter

    @contextmanager
    def publishing(self) -> Iterator[Meter]:
        """A publisher that runs on in a thread, stopped at the end of the block; its error is raised there."""
        publisher, meter = self.publisher()
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(publisher.run)
            try:
                yield meter
            finally:
                publisher.stop()
            running.result()

    def position(self) -> dict[int, int]:
        """Up to where each partition is published."""
        with psycopg.connect(self.scene.url) as connection:
            return dict(connection.execute("SELECT partition, next_offset FROM ledger.publication").fetchall())

    def forget(self) -> None:
        """Delete the position."""
        with psycopg.connect(self.scene.url) as connection:
            connection.execute("DELETE FROM ledger.publication")

    def is_published(self) -> bool:
        """Whether all that is in the ledger is published."""
        return self.position() == self.scene.offsets()

    def read(self, *, committed: bool = True) -> list[Told]:
        """Every record that is there now, partition by partition."""
        with consume(self, committed=committed) as consumer:
            return [*read_to_end(consumer)]

    def revisions(self) -> dict[tuple[str, int], ViewRow]:
        """What the ledger has: (inquiry, revision) → its row."""
        return {(row["inquiry_id"], row["revision"]): row for row in self.scene.rows()["decision_revision"]}

    def check(self) -> None:
        """Every revision of the ledger is there, each inquiry's first appear in order, and its newest one is last; also
        to a reader who does not wait for what is committed."""
        expected = self.revisions().keys()
        for committed in (True, False):
            places = [told.place for told in self.read(committed=committed)]
            check_order(places)
            assert set(places) == expected


def make_stand(scene: Scene) -> Stand:
    """A new topic of decisions beside the scene."""
    name = f"decisions-{next(_numbers)}"
    with open_topic(scene.bootstrap, name=name) as topic:
        topic.create(PARTITIONS)
    return Stand(scene, name)


def simulated(seed: int, number: int) -> list[Event]:
    """The folded ones of so many events, some of which come late or twice."""
    return [draft.event for draft in records(seed, number, body_bytes=0) if is_folded(draft.event.name)]


def check_order(places: Sequence[tuple[str, int]]) -> None:
    """Of each inquiry, a revision appears first after all before it, and what is repeated ends with the newest."""
    newest, last = defaultdict[str, int](int), dict[str, int]()
    for inquiry_id, revision in places:
        assert revision <= newest[inquiry_id] + 1, (inquiry_id, revision)
        newest[inquiry_id] = max(newest[inquiry_id], revision)
        last[inquiry_id] = revision
    assert last == newest


@contextmanager
def consume(stand: Stand, *, committed: bool = True) -> Iterator[Any]:
    """A consumer of all partitions of the decisions, at their beginning."""
    consumer = KafkaConsumer(
        bootstrap_servers=stand.scene.bootstrap,
        isolation_level="read_committed" if committed else "read_uncommitted",
        enable_auto_commit=False,
        metrics_enabled=False,
    )
    with closing(consumer):
        consumer.assign([TopicPartition(stand.decisions, number) for number in range(PARTITIONS)])
        consumer.seek_to_beginning()
        yield consumer


def read_to_end(consumer: Any) -> Iterator[Told]:
    """What comes up to the end that the topic has now."""
    ends = consumer.end_offsets(consumer.assignment())
    while any(consumer.position(named) < end for named, end in ends.items()):
        for polled in consumer.poll(timeout_ms=200).values():
            for record in polled:
                headers = {name: value.decode() for name, value in record.headers}
                yield Told(record.partition, record.key.decode(), json.loads(record.value), headers)
