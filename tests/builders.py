"""Short words for values that every test needs: an event, a log, the rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.decision import DecisionPolicy, parse_policy
from domain.event import Event, Placement, Sighting
from domain.inquiry import Rules
from domain.lifecycle import Lifecycle

INQUIRY = "inq_1"
TOPIC = "persona.events"

_DAWN = datetime(2024, 7, 8, 14, 0, tzinfo=UTC)
_APPENDED = datetime(2024, 7, 9, tzinfo=UTC)

LIFECYCLE = Lifecycle()


def moment(second: int) -> datetime:
    """When something happens in a test: seconds after one fixed time."""
    return _DAWN + timedelta(seconds=second)


def event(word: str, second: int, **fields: Any) -> Event:
    """`inquiry.<word>` of `INQUIRY` at `moment(second)`; its id is made of both unless `fields` say otherwise."""
    made = Event(INQUIRY, f"evt_{word}_{second}", f"inquiry.{word}", moment(second))
    return made._replace(**fields)


def as_log(events: Iterable[Event]) -> list[Sighting]:
    """The events as records of one log, in this order; the last digit of an inquiry's id is its partition."""
    ends: Counter[int] = Counter()
    log = []
    for number, one in enumerate(events):
        partition = int(one.inquiry_id[-1])
        appended_at = _APPENDED + timedelta(milliseconds=number)
        log.append(Sighting(one, Placement(TOPIC, partition, ends[partition], appended_at)))
        ends[partition] += 1
    return log


def rules(policy: str = "") -> Rules:
    """Today's lifecycle and the policy of this text."""
    return Rules(LIFECYCLE, parse_policy(policy, "policy.toml") if policy else DecisionPolicy())
