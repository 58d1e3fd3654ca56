"""What a simulated Persona will send, delivery by delivery, and the truth the ledger must come to.

Everything follows from the seed and the day (UTC): sent again on the same day, all of it is there already; on another
day the same happens to others, since the same ids at other times would be conflicts. At least once, in no order, for
up to 51 hours (persona.md, section 5).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import accumulate
from random import Random
from typing import NamedTuple

from adapters.persona.examples import Snapshot
from adapters.persona.simulator.breakage import break_body
from adapters.persona.simulator.scenario import SCENARIOS, Effect, Expected, Scenario, Story, Told, make_id, tell
from adapters.persona.simulator.shape import FULL, SHAPES, Shape, choose_shape, write_body

#: Seconds between the attempts of one delivery, and when each is made after the first: 8 attempts in 51 hours.
RETRY_PAUSES = (3, 64, 729, 4096, 15625, 46656, 117649)
ATTEMPT_AT = (0, *accumulate(RETRY_PAUSES))

#: Shares: deliveries signed with two secrets, inquiries that two webhooks report, bodies in full form.
_ROTATING = 0.1
_TWINS = 0.1
_FULL = 0.1

#: Inquiries begin within the first day; their last events follow within three, and all of it lies before the day.
_DAY_S = 86_400
_LOOKS_BACK = timedelta(days=5)
_HOUR_S = 3_600

#: Where the first record of an event stands in the books, by what the event does.
_COUNTS: Mapping[Effect, str] = {
    Effect.MOVES: "applied",
    Effect.REDACTS: "applied",
    Effect.REPEATED: "repeated",
    Effect.REFUSED: "refused",
    Effect.IGNORED: "ignored",
}


class Kind(StrEnum):
    """What is particular about a delivery."""

    GENUINE = "genuine"
    REPEAT = "repeat"  #: the event was delivered before, maybe by another webhook
    LATE = "late"  #: hours after its time, as a retry by hand is
    CROSSED = "crossed"  #: after the next event of its inquiry
    DROPPED = "dropped"  #: the first attempts were lost
    FORGED = "forged"
    BROKEN = "broken"


class Signing(StrEnum):
    """How a delivery is signed."""

    CURRENT = "current"
    ROTATING = "rotating"  #: two groups: the current secret's, and the old one's
    FORGED = "forged"  #: with a secret nobody knows
    UNSIGNED = "unsigned"


class Planned(NamedTuple):
    """One delivery. `at`: seconds of simulated time since the start, of the first attempt that gets through."""

    at: float
    event_id: str
    kind: Kind
    signing: Signing
    inquiry_id: str
    body: bytes
    lost_attempts: int = 0


class Plan(NamedTuple):
    """All deliveries in the order of `at`, and what they must lead to once every one that is signed is in.

    `truth`: inquiry id → what is decided; `stories`: inquiry id → the scenario it followed; `counts`: what the books
    must add up to (applied, repeated, refused, ignored, duplicate, quarantined); `quarantine`: reason → records.
    """

    seed: int
    deliveries: tuple[Planned, ...]
    truth: Mapping[str, Expected]
    stories: Mapping[str, Scenario]
    counts: Mapping[str, int]
    quarantine: Mapping[str, int]

    @property
    def duration_s(self) -> float:
        """Seconds of simulated time until the last delivery."""
        return self.deliveries[-1].at if self.deliveries else 0.0


class Odds(NamedTuple):
    """Shares of the events (0 to 1) that something happens to."""

    repeated: float
    out_of_order: float
    late: float
    dropped: float
    forged: float
    broken: float


def plan(
    seed: int,
    inquiries: int,
    *,
    now: datetime,
    repeated: float = 0.2,
    out_of_order: float = 0.2,
    late: float = 0.05,
    dropped: float = 0.05,
    forged: float = 0.02,
    broken: float = 0.02,
) -> Plan:
    """Deliveries of so many inquiries, about five each. Every event occurred within the five days before the day
    (UTC) of `now`.

    Every scenario is there from about two dozen inquiries on. An event may be out of order, late or dropped (one of
    these), and repeated besides; forged and broken ones come on top.
    """
    return _Planner(seed, now, Odds(repeated, out_of_order, late, dropped, forged, broken)).plan(inquiries)


class _Planner:
    """Collects deliveries and counts, story by story."""

    def __init__(self, seed: int, now: datetime, odds: Odds) -> None:
        self._seed = seed
        self._rng = Random(seed)  # noqa: S311 - a simulation, nothing secret
        self._begin = now.replace(hour=0, minute=0, second=0, microsecond=0) - _LOOKS_BACK
        self._ids = Random(f"{seed} {self._begin:%Y-%m-%d}")  # noqa: S311
        self._odds = odds
        self._templates = tuple(make_id(self._ids, "itmpl") for _ in range(3))
        self._deliveries: list[Planned] = []
        self._counts: Counter[str] = Counter()
        self._quarantine: Counter[str] = Counter()

    def plan(self, inquiries: int) -> Plan:
        stories = [self._tell(number) for number in range(inquiries)]
        for story in stories:
            self._deliver(story)
        self._counts["quarantined"] = self._quarantine.total()
        return Plan(
            self._seed,
            tuple(sorted(self._deliveries)),
            {story.inquiry_id: story.expected for story in stories},
            {story.inquiry_id: story.scenario for story in stories},
            self._counts,
            self._quarantine,
        )

    def _tell(self, number: int) -> Story:
        """Each scenario once, then by weight."""
        begin = self._begin + timedelta(milliseconds=self._rng.randrange(_DAY_S * 1000))
        return tell(
            self._rng, self._ids, begin, self._templates, SCENARIOS[number] if number < len(SCENARIOS) else None
        )

    def _deliver(self, story: Story) -> None:
        shape = choose_shape(self._rng)
        twin = self._rng.choice(SHAPES) if self._rng.random() < _TWINS else None
        for told, following in zip(story.told, (*story.told[1:], None), strict=True):
            first = self._schedule(told, following, self._write(told, shape))
            self._add(first)
            self._counts[_COUNTS[told.effect]] += 1
            if twin is not None:
                self._repeat(told, first, self._write(told, twin))
            if self._happens(self._odds.repeated):
                self._repeat(told, first, first.body)
            if told.effect is not Effect.IGNORED:
                self._disturb(told.snapshot, first.at)

    def _write(self, told: Told, shape: Shape) -> bytes:
        """In the webhook's shape, and some deliveries in full."""
        is_full = told.effect not in (Effect.IGNORED, Effect.REDACTS) and self._happens(_FULL)
        return write_body(told.snapshot, told.payload_type, FULL if is_full else shape)

    def _schedule(self, told: Told, following: Told | None, body: bytes) -> Planned:
        """When the first copy of an event comes. Of the things that may happen to it, at most one does."""
        rng, odds, at = self._rng, self._odds, self._arrival(told)
        kind, lost = Kind.GENUINE, 0
        draw = rng.random()
        if draw < odds.late:
            kind, at = Kind.LATE, at + rng.uniform(_HOUR_S, ATTEMPT_AT[-1])
        elif draw < odds.late + odds.dropped:
            lost = min(1 + int(rng.expovariate(0.7)), len(RETRY_PAUSES))
            kind, at = Kind.DROPPED, at + ATTEMPT_AT[lost]
        elif draw < odds.late + odds.dropped + odds.out_of_order and following is not None:
            kind, at = Kind.CROSSED, self._arrival(following) + rng.uniform(2.5, 5)
        return Planned(at, told.snapshot.event_id, kind, self._sign(), told.snapshot.inquiry_id, body, lost)

    def _arrival(self, told: Told) -> float:
        """Persona sends within seconds (persona.md, section 3.1)."""
        return (told.snapshot.occurred_at - self._begin).total_seconds() + self._rng.uniform(0.2, 2.5)

    def _repeat(self, told: Told, first: Planned, body: bytes) -> None:
        at = first.at + self._rng.uniform(0, _HOUR_S)
        self._add(first._replace(at=at, kind=Kind.REPEAT, signing=self._sign(), body=body, lost_attempts=0))
        self._counts["ignored" if told.effect is Effect.IGNORED else "duplicate"] += 1

    def _disturb(self, snapshot: Snapshot, at: float) -> None:
        """What is not Persona's, or not whole, around the time of an event."""
        rng = self._rng
        at += rng.uniform(0, _HOUR_S)
        if self._happens(self._odds.forged):
            claim = snapshot._replace(event_id=make_id(self._ids, "evt"), name="inquiry.approved", status="approved")
            signing = rng.choice((Signing.FORGED, Signing.UNSIGNED))
            body = write_body(claim, "inquiry", choose_shape(rng))
            self._add(Planned(at, claim.event_id, Kind.FORGED, signing, claim.inquiry_id, body))
        if self._happens(self._odds.broken):
            body, reason = break_body(rng, snapshot)
            self._add(Planned(at, snapshot.event_id, Kind.BROKEN, self._sign(), snapshot.inquiry_id, body))
            self._quarantine[reason] += 1

    def _add(self, planned: Planned) -> None:
        self._deliveries.append(planned)

    def _sign(self) -> Signing:
        return Signing.ROTATING if self._happens(_ROTATING) else Signing.CURRENT

    def _happens(self, share: float) -> bool:
        return self._rng.random() < share
