"""The read API with its page in tests: over a ledger that holds what the simulator sends."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest

from adapters.kafka_log.record import RecordReader
from adapters.memory import MemoryLedger
from adapters.memory.reading import MemoryQuery
from adapters.persona import simulator
from adapters.persona.body import read_body
from adapters.persona.simulator import Plan, Signing
from adapters.web.api.ports import ApiParts, Query
from adapters.web.edge_metrics import EdgeMetrics
from adapters.web.load import Load
from consumers.batch import read_slices, write_batch
from consumers.lifecycle_path import draw_path
from domain.books import Position
from domain.event import Placement, Record
from domain.ports import Ledger, Slice
from tests.ledgers import RULES

TOPIC = "persona.events"
PARTITIONS = 6

#: When the simulated deliveries end, and when the page is looked at: all of them have come by then.
ENDS = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
NOW = ENDS + timedelta(days=2)

_TAKEN = (Signing.CURRENT, Signing.ROTATING)


@cache
def make_plan(inquiries: int) -> Plan:
    """Every scenario is there from two dozen inquiries on."""
    return simulator.plan(1, inquiries, now=ENDS)


def fill(ledger: Ledger, plan: Plan) -> None:
    """Project what the edge would have taken of the plan, as if each delivery was appended when it came."""
    slices = {number: Slice(records, len(records)) for number, records in _partition(plan).items()}
    ledger.agree(RULES.versions)
    ledger.open([Position(number, "cluster", "topic", 0, 0) for number in range(PARTITIONS)])
    batch = read_slices(slices, dict.fromkeys(slices, 0), RecordReader(read_body, 2_000_000))
    write_batch(ledger, batch, RULES)


def _partition(plan: Plan) -> dict[int, list[Record]]:
    begin = ENDS - timedelta(days=5)
    partitions: defaultdict[int, list[Record]] = defaultdict(list)
    for planned in plan.deliveries:
        if planned.signing in _TAKEN:
            number = zlib.crc32(planned.inquiry_id.encode()) % PARTITIONS
            came_at = begin + timedelta(milliseconds=int(planned.at * 1000))
            place = Placement(TOPIC, number, len(partitions[number]), came_at)
            partitions[number].append(Record(place, None, planned.body, ()))
    return partitions


def count_at_edge(plan: Plan) -> str:
    """What `/metrics` of an edge says that was sent the plan."""
    registry = CollectorRegistry()
    metrics = EdgeMetrics(registry, Load(1, 1))
    for planned in plan.deliveries:
        if planned.signing in _TAKEN:
            metrics.took("default", "accepted", 0.01)
        else:
            metrics.refused("default", "missing" if planned.signing is Signing.UNSIGNED else "mismatch")
    return generate_latest(registry).decode()


async def no_news() -> AsyncIterator[None]:
    """The notices of a ledger that does not change."""
    yield


def parts_over(query: Query, **changed: Any) -> ApiParts:
    """The parts of an application over this ledger, whose clock stands still, and whose log ends at its beginning."""
    given: dict[str, Any] = {
        "query": query,
        "notices": no_news,
        "explain": lambda inquiry_id: None,
        "rules": RULES,
        "lifecycle": {},
        "log_ends": lambda: dict.fromkeys(range(PARTITIONS), 0),
        "find_problems": list,
        "topic": TOPIC,
        "draw_path": draw_path,
        "clock": NOW.timestamp,
    }
    return ApiParts(**{**given, **changed})


def memory_ledger(inquiries: int = 0) -> tuple[MemoryLedger, MemoryQuery]:
    """A ledger in memory, with so many inquiries of the simulator in it."""
    ledger = MemoryLedger(TOPIC)
    if inquiries:
        fill(ledger, make_plan(inquiries))
    return ledger, MemoryQuery(ledger)


def stories(plan: Plan, title: str) -> Iterator[str]:
    """The inquiries of the plan that follow this scenario."""
    return (inquiry_id for inquiry_id, story in plan.stories.items() if story.title == title)
