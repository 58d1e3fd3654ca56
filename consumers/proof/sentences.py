"""What the lifecycle says of an event, in plain words: a sentence for every verdict, edge and reason. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from domain.decision import Decision
from domain.event import format_time
from domain.inquiry import Inquiry
from domain.lifecycle import REDACTED, Edge, Reason, Status, Step, Verdict

_APPLIED: Mapping[Edge, str] = {
    Edge.DOCUMENTED: "applied: `{event}` takes it from {before} to {after}, a step that Persona documents",
    Edge.SHORTCUT: "applied: `{event}` takes it from {before} straight to {after}; what lies between has no event, or "
    "none that is in the log",
    Edge.ADOPTED: "applied: `{event}` is the first that is known of it, so it is {after}, whatever was before",
    Edge.REVERSAL: "applied: `{event}` reverses the decision, from {before} to {after}",
    Edge.REDACTION: "applied: it was redacted; its status stays {before}",
}

_REFUSED: Mapping[Reason, str] = {
    Reason.CREATED_TWICE: "refused: it was already {before}, and `{event}` can only be the beginning",
    Reason.AFTER_OUTCOME: "refused: it was already {before}, and `{event}` may not follow an outcome",
    Reason.AFTER_DECISION: "refused: it was already {before}, and `{event}` may not follow a decision",
}

_BEGUN = "applied: `{event}` is its beginning"
_REPEATED = "repeated: it was already {before}; the time of the first counts"
_REDACTED_AGAIN = "repeated: it was already redacted; the time of the first counts"


def describe_step(step: Step, event_name: str) -> str:
    """What an event did to its inquiry, and why."""
    words = {
        "event": event_name.removeprefix("inquiry."),
        "before": _name(step.from_status),
        "after": _name(step.to_status),
    }
    return _pattern(step, event_name).format(**words)


def _pattern(step: Step, event_name: str) -> str:
    if step.verdict is Verdict.REPEATED:
        return _REDACTED_AGAIN if event_name == REDACTED else _REPEATED
    if step.edge is Edge.DOCUMENTED and step.from_status is None:
        return _BEGUN
    return _APPLIED[step.edge] if step.edge is not None else _REFUSED[Reason(step.reason or "")]


def _name(status: Status | None) -> str:
    return "unknown" if status is None else f"`{status}`"


def describe_decision(inquiry: Inquiry) -> str:
    """What is decided, since when, and by which event."""
    if inquiry.decided_at is None:
        since = "" if inquiry.status_since is None else f" since {format_time(inquiry.status_since)}"
        return f"{Decision.UNDECIDED}: the status is {_name(inquiry.status)}{since}"
    return f"{inquiry.decision} since {format_time(inquiry.decided_at)}, by event {inquiry.decided_by}"
