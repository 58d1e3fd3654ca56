"""The fold: one inquiry as its events in canonical order make it.

Two forms, proven equal by tests: `evolve` takes the newest event in O(1); `refold` takes all of them again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from domain.decision import Decision, DecisionPolicy, DecisionTable
from domain.event import Event, OrderKey, order_key
from domain.lifecycle import RANKS, REDACTED, Edge, Lifecycle, Status, Step, Verdict


@dataclass(frozen=True, slots=True)
class Rules:
    """What the fold goes by. Rows made under other versions are never mixed."""

    lifecycle: Lifecycle
    policy: DecisionPolicy

    @property
    def versions(self) -> tuple[str, str]:
        """(lifecycle_version, policy_version)."""
        return self.lifecycle.version, self.policy.version


class Inquiry(NamedTuple):
    """One inquiry after some of its events. Times are occurrence times, UTC; `last_rank` is the last event's rank."""

    inquiry_id: str
    source: str | None = None
    reference_id: str | None = None
    account_id: str | None = None
    template_id: str | None = None
    status: Status | None = None
    status_since: datetime | None = None
    decision: Decision = Decision.UNDECIDED
    decided_at: datetime | None = None
    decided_by: str | None = None
    redacted_at: datetime | None = None
    refused_events: int = 0
    inferred_steps: int = 0
    last_event_at: datetime | None = None
    last_rank: int = -1
    last_event_id: str = ""


_INFERRED = frozenset({Edge.SHORTCUT, Edge.ADOPTED})


def last_key(inquiry: Inquiry) -> OrderKey | None:
    """The canonical key of the newest event; None before the first."""
    if inquiry.last_event_at is None:
        return None
    return inquiry.last_event_at, inquiry.last_rank, inquiry.last_event_id


def is_newest(inquiry: Inquiry, event: Event, rules: Rules) -> bool:
    """Whether `evolve` may take `event`: later than all others, and under the same decision table as they."""
    last = last_key(inquiry)
    if last is not None and order_key(event) <= last:
        return False
    template = event.template_id or inquiry.template_id
    if template == inquiry.template_id or last is None:
        return True
    return rules.policy.table(template) == rules.policy.table(inquiry.template_id)


def evolve(inquiry: Inquiry, event: Event, rules: Rules) -> tuple[Inquiry, Step]:
    """The inquiry after its newest event, and what that event did. O(1); only where `is_newest`."""
    table = rules.policy.table(event.template_id or inquiry.template_id)
    return _apply(inquiry, event, rules.lifecycle, table)


def refold(inquiry_id: str, events: Sequence[Event], rules: Rules) -> tuple[Inquiry, list[Step]]:
    """The inquiry after all its events (distinct identities, in canonical order), and what each of them did.

    The template known at the end decides over the whole history.
    """
    template = next((event.template_id for event in reversed(events) if event.template_id), None)
    table = rules.policy.table(template)
    inquiry, steps = Inquiry(inquiry_id), []
    for event in events:
        inquiry, step = _apply(inquiry, event, rules.lifecycle, table)
        steps.append(step)
    return inquiry, steps


def _apply(inquiry: Inquiry, event: Event, lifecycle: Lifecycle, table: DecisionTable) -> tuple[Inquiry, Step]:
    redacts = event.name == REDACTED
    if redacts:
        step = lifecycle.redact(inquiry.status, again=inquiry.redacted_at is not None)
    else:
        step = lifecycle.step(inquiry.status, event.name)
    redacted_at = event.occurred_at if redacts and inquiry.redacted_at is None else inquiry.redacted_at
    moved = step.to_status is not inquiry.status
    decision = table[step.to_status]
    holds = decision is inquiry.decision
    decides = not holds and decision is not Decision.UNDECIDED
    return (
        Inquiry(
            inquiry.inquiry_id,
            event.source or inquiry.source,
            None if redacted_at else event.reference_id or inquiry.reference_id,
            event.account_id or inquiry.account_id,
            event.template_id or inquiry.template_id,
            step.to_status,
            event.occurred_at if moved else inquiry.status_since,
            decision,
            inquiry.decided_at if holds else event.occurred_at if decides else None,
            inquiry.decided_by if holds else event.event_id if decides else None,
            redacted_at,
            inquiry.refused_events + (step.verdict is Verdict.REFUSED),
            inquiry.inferred_steps + (step.edge in _INFERRED),
            event.occurred_at,
            RANKS[event.name],
            event.event_id,
        ),
        step,
    )
