"""What Hypothesis draws: events, logs with late, repeated and contradicting records, batches, policies.

The values are few on purpose, so that equal times, copies and conflicts happen all the time.
"""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from domain.decision import Decision, DecisionPolicy
from domain.event import Event
from domain.inquiry import Rules
from tests.builders import LIFECYCLE, moment
from tests.model import RANK, Saying

#: For laws. No deadline: the machine may be busy, and time is not what a law is about.
LAW = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])

#: Of the last two the first is smaller by code point, and greater in UTF-16.
EVENT_IDS = ("evt_1", "evt_2", "evt_3", "evt_4", "evt_\ufffd", "evt_\U00010000")

SAYINGS = (
    Saying(),
    Saying({"completed": "approved"}),
    Saying({"failed": "declined", "expired": "declined"}, {"itmpl_a": {"failed": "needs_review"}}),
    Saying({}, {"itmpl_a": {"completed": "approved"}, "tmpl_b": {"completed": "needs_review", "failed": "declined"}}),
)

names = st.sampled_from(sorted(RANK))
times = st.integers(0, 2).map(moment)
sayings = st.sampled_from(SAYINGS)


def optional(*values: str) -> st.SearchStrategy[str | None]:
    """One of these values, or nothing."""
    return st.sampled_from((None, *values))


@st.composite
def events(draw: st.DrawFn) -> Event:
    """One event of `inq_1`, with any of the optional fields."""
    bare = Event("inq_1", draw(st.sampled_from(EVENT_IDS)), draw(names), draw(times))
    return draw(dressed(bare))


def dressed(bare: Event) -> st.SearchStrategy[Event]:
    """The same event as another webhook may show it: with other optional fields."""
    return st.builds(
        bare._replace,
        source=optional("eu", "us"),
        reference_id=optional("user-1", "user-2"),
        account_id=optional("act_1", "act_2"),
        template_id=optional("itmpl_a", "tmpl_b"),
        payload_status=optional("approved", "pending"),
    )


def histories(max_size: int = 6) -> st.SearchStrategy[list[Event]]:
    """Events of distinct identities, in no order."""
    return st.lists(events(), min_size=1, max_size=max_size, unique_by=lambda event: event.event_id)


@st.composite
def deliveries(draw: st.DrawFn, max_size: int = 12) -> list[Event]:
    """What a log may hold of two inquiries: copies with other optional fields, and some with other content."""
    contents = draw(st.lists(st.tuples(names, times), min_size=2, max_size=5))
    identity = st.tuples(st.sampled_from(("inq_1", "inq_1", "inq_2")), st.sampled_from(EVENT_IDS[-4:]))
    said = draw(st.lists(st.tuples(identity, st.sampled_from((0, 0, 1, 2))), min_size=1, max_size=max_size))
    told = []
    for (inquiry_id, event_id), other in said:
        name, time = contents[(EVENT_IDS.index(event_id) + other) % len(contents)]
        told.append(draw(dressed(Event(inquiry_id, event_id, name, time))))
    return told


#: Sizes of the batches in which a log is read.
batches = st.lists(st.integers(1, 4), max_size=9)


def rules_of(saying: Saying) -> Rules:
    """The rules that a policy file with this content makes."""
    return Rules(LIFECYCLE, DecisionPolicy(_decisions(saying.default), _by_template(saying)))


def _decisions(said: Mapping[str, str]) -> dict[str, Decision]:
    return {key: Decision(value) for key, value in said.items()}


def _by_template(saying: Saying) -> dict[str, dict[str, Decision]]:
    return {name: _decisions(said) for name, said in saying.templates.items()}
