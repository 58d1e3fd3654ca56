"""Both feeds, while everything around them is killed, rebalanced, and taken over.

A reader that crashes, lags and resumes sees every revision exactly once by cursor, and at least once, in order, in the
topic.
"""

from __future__ import annotations

import signal
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from random import Random

import psycopg
from psycopg.rows import dict_row

from adapters.ledger.changes import CHANGES, parameters, to_page
from domain.reading import ViewRow
from tests.integration.crashing import workers
from tests.integration.publishing import publishers
from tests.integration.scene import Scene, new_group, wait_until
from tests.integration.stand import Stand, check_order, consume, make_stand, read_to_end
from tests.integration.traffic import load

Place = tuple[str, int]


def test_readers_that_crash_and_resume_miss_nothing_while_all_else_is_killed(scene: Scene) -> None:
    stand = make_stand(scene)
    with following(stand) as (by_cursor, in_topic), load(scene.bootstrap, scene.topic, 51):
        disturb(stand)
        scene.project()
        stand.publish()
    revisions = stand.revisions()
    assert len(revisions) > 100
    assert sorted(by_cursor) == sorted(revisions)
    for offsets in order_by_partition(by_cursor, revisions).values():
        assert offsets == sorted(offsets)
    check_order(in_topic)
    assert set(in_topic) == revisions.keys()


def disturb(stand: Stand) -> None:
    """Two projectors share the partitions until one is killed; so is the publisher, and then everybody."""
    scene, group = stand.scene, new_group()
    with workers() as project, publishers() as publish:
        first, publisher = project(scene, group=group, max_records=40, session_ms=1_500), publish(stand, page_rows=25)
        wait_for_more(stand)
        project(scene, group=group, max_records=40, session_ms=1_500)
        wait_for_more(stand)
        assert first.end(signal.SIGKILL) == publisher.end(signal.SIGKILL) == -signal.SIGKILL
        publish(stand, page_rows=25)
        wait_for_more(stand)


def wait_for_more(stand: Stand) -> None:
    """Until every partition that is read has come further, and is published further."""
    before, published = stand.scene.offsets(), stand.position()
    wait_until(lambda: stand.position() != published and stand.scene.offsets() != before)


@contextmanager
def following(stand: Stand) -> Iterator[tuple[list[Place], list[Place]]]:
    """Two readers, until the end of the block and of the feeds: what the one has seen by cursor, the other in the
    topic. Both crash now and then, and go on from where they had last noted to be."""
    by_cursor, in_topic, over = list[Place](), list[Place](), threading.Event()
    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(follow_cursor, stand, by_cursor, over), pool.submit(follow_topic, stand, in_topic, over)]
        try:
            yield by_cursor, in_topic
        finally:
            over.set()
        for reader in readers:
            reader.result()


def follow_cursor(stand: Stand, seen: list[Place], over: threading.Event) -> None:
    """Rows and cursor are noted together, as one would in one transaction; or neither, where it crashes before."""
    rng, cursor = Random(1), dict[int, int]()
    with psycopg.connect(stand.scene.url, autocommit=True, row_factory=dict_row) as connection:
        while True:
            is_last = over.wait(rng.choice([0, 0.01, 0.3]))
            limit = rng.randint(1, 40)
            found = connection.execute(CHANGES, parameters(stand.scene.topic, cursor, limit)).fetchall()
            page = to_page(found, cursor)
            if rng.random() < 0.2:
                continue
            seen += [(row["inquiry_id"], row["revision"]) for row in page.rows]
            cursor = dict(page.offsets)
            if is_last and not page.rows:
                return


def follow_topic(stand: Stand, seen: list[Place], over: threading.Event) -> None:
    """What it saw since it last noted its offsets it sees again after a crash."""
    rng = Random(2)
    with consume(stand) as consumer:
        noted = {named: consumer.position(named) for named in consumer.assignment()}
        while not over.wait(rng.choice([0, 0.01, 0.3])):
            seen += [told.place for told in read_to_end(consumer)]
            if rng.random() < 0.4:
                for named, offset in noted.items():
                    consumer.seek(named, offset)
            else:
                noted = {named: consumer.position(named) for named in noted}
        seen += [told.place for told in read_to_end(consumer)]


def order_by_partition(seen: list[Place], revisions: Mapping[Place, ViewRow]) -> Mapping[int, list[int]]:
    """Partition → offsets in the order in which they were seen."""
    offsets = defaultdict[int, list[int]](list)
    for place in seen:
        offsets[revisions[place]["partition"]].append(revisions[place]["offset"])
    return offsets
