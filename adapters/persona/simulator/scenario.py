"""Inquiry lifecycles as scripts, and what must be decided about each.

A script is written by hand from persona.md, sections 1 and 2, and says itself what each of its events does; the
truth is read off the script. Nothing here uses the lifecycle table or the fold: this is what they are tested against.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random
from typing import NamedTuple

from adapters.persona.examples import STATUS_AFTER, TIME_OF, Snapshot

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class Effect(StrEnum):
    """What an event does to its inquiry, by the mark in front of its name."""

    MOVES = ""
    REFUSED = "!"
    REPEATED = "="
    IGNORED = "~"
    REDACTS = "#"


class Scenario(NamedTuple):
    """A way an inquiry can go. `weight`: how often, against the others."""

    title: str
    weight: int
    script: str


SCENARIOS = (
    Scenario("approved at once", 30, "created started completed approved"),
    Scenario("approved among other events", 8,
             "created ~inquiry-session.started started ~inquiry.transitioned ~verification.passed completed approved"),
    Scenario("declined", 8, "created started completed declined"),
    Scenario("failed, then declined", 8, "created started failed declined"),
    Scenario("reviewed, then approved", 8, "created started completed marked-for-review ~case.created approved"),
    Scenario("reviewed, then declined", 4, "created started failed marked-for-review declined"),
    Scenario("in review", 3, "created started completed marked-for-review"),
    Scenario("expired, resumed, approved", 5, "created started expired completed approved"),
    Scenario("created only", 4, "created"),
    Scenario("underway", 3, "created started ~inquiry.transitioned"),
    Scenario("never started, expired", 3, "created expired"),
    Scenario("expired", 3, "created started expired"),
    Scenario("redacted after the decision", 4, "created started completed approved #redacted"),
    Scenario("approved by API, nothing else", 3, "created approved"),
    Scenario("declined, approved on appeal", 3, "created started failed declined approved"),
    Scenario("approved, declined, approved again", 1, "created started completed approved declined approved"),
    Scenario("first seen when completed", 3, "completed approved"),
    Scenario("first seen when approved", 2, "approved"),
    Scenario("approved twice", 2, "created started completed approved =approved"),
    Scenario("started after the decision", 2, "created started completed approved !started"),
    Scenario("review after the decision", 2, "created started completed declined !marked-for-review"),
    Scenario("created again", 1, "created started !created completed approved"),
    Scenario("failed after completion", 2, "created started completed !failed !expired approved"),
)  # fmt: skip

#: Seconds between an event and the one before it, from and to.
_GAPS: Mapping[str, tuple[float, float]] = {
    "inquiry.created": (1, 30),
    "inquiry.started": (5, 120),
    "inquiry.expired": (86_400, 86_430),
}
_WORK = (20, 600)
_WORKFLOW = (1, 5)
_PEOPLE = (600, 43_200)
_DECISIONS: Mapping[str, str] = {"approved": "approved", "declined": "declined", "needs_review": "needs_review"}
_BY_PEOPLE = frozenset({"needs_review", "approved", "declined", "expired"})

#: How often a workflow decides within the millisecond of the completion.
_TIES = 0.03

#: Other families: event name → payload type, id prefix, status.
_OTHERS: Mapping[str, tuple[str, str, str]] = {
    "inquiry-session.started": ("inquiry-session", "iqse", "active"),
    "verification.passed": ("verification/government-id", "ver", "passed"),
    "case.created": ("case", "case", "open"),
}


class Expected(NamedTuple):
    """What the ledger must say of an inquiry once all its deliveries are in (default policy; times UTC, ms)."""

    status: str | None = None
    decision: str = "undecided"
    status_since: datetime | None = None
    decided_at: datetime | None = None
    refused_events: int = 0
    redacted_at: datetime | None = None


class Told(NamedTuple):
    """One event of a story: what Persona would serialise, and what it does."""

    snapshot: Snapshot
    payload_type: str
    effect: Effect


class Story(NamedTuple):
    """One inquiry from its first event to its last, and the truth about it."""

    inquiry_id: str
    scenario: Scenario
    told: tuple[Told, ...]
    expected: Expected


def tell(
    rng: Random, ids: Random, started_at: datetime, templates: tuple[str, ...], scenario: Scenario | None = None
) -> Story:
    """One inquiry whose first event occurs at `started_at` (UTC, cut to milliseconds), by the scenario or by chance."""
    started_at = started_at.replace(microsecond=started_at.microsecond // 1000 * 1000)
    scenario = scenario or choose(rng)
    narrator = _Narrator(rng, ids, started_at, rng.choice(templates))
    told = tuple(narrator.tell(effect, name) for effect, name in read_script(scenario.script))
    return Story(narrator.inquiry_id, scenario, told, narrator.expected)


def choose(rng: Random) -> Scenario:
    return rng.choices(SCENARIOS, [scenario.weight for scenario in SCENARIOS])[0]


def read_script(script: str) -> Iterator[tuple[Effect, str]]:
    """`created !started ~case.created` → effects and event names; a name without a family is an inquiry's."""
    for word in script.split():
        effect = Effect(word[0]) if word[0] in set(Effect) - {Effect.MOVES} else Effect.MOVES
        name = word.removeprefix(effect)
        yield effect, name if "." in name else f"inquiry.{name}"


def make_id(rng: Random, prefix: str) -> str:
    """28 characters of base62, as Persona's are since 2024 (persona.md, section 3.1)."""
    return f"{prefix}_{''.join(rng.choices(ALPHABET, k=28))}"


class _Narrator:
    """Goes through one script and keeps what Persona would know of the inquiry meanwhile."""

    def __init__(self, rng: Random, ids: Random, started_at: datetime, template_id: str) -> None:
        self.inquiry_id = make_id(ids, "inq")
        self.expected = Expected()
        self._rng = rng
        self._ids = ids
        self._now = started_at
        self._template_id = template_id
        self._account_id = make_id(ids, "act")
        self._reference_id: str | None = f"user-{rng.randrange(10**6):06d}"
        self._times: dict[str, datetime] = {}

    def tell(self, effect: Effect, name: str) -> Told:
        if self._times:
            self._now += self._gap(name)
        if effect is Effect.IGNORED:
            return self._tell_other(name)
        if effect in (Effect.MOVES, Effect.REDACTS):
            self._times = {"created-at": self._now, **self._times, TIME_OF[name]: self._now}
        self.expected = _follow(self.expected, effect, name, self._now)
        if effect is Effect.REDACTS:
            self._reference_id = None
        return Told(self._snapshot(name), "inquiry", effect)

    def _tell_other(self, name: str) -> Told:
        snapshot = self._snapshot(name)
        if name not in _OTHERS:
            return Told(snapshot, "inquiry", Effect.IGNORED)
        payload_type, prefix, status = _OTHERS[name]
        other = snapshot._replace(inquiry_id=make_id(self._ids, prefix), status=status, reference_id=None)
        return Told(other, payload_type, Effect.IGNORED)

    def _snapshot(self, name: str) -> Snapshot:
        return Snapshot(
            make_id(self._ids, "evt"),
            self.inquiry_id,
            name,
            self._now,
            self.expected.status,
            self._reference_id,
            self._account_id,
            self._template_id,
            self._times,
        )

    def _gap(self, name: str) -> timedelta:
        """Whole milliseconds, at least one; none in a tie, where the rank of the name gives the order."""
        status = self.expected.status
        decides = STATUS_AFTER.get(name) in _DECISIONS
        if decides and status == "completed" and self._rng.random() < _TIES:
            return timedelta()
        usual = _PEOPLE if status in _BY_PEOPLE else _WORKFLOW if decides else _WORK
        return timedelta(milliseconds=int(self._rng.uniform(*_GAPS.get(name, usual)) * 1000))


def _follow(before: Expected, effect: Effect, name: str, moment: datetime) -> Expected:
    """The truth after one event, read off its mark."""
    if effect is Effect.REFUSED:
        return before._replace(refused_events=before.refused_events + 1)
    if effect is Effect.REDACTS:
        return before._replace(redacted_at=moment)
    if effect is Effect.REPEATED:
        return before
    status = STATUS_AFTER[name]
    decision = _DECISIONS.get(status, "undecided")
    decided_at = moment if decision != "undecided" else None
    if decision == before.decision:
        decided_at = before.decided_at
    return before._replace(status=status, status_since=moment, decision=decision, decided_at=decided_at)
