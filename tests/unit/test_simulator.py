"""The simulator's plans: deterministic, of every kind, and right about the truth they expect."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

import pytest

from adapters.persona.body import Delivery, read_body
from adapters.persona.examples import STATUS_AFTER, Snapshot
from adapters.persona.simulator import SCENARIOS, Expected, Kind, Plan, Planned, Scenario, Signing, plan, records
from adapters.persona.simulator.breakage import BREAKAGES, Broken
from adapters.persona.simulator.plan import ATTEMPT_AT
from adapters.persona.simulator.scenario import tell
from adapters.persona.simulator.shape import SHAPES, Inflection, Shape, says, write_body
from domain.aggregate import Changes, fold_batch, group_by_inquiry
from domain.books import Count
from domain.errors import Undecodable
from domain.event import Event, Placement, Sighting, is_folded
from domain.inquiry import Inquiry
from domain.lifecycle import TARGETS
from tests.builders import rules

NOW = datetime(2026, 3, 20, 12, 0, 0, 123456, tzinfo=UTC)
BEGIN = datetime(2026, 3, 15, tzinfo=UTC)
QUIET = {"repeated": 0.0, "out_of_order": 0.0, "late": 0.0, "dropped": 0.0, "forged": 0.0, "broken": 0.0}


def read(planned: Planned) -> Delivery | None:
    try:
        return read_body(planned.body)
    except Undecodable:
        return None


def fold(deliveries: tuple[Planned, ...]) -> tuple[Changes, Counter[str]]:
    """What the domain's own fold says of all that is signed, and the books, with what is ignored or unreadable."""
    counts: Counter[str] = Counter()
    sightings = []
    for offset, planned in enumerate(one for one in deliveries if one.kind is not Kind.FORGED):
        delivery = read(planned)
        if delivery is None:
            counts[Count.QUARANTINED] += 1
        elif delivery.payload_type != "inquiry" or not is_folded(delivery.event.name):
            counts[Count.IGNORED] += 1
        else:
            sightings.append(Sighting(delivery.event, Placement("t", 0, offset, NOW)))
    changes = Changes()
    assert fold_batch({}, group_by_inquiry(sightings), rules(), changes) == []
    return changes, counts + Counter({str(key): n for key, n in changes.tallies[0].items()})


def seen(inquiry: Inquiry) -> Expected:
    return Expected(
        str(inquiry.status),
        str(inquiry.decision),
        inquiry.status_since,
        inquiry.decided_at,
        inquiry.refused_events,
        inquiry.redacted_at,
    )


def genuine_events(made: Plan) -> list[Event]:
    return [read_body(planned.body).event for planned in made.deliveries if planned.kind is Kind.GENUINE]


def final_snapshot(scenario: Scenario = SCENARIOS[0], seed: int = 1) -> Snapshot:
    return tell(Random(seed), Random(seed), NOW, ("itmpl_1",), scenario).told[-1].snapshot


@pytest.mark.parametrize("seed", range(5))
def test_the_expected_truth_and_books_are_what_the_fold_makes_of_the_deliveries(seed: int) -> None:
    made = plan(seed, 120, now=NOW, broken=0.1, late=0.15)
    changes, counts = fold(made.deliveries)
    assert {row.inquiry.inquiry_id: seen(row.inquiry) for row in changes.new_rows} == made.truth
    assert counts == Counter(made.counts)
    assert len(changes.quarantined) == made.quarantine["conflicting_duplicate"] > 0
    assert sum(made.quarantine.values()) == made.counts["quarantined"]


def test_the_books_of_a_plan_add_up_to_the_deliveries_that_are_signed() -> None:
    made = plan(2, 60, now=NOW)
    assert set(made.counts) <= {count.value for count in Count}
    assert sum(made.counts.values()) == sum(planned.kind is not Kind.FORGED for planned in made.deliveries)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.title)
def test_each_scenario_ends_as_the_fold_says(scenario: Scenario) -> None:
    story = tell(Random(1), Random(1), NOW, ("itmpl_1",), scenario)
    bodies = [write_body(told.snapshot, told.payload_type, SHAPES[0]) for told in story.told]
    changes, counts = fold(tuple(Planned(0, "", Kind.GENUINE, Signing.CURRENT, "", body) for body in bodies))
    [row] = changes.new_rows
    assert seen(row.inquiry) == story.expected
    assert counts.total() == len(bodies)


def test_the_simulator_names_statuses_as_the_lifecycle_does() -> None:
    assert {name: status.value for name, status in TARGETS.items()} == STATUS_AFTER


def test_the_same_seed_makes_the_same_plan() -> None:
    assert plan(7, 40, now=NOW) == plan(7, 40, now=NOW)
    assert plan(7, 40, now=NOW).deliveries != plan(8, 40, now=NOW).deliveries


def test_the_same_seed_makes_the_same_plan_all_day() -> None:
    first, last = NOW.replace(hour=0, minute=0), NOW.replace(hour=23, minute=59)
    assert plan(7, 40, now=first) == plan(7, 40, now=last)


def test_on_another_day_the_same_seed_tells_the_same_stories_of_others() -> None:
    """The same ids at other times would be conflicts."""
    today, tomorrow = plan(7, 40, now=NOW), plan(7, 40, now=NOW + timedelta(days=1))
    assert list(today.stories.values()) == list(tomorrow.stories.values())
    assert (today.counts, today.quarantine) == (tomorrow.counts, tomorrow.quarantine)
    assert not today.truth.keys() & tomorrow.truth.keys()
    assert not {one.event_id for one in today.deliveries} & {one.event_id for one in tomorrow.deliveries}
    assert [(one.at, one.kind) for one in today.deliveries] == [(one.at, one.kind) for one in tomorrow.deliveries]


def test_a_plan_of_two_dozen_inquiries_has_every_scenario() -> None:
    made = plan(1, len(SCENARIOS), now=NOW)
    assert set(made.stories.values()) == set(SCENARIOS)
    assert made.stories.keys() == made.truth.keys()


def test_five_hundred_inquiries_make_deliveries_of_every_kind_and_signing() -> None:
    made = plan(3, 500, now=NOW)
    kinds = Counter(planned.kind for planned in made.deliveries)
    assert set(kinds) == set(Kind)
    assert 2500 <= len(made.deliveries) <= 3000
    assert 0.15 < kinds[Kind.REPEAT] / len(made.deliveries) < 0.3
    assert {planned.signing for planned in made.deliveries} == set(Signing)
    assert 0.05 < sum(len(planned.body) > 20_000 for planned in made.deliveries) / len(made.deliveries) < 0.15


def test_deliveries_are_in_the_order_of_their_time() -> None:
    made = plan(3, 50, now=NOW)
    assert all(one.at <= other.at for one, other in pairwise(made.deliveries))
    assert made.duration_s == made.deliveries[-1].at


def test_a_plan_of_nothing_is_empty() -> None:
    made = plan(3, 0, now=NOW)
    assert (made.deliveries, made.truth, made.duration_s) == ((), {}, 0)


def test_every_event_occurred_in_the_five_days_before_the_day() -> None:
    events = [delivery.event for delivery in map(read, plan(3, 100, now=NOW).deliveries) if delivery]
    assert all(BEGIN - timedelta(seconds=1) <= event.occurred_at < BEGIN + timedelta(days=5) for event in events)


def test_an_undisturbed_plan_delivers_each_event_once_within_seconds() -> None:
    made = plan(3, 100, now=NOW, **QUIET)
    single = [planned for planned in made.deliveries if planned.kind is Kind.GENUINE]
    assert {planned.kind for planned in made.deliveries} == {Kind.GENUINE, Kind.REPEAT}
    assert len({planned.event_id for planned in single}) == len(single)
    for planned, event in zip(single, genuine_events(made), strict=True):
        assert 0 < planned.at - (event.occurred_at - BEGIN).total_seconds() < 4


def test_a_crossed_delivery_comes_after_the_next_event_of_its_inquiry() -> None:
    made = plan(3, 200, now=NOW, **{**QUIET, "out_of_order": 0.3})
    arrivals: dict[str, list[tuple[datetime, Planned]]] = {}
    for planned in made.deliveries:
        story = made.stories.get(planned.inquiry_id)
        if story and "~" not in story.script and planned.kind is not Kind.REPEAT:
            arrivals.setdefault(planned.inquiry_id, []).append((read_body(planned.body).event.occurred_at, planned))
    pairs = [(one[1], other[1]) for story in arrivals.values() for one, other in pairwise(sorted(story))]
    crossed = [pair for pair in pairs if [planned.kind for planned in pair] == [Kind.CROSSED, Kind.GENUINE]]
    assert crossed
    assert all(one.at > other.at for one, other in crossed)


def test_a_dropped_delivery_comes_with_the_attempt_that_got_through() -> None:
    dropped = [planned for planned in plan(3, 200, now=NOW).deliveries if planned.kind is Kind.DROPPED]
    assert dropped
    assert all(1 <= planned.lost_attempts <= 7 for planned in dropped)
    assert ATTEMPT_AT == (0, 3, 67, 796, 4892, 20517, 67173, 184822)


@pytest.mark.parametrize("breakage", BREAKAGES, ids=lambda breakage: breakage.__name__.strip("_"))
@pytest.mark.parametrize("seed", range(3))
def test_what_is_broken_cannot_be_read_for_the_reason_given(
    breakage: Callable[[Random, Snapshot], Broken], seed: int
) -> None:
    snapshot = final_snapshot()
    body, reason = breakage(Random(seed), snapshot)
    if reason == "conflicting_duplicate":
        event = read_body(body).event
        assert (event.event_id, event.name) == (snapshot.event_id, snapshot.name)
        assert event.occurred_at > snapshot.occurred_at
    else:
        with pytest.raises(Undecodable, match=reason):
            read_body(body)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_body_says_what_its_webhook_leaves_of_the_snapshot(shape: Shape) -> None:
    snapshot = final_snapshot()
    left = says(snapshot, shape)
    assert read_body(write_body(snapshot, "inquiry", shape)).event == Event(
        snapshot.inquiry_id,
        snapshot.event_id,
        snapshot.name,
        snapshot.occurred_at,
        None,
        left.reference_id,
        left.account_id,
        left.template_id,
        left.status,
    )


def test_bodies_come_in_every_inflection_and_of_about_one_kilobyte() -> None:
    assert {shape.inflection for shape in SHAPES} == set(Inflection)
    assert 900 < len(write_body(final_snapshot(), "inquiry", SHAPES[0])) < 1200
    assert b'"referenceId"' in write_body(final_snapshot(), "inquiry", Shape(Inflection.CAMEL))
    assert b'"reference_id"' in write_body(final_snapshot(), "inquiry", Shape(Inflection.SNAKE))


@pytest.mark.parametrize(("asked", "least", "most"), [(1024, 850, 1150), (3000, 2800, 3100), (23_000, 22_000, 23_500)])
def test_records_have_the_size_asked_for_and_the_event_they_say(asked: int, least: int, most: int) -> None:
    drafts = list(records(5, 400, asked))
    assert len(drafts) == 400
    assert [read_body(draft.body) for draft in drafts] == [(draft.event, draft.payload_type) for draft in drafts]
    assert all(least < len(draft.body) < most for draft in drafts if draft.payload_type == "inquiry")


def test_records_are_the_same_for_a_seed_and_repeat_as_told() -> None:
    drafts = list(records(5, 3000, duplicates=0.2, late=0.2))
    assert drafts == list(records(5, 3000, duplicates=0.2, late=0.2))
    repeated = 3000 - len({draft.event.event_id for draft in drafts})
    assert 0.1 < repeated / 3000 < 0.25
    assert len({draft.event.event_id for draft in records(5, 500, duplicates=0)}) == 500


def test_records_that_are_not_late_come_in_order_of_occurrence() -> None:
    times = [draft.event.occurred_at for draft in records(5, 1000, duplicates=0, late=0)]
    assert times == sorted(times)
    late = [draft.event.occurred_at for draft in records(5, 1000, duplicates=0, late=0.2)]
    assert late != sorted(late)
