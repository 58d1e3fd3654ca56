"""A publisher in a process of its own that kills or freezes itself at one step.

`python -m tests.integration.publishing` with `Orders` as JSON. It says the step when it is reached, ends on SIGTERM,
and says then why it began again.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import structlog

from adapters.kafka_log.publish import KafkaDecisions
from adapters.ledger.publication import PostgresPublication
from consumers.publisher import Publisher
from domain.publication import Move, Publishable
from domain.reading import ViewRow
from tests.integration.crashing import Fate, Worker
from tests.integration.stand import Meter, Stand


@dataclass(frozen=True)
class Orders:
    """What to publish, and at which step, the how many-th time, to do what to oneself."""

    bootstrap: str
    topic: str
    url: str
    decisions: str
    step: str = ""
    turn: int = 1
    deed: int = int(signal.SIGKILL)
    page_rows: int = 40
    session_ms: int = 15_000


class FatalPublication(PostgresPublication):
    """Passes the steps of the ledger's side."""

    def __init__(self, orders: Orders, fate: Fate) -> None:
        super().__init__(orders.url, orders.topic, orders.session_ms)
        self._fate = fate

    def take(self) -> bool:
        is_ours = super().take()
        if is_ours:
            self._fate.reach("taken")
        return is_ours

    def read(self, limit: int) -> Publishable:
        page = super().read(limit)
        if page.rows:
            self._fate.reach("read")
        return page

    def move(self, moves: Sequence[Move]) -> None:
        super().move(moves)
        self._fate.reach("moved")


class FatalFeed(KafkaDecisions):
    """Passes the steps of the log's side."""

    def __init__(self, orders: Orders, fate: Fate) -> None:
        super().__init__(orders.bootstrap, orders.topic, topic=orders.decisions)
        self._fate = fate

    def open(self) -> None:
        super().open()
        self._fate.reach("opened")

    def publish(self, rows: Sequence[ViewRow]) -> None:
        super().publish(rows)
        self._fate.reach("published")

    def _send(self, row: ViewRow) -> Any:
        sent = super()._send(row)
        self._fate.reach("sending")
        return sent

    def _commit(self, until: float) -> None:
        self._fate.reach("sent")
        super()._commit(until)


def main(orders: Orders) -> None:
    """Publish until SIGTERM, or the step."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # stdout tells the steps
    fate, meter = Fate(orders), Meter()
    publisher = Publisher(FatalPublication(orders, fate), FatalFeed(orders, fate), meter, orders.page_rows)
    signal.signal(signal.SIGTERM, lambda *_: publisher.stop())
    publisher.run()
    sys.stdout.write(" ".join(meter.retries))


class PublisherProcess(Worker):
    """That process, seen from the test."""

    def __init__(self, stand: Stand, **orders: Any) -> None:
        said = Orders(*stand.scene, decisions=stand.decisions, **orders)
        command = [sys.executable, "-m", "tests.integration.publishing", json.dumps(asdict(said))]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.retries = ""  # once it has ended


@contextmanager
def publishers() -> Iterator[Callable[..., PublisherProcess]]:
    """Starts them; none outlives the block."""
    started: list[PublisherProcess] = []

    def start(stand: Stand, **orders: Any) -> PublisherProcess:
        started.append(PublisherProcess(stand, **orders))
        return started[-1]

    try:
        yield start
    finally:
        for publisher in started:
            publisher.process.kill()
            publisher.process.communicate()


if __name__ == "__main__":
    main(Orders(**json.loads(sys.argv[1])))
