"""What the ledger's terms mean, in sentences for people. Total: every term the domain has, has words here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from domain.decision import Decision
from domain.errors import QuarantineReason
from domain.lifecycle import REDACTED, TARGETS, Edge, Reason, Status, Verdict
from domain.reading import ViewRow

DECISIONS: Mapping[str, str] = {
    Decision.UNDECIDED: "Undecided",
    Decision.NEEDS_REVIEW: "Needs review",
    Decision.APPROVED: "Approved",
    Decision.DECLINED: "Declined",
}

STATUSES: Mapping[str, str] = {
    Status.CREATED: "Created",
    Status.PENDING: "Pending",
    Status.COMPLETED: "Completed",
    Status.FAILED: "Failed",
    Status.EXPIRED: "Expired",
    Status.NEEDS_REVIEW: "Needs review",
    Status.APPROVED: "Approved",
    Status.DECLINED: "Declined",
}

EVENTS: Mapping[str, str] = {
    **{name: STATUSES[target] for name, target in TARGETS.items()},
    "inquiry.started": "Started",
    "inquiry.marked-for-review": "Marked for review",
    REDACTED: "Redacted",
}

#: Why nothing is decided, by where the inquiry is (persona.md, section 1.1).
WAITING: Mapping[str | None, str] = {
    None: "Nothing has happened yet.",
    Status.CREATED: "The inquiry exists, and the person has not begun it.",
    Status.PENDING: "The person has begun the inquiry, and not finished it.",
    Status.COMPLETED: "The person has finished the inquiry; no decision has followed.",
    Status.FAILED: "The person has used up the attempts; no decision has followed.",
    Status.EXPIRED: "The inquiry ran out before the person finished it; it can be resumed or decided.",
    Status.NEEDS_REVIEW: "Somebody has to look at it.",
    Status.APPROVED: "Somebody has approved it.",
    Status.DECLINED: "Somebody has declined it.",
}

#: What an applied event did. `{before}` and `{after}` are statuses.
EDGES: Mapping[str, str] = {
    Edge.DOCUMENTED: "Moved the inquiry from {before} to {after}.",
    Edge.SHORTCUT: "Moved the inquiry from {before} straight to {after}: through the API, a workflow or a member, "
    "or after a resume, which sends no event.",
    Edge.ADOPTED: "The first that is known of this inquiry, so it is taken as it comes: {after}.",
    Edge.REVERSAL: "Turned the decision round, from {before} to {after}.",
    Edge.REDACTION: "Persona erased the personal data. The status stays as it was.",
}

BEGUN = "The inquiry begins."

REPEATED = "It was {before} already. The first time counts."
REDACTED_AGAIN = "It was redacted already. The first time counts."

#: Why the lifecycle refused an event. `{before}` is a status.
REASONS: Mapping[str, str] = {
    Reason.CREATED_TWICE: "Refused: an inquiry is created once, and this one was {before} already.",
    Reason.AFTER_OUTCOME: "Refused: the inquiry was {before} already, and only a review or a decision follows that.",
    Reason.AFTER_DECISION: "Refused: the inquiry was {before} already, and only the opposite decision changes that.",
}

VERDICTS: Mapping[str, str] = {
    Verdict.APPLIED: "Applied",
    Verdict.REPEATED: "Repeated",
    Verdict.REFUSED: "Refused",
}

#: Why a record counts for nothing (design, section 5).
QUARANTINE: Mapping[str, str] = {
    QuarantineReason.TOO_LARGE: "The body is longer than is read.",
    QuarantineReason.SEALED: "The body is encrypted, and the headers do not say enough.",
    QuarantineReason.NOT_JSON: "The body is not JSON.",
    QuarantineReason.MISSING_FIELD: "A field that is needed is missing or of another type.",
    QuarantineReason.BAD_TIME: "A time is not one that can be read.",
    QuarantineReason.BAD_FIELD: "An id or a name cannot be kept.",
    QuarantineReason.CONFLICTING_DUPLICATE: "Another record has the same event id and says otherwise; the smaller "
    "time and name counts.",
}


def tell_event(row: ViewRow) -> str:
    """What the lifecycle made of an event (a row of `inquiry_history`), in a sentence."""
    places = {"before": tell_status(row["from_status"]), "after": tell_status(row["to_status"])}
    if row["reason"]:
        return REASONS[row["reason"]].format(**places)
    if row["edge"]:
        is_begin = row["edge"] == Edge.DOCUMENTED and row["from_status"] is None
        return BEGUN if is_begin else EDGES[row["edge"]].format(**places)
    return REDACTED_AGAIN if row["event_name"] == REDACTED else REPEATED.format(**places)


def tell_status(status: str | None) -> str:
    """A status within a sentence."""
    return "without a status" if status is None else STATUSES[status].lower()


def tell_decision(row: ViewRow, history: Sequence[ViewRow]) -> str:
    """Why an inquiry (a row of `current_decision`) is decided as it is, in a sentence or two."""
    deciding = next((event for event in history if event["event_id"] == row["decided_by"]), None)
    if deciding is None:
        return WAITING[row["status"]]
    event, sentence = EVENTS[deciding["event_name"]], tell_event(deciding)
    return f"Because of the event “{event}”: {sentence[0].lower()}{sentence[1:]}{_tell_policy(row)}"


def _tell_policy(row: ViewRow) -> str:
    """Where the decision is not the status's own name, the policy made it of it."""
    if row["status"] == row["decision"]:
        return ""
    return f" The decision policy takes {tell_status(row['status'])} for {DECISIONS[row['decision']].lower()}."


def tell_span(span: timedelta) -> str:
    """How long, in its two largest units; below a second in milliseconds."""
    seconds = abs(span.total_seconds())
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    rest, parts = int(seconds), list[str]()
    for unit, name in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, rest = divmod(rest, unit)
        if count or parts:
            parts.append(f"{count} {name}" if count else "")
    return " ".join(part for part in parts[:2] if part)


def tell_time(moment: datetime) -> str:
    """A UTC time as it is shown: to the second where it has no milliseconds."""
    return moment.isoformat(sep=" ", timespec="milliseconds" if moment.microsecond else "seconds").split("+")[0]
