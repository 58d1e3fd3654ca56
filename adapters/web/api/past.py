"""An inquiry at two times: the same fold as the ledger's, over fewer records (`domain.history`)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from domain.event import Sighting
from domain.history import fold_records, known_by, occurred_by
from domain.inquiry import Inquiry, Rules

#: The columns of `current_decision` that say where a row comes from.
_PLACE = ("topic", "partition", "offset", "appended_at")


def look_back(
    records: Sequence[Sighting], inquiry_id: str, as_of: datetime | None, known_at: datetime | None, rules: Rules
) -> dict[str, Any] | None:
    """The row of `current_decision` that held at `as_of`, by what was known at `known_at`; None where nothing was
    known. Before the inquiry's first event its row is empty, and of revision 0."""
    known = known_by(records, known_at)
    if not known:
        return None
    row = fold_records(inquiry_id, occurred_by(known, as_of), rules)
    inquiry = row.inquiry if row else Inquiry(inquiry_id)
    place = row.placement._asdict() if row else dict.fromkeys(_PLACE)
    return _to_view(inquiry, row.revision if row else 0, rules, place)


def _to_view(inquiry: Inquiry, revision: int, rules: Rules, place: dict[str, Any]) -> dict[str, Any]:
    lifecycle_version, policy_version = rules.versions
    return {
        "inquiry_id": inquiry.inquiry_id,
        "source": inquiry.source,
        "reference_id": inquiry.reference_id,
        "account_id": inquiry.account_id,
        "template_id": inquiry.template_id,
        "status": inquiry.status,
        "decision": inquiry.decision,
        "decided_at": inquiry.decided_at,
        "decided_by": inquiry.decided_by,
        "status_since": inquiry.status_since,
        "redacted_at": inquiry.redacted_at,
        "revision": revision,
        "refused_events": inquiry.refused_events,
        "inferred_steps": inquiry.inferred_steps,
        "last_event_id": inquiry.last_event_id or None,
        "last_event_at": inquiry.last_event_at,
        "lifecycle_version": lifecycle_version,
        "policy_version": policy_version,
        **place,
    }
