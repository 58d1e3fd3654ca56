"""A projector in a process of its own that kills or freezes itself at one step: `python -m tests.integration.crashing`
with `Orders` as JSON. It says the step when it is reached, ends on SIGTERM, and says
then why it tried batches again.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import IO, Any, Protocol, TypeVar, cast

import structlog

from adapters.kafka_log import feed as feed_module
from adapters.kafka_log.feed import Assigned, KafkaFeed, Revoked
from adapters.kafka_log.record import RecordReader
from adapters.kafka_log.topic import KafkaTopic
from adapters.ledger.write import PostgresLedger, PostgresTransaction
from adapters.persona.body import read_body
from consumers.projector import Projector
from domain.aggregate import Changes, Entry, Stored
from domain.event import Record, Sighting
from domain.ports import Slice
from domain.revision import Row
from tests.integration.scene import MAX_BODY_BYTES, Meter, Scene, new_group
from tests.ledgers import RULES

T = TypeVar("T")


@dataclass(frozen=True)
class Orders:
    """What to run, and at which step, the how many-th time, to do what to oneself."""

    bootstrap: str
    topic: str
    url: str
    group: str
    step: str = ""
    turn: int = 1
    deed: int = int(signal.SIGKILL)
    max_records: int = 100
    session_ms: int = 10_000
    until_end: bool = False


class Sentence(Protocol):
    """At which step, the how many-th time, what happens."""

    @property
    def step(self) -> str: ...
    @property
    def turn(self) -> int: ...
    @property
    def deed(self) -> int: ...


class Fate:
    """Counts the times a step is reached."""

    def __init__(self, orders: Sentence) -> None:
        self._orders = orders
        self._left = orders.turn

    def reach(self, step: str) -> None:
        """Here it happens, or not."""
        if step != self._orders.step:
            return
        self._left -= 1
        if self._left == 0:
            sys.stdout.write(f"{step}\n")
            sys.stdout.flush()
            os.kill(os.getpid(), self._orders.deed)


class FatalFeed(KafkaFeed):
    """Passes the steps between the log and the projector."""

    def __init__(self, orders: Orders, fate: Fate) -> None:
        super().__init__(orders.bootstrap, orders.topic, orders.group, max_records=orders.max_records)
        self._fate = fate

    def subscribe(self, assigned: Assigned, revoked: Revoked) -> None:
        def gained(partitions: Collection[int]) -> Mapping[int, int]:
            self._fate.reach("assigned")
            positions = assigned(partitions)
            self._fate.reach("positions read")
            return positions

        def lost(partitions: Collection[int]) -> None:
            self._fate.reach("revoked")
            revoked(partitions)
            self._fate.reach("let go")

        super().subscribe(gained, lost)

    def poll(self, timeout_s: float) -> Mapping[int, Slice]:
        slices = super().poll(timeout_s)
        if slices:
            self._fate.reach("polled")
        return slices

    def commit(self, offsets: Mapping[int, int]) -> None:
        self._fate.reach("telling the group")
        super().commit(offsets)
        self._fate.reach("group told")


class FatalLedger(PostgresLedger):
    """Passes the steps of the transaction."""

    def __init__(self, orders: Orders, fate: Fate) -> None:
        super().__init__(orders.url, orders.topic)
        self._fate = fate

    @contextmanager
    def begin(self, moves: Mapping[int, tuple[int, int]]) -> Iterator[PostgresTransaction]:
        self._fate.reach("begin")
        with super().begin(moves) as transaction:
            self._fate.reach("fenced")
            yield cast("PostgresTransaction", FatalTransaction(transaction, self._fate))
            self._fate.reach("before COMMIT")
        self._fate.reach("after COMMIT")


class FatalTransaction:
    """Passes the steps inside the transaction."""

    def __init__(self, transaction: PostgresTransaction, fate: Fate) -> None:
        self._transaction = transaction
        self._fate = fate

    def load(self, inquiry_ids: Collection[str]) -> Mapping[str, Row]:
        return self._after("loaded", self._transaction.load(inquiry_ids))

    def find(self, identities: Collection[tuple[str, str]]) -> Mapping[str, Sequence[Entry]]:
        return self._after("found", self._transaction.find(identities))

    def history(self, inquiry_ids: Collection[str]) -> Mapping[str, Stored]:
        return self._after("history read", self._transaction.history(inquiry_ids))

    def store(self, changes: Changes) -> None:
        copy = self._transaction._copy

        def fatal_copy(*arguments: Any) -> None:
            copy(*arguments)
            self._fate.reach("storing")

        self._transaction._copy = fatal_copy  # type: ignore[method-assign, assignment]
        self._transaction.store(changes)
        self._fate.reach("stored")

    def _after(self, step: str, result: T) -> T:
        self._fate.reach(step)
        return result


def main(orders: Orders) -> None:
    """Project until the end, SIGTERM, or the step."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # stdout tells the steps
    feed_module.SESSION_TIMEOUT_MS = orders.session_ms
    feed_module.HEARTBEAT_INTERVAL_MS = orders.session_ms // 5
    fate, read = Fate(orders), RecordReader(read_body, MAX_BODY_BYTES)

    def decode(record: Record) -> Sighting | None:
        fate.reach("decoding")
        return read(record)

    with KafkaTopic(orders.bootstrap, orders.topic) as log:
        meter = Meter()
        projector = Projector(FatalFeed(orders, fate), log, FatalLedger(orders, fate), decode, RULES, meter)
        signal.signal(signal.SIGTERM, lambda *_: projector.stop())
        projector.run(until_end=orders.until_end)
    sys.stdout.write(" ".join(meter.retries))


class Worker:
    """That process, seen from the test."""

    def __init__(self, scene: Scene, group: str | None = None, **orders: Any) -> None:
        said = Orders(*scene, group=group or new_group(), **orders)
        command = [sys.executable, "-m", "tests.integration.crashing", json.dumps(asdict(said))]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.retries = ""  # once it has ended

    def wait_for_step(self) -> str:
        """The step it says it has reached; "" where it ended without."""
        return cast("IO[str]", self.process.stdout).readline().strip()

    def is_frozen(self) -> bool:
        """Whether it is stopped, in the words of proc(5)."""
        with open(f"/proc/{self.process.pid}/stat") as stat:  # noqa: PTH123
            return stat.read().rsplit(")", 1)[1].split()[0] == "T"

    def end(self, number: int = signal.SIGTERM, timeout_s: float = 60) -> int:
        """Its exit code, after this signal."""
        self.process.send_signal(number)
        return self.wait(timeout_s)

    def wait(self, timeout_s: float = 60) -> int:
        """Its exit code; minus the signal that ended it."""
        try:
            self.retries += self.process.communicate(timeout=timeout_s)[0]
        finally:
            self.process.kill()
        return self.process.wait()


@contextmanager
def workers() -> Iterator[Callable[..., Worker]]:
    """Starts them; none outlives the block."""
    started: list[Worker] = []

    def start(scene: Scene, **orders: Any) -> Worker:
        started.append(Worker(scene, **orders))
        return started[-1]

    try:
        yield start
    finally:
        for worker in started:
            worker.process.kill()
            worker.process.communicate()


if __name__ == "__main__":
    main(Orders(**json.loads(sys.argv[1])))
