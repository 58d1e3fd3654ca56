"""The change feed while writers commit: every revision once by cursor, whatever is still open while a page is read.

The trap is a feed by a global sequence number, as people often build one: a number is drawn before the commit, so a
later number can be visible first, and whoever reads on from it misses the earlier one. Here it is planted, and seen to
fail.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.ledger.query import LedgerQuery
from adapters.ledger.read import LedgerReader
from adapters.ledger.write import PostgresLedger, PostgresTransaction
from consumers.batch import Batch, write_batch
from domain.books import Position
from domain.reading import ChangePage, Offsets
from tests.ledgers import RULES
from tests.readers import happened, record

TOPIC = "events"
PARTITIONS = (0, 1)

Place = tuple[int, int]


class HeldLedger:
    """A ledger whose transaction stays open when its block ends, until `commit`: a writer between store and commit."""

    def __init__(self, url: str) -> None:
        self._ledger = PostgresLedger(url, TOPIC)
        self._open: AbstractContextManager[PostgresTransaction] | None = None

    @contextmanager
    def begin(self, moves: Mapping[int, tuple[int, int]]) -> Iterator[PostgresTransaction]:
        self._open = self._ledger.begin(moves)
        yield self._open.__enter__()

    def commit(self) -> None:
        if self._open is not None:
            self._open.__exit__(None, None, None)
            self._open = None

    def close(self) -> None:
        self.commit()
        self._ledger.close()


class Writer:
    """The only writer of one partition. Each record makes a revision, each third offset holds none."""

    def __init__(self, url: str, partition: int) -> None:
        self._ledger = HeldLedger(url)
        self._partition = partition
        self._end = 0
        self.close = self._ledger.close

    def store(self, size: int) -> None:
        """A batch, not yet committed."""
        self._ledger.commit()
        offsets = range(self._end, self._end + size)
        records = [
            record(happened("created", f"inq_{self._partition}_{offset}"), offset, self._partition, TOPIC)
            for offset in offsets
            if offset % 3 != 2
        ]
        moves = {self._partition: (offsets.start, offsets.stop)}
        write_batch(self._ledger, Batch(moves=moves, sightings=records), RULES)  # type: ignore[arg-type]
        self._end = offsets.stop

    def commit(self) -> None:
        self._ledger.commit()

    def begin_again(self) -> None:
        """From the first offset."""
        self._ledger.commit()
        self._end = 0


class Follower:
    """A reader that keeps what it has read and its cursor in one place, as its database would."""

    def __init__(self, ask: Callable[[Offsets, int], ChangePage]) -> None:
        self._ask = ask
        self.seen: list[Place] = []
        self.cursor: Offsets = {}

    def read(self, limit: int) -> int:
        """The next page, kept."""
        page = self._ask(self.cursor, limit)
        self.seen += [(row["partition"], row["offset"]) for row in page.rows]
        self.cursor = page.offsets
        return len(page.rows)

    def crash(self, limit: int) -> None:
        """The next page, and nothing of it kept."""
        self._ask(self.cursor, limit)


@pytest.fixture
def writers(database_url: str) -> Iterator[Callable[[], list[Writer]]]:
    """Empties the ledger, for a writer of each partition."""
    with (
        closing(Writer(database_url, 0)) as one,
        closing(Writer(database_url, 1)) as other,
        closing(PostgresLedger(database_url, TOPIC)) as ledger,
        psycopg.connect(database_url, autocommit=True) as sql,
    ):

        def make() -> list[Writer]:
            for writer in (one, other):
                writer.begin_again()
            for table in ("rules", "position", "inquiry", "event", "revision"):
                sql.execute(f"DELETE FROM ledger.{table}")
            ledger.agree(RULES.versions)
            ledger.open([Position(partition, "cluster", "topic", 0, 0) for partition in PARTITIONS])
            return [one, other]

        yield make


@pytest.fixture
def ask(database_url: str, as_reader: Callable[[str], str]) -> Iterator[Callable[[Offsets, int], ChangePage]]:
    """Pages, by a user who may only read."""
    with asyncio.Runner() as runner:
        query = LedgerQuery(as_reader(database_url), TOPIC, min_size=1)
        runner.run(query.open())
        yield lambda offsets, limit: runner.run(query.changes(offsets, limit))
        runner.run(query.close())


steps = st.lists(
    st.one_of(
        st.tuples(st.just("store"), st.sampled_from(PARTITIONS), st.integers(1, 5)),
        st.tuples(st.just("commit"), st.sampled_from(PARTITIONS), st.just(0)),
        st.tuples(st.sampled_from(("read", "read", "crash")), st.integers(0, 1), st.integers(1, 4)),
    ),
    min_size=4,
    max_size=24,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_readers_that_crash_and_resume_see_every_revision_once_in_order_of_each_partition(
    writers: Callable[[], list[Writer]],
    ask: Callable[[Offsets, int], ChangePage],
    database_url: str,
    steps: list[tuple[str, int, int]],
) -> None:
    written, followers = writers(), [Follower(ask), Follower(ask)]
    for act, who, size in steps:
        getattr(followers[who] if act in ("read", "crash") else written[who], act)(*([size] if size else []))
    for writer in written:
        writer.commit()
    with LedgerReader(database_url) as reader:
        all_of_them = sorted((row["partition"], row["offset"]) for row in reader.view("decision_revision"))
    for follower in followers:
        while follower.read(3):
            pass
        assert sorted(follower.seen) == all_of_them
        for partition in PARTITIONS:
            of_it = [place for place in follower.seen if place[0] == partition]
            assert of_it == sorted(of_it)


@pytest.fixture
def numbered(database_url: str) -> Callable[[int], list[int]]:
    """The trap: revisions numbered by a sequence in the transaction that makes them; reads the numbers after one."""
    with psycopg.connect(database_url, autocommit=True) as sql:
        sql.execute(_NUMBERED)

    def read(after: int) -> list[int]:
        with psycopg.connect(database_url) as connection:
            found = connection.execute("SELECT number FROM numbered WHERE number > %s ORDER BY number", [after])
            return [number for (number,) in found]

    return read


_NUMBERED = """
CREATE TABLE numbered (number bigserial, inquiry_id text, revision integer);
CREATE FUNCTION number_revision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO numbered (inquiry_id, revision) VALUES (NEW.inquiry_id, NEW.revision);
    RETURN NULL;
END $$;
CREATE TRIGGER numbered AFTER INSERT ON ledger.revision FOR EACH ROW EXECUTE FUNCTION number_revision();
"""


def test_a_feed_by_sequence_number_misses_what_was_being_committed_and_ours_does_not(
    writers: Callable[[], list[Writer]],
    ask: Callable[[Offsets, int], ChangePage],
    numbered: Callable[[int], list[int]],
) -> None:
    (slow, quick), ours = writers(), Follower(ask)
    slow.store(1)  # number 1, and not committed
    quick.store(1)
    quick.commit()
    by_number = numbered(0)
    ours.read(10)
    assert (by_number, ours.seen) == ([2], [(1, 0)])
    slow.commit()
    assert numbered(by_number[-1]) == [], "it would have been no trap"
    assert numbered(0) == [1, 2]
    ours.read(10)
    assert ours.seen == [(1, 0), (0, 0)]


def test_whoever_reads_while_two_writers_commit_all_the_time_misses_nothing(
    writers: Callable[[], list[Writer]], ask: Callable[[Offsets, int], ChangePage]
) -> None:
    """Were the positions of another snapshot than the revisions, a commit between them would be passed over."""
    batches, follower = 120, Follower(ask)

    def write(writer: Writer) -> None:
        for _ in range(batches):
            writer.store(1)
            writer.commit()

    with ThreadPoolExecutor(len(PARTITIONS)) as pool:
        writing = [pool.submit(write, writer) for writer in writers()]
        while not all(done.done() for done in writing):
            follower.read(50)
        for done in writing:
            done.result()
    follower.read(2 * batches)
    written = [(partition, offset) for partition in PARTITIONS for offset in range(batches) if offset % 3 != 2]
    assert sorted(follower.seen) == written
