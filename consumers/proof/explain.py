"""Why an inquiry is what it is: decision → revisions → events → records → bytes → signatures, with the fold step by
step.

Pure: rows and records in, a document out. It holds no body, and no personal data but the row of `current_decision`,
which readers see anyway.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from consumers.proof.audit import Rows, compare_quarantined
from consumers.proof.inquiry import Found, InquiryProof, Prover
from consumers.proof.rows import Expected, Stored, ViewRow
from consumers.proof.sentences import describe_decision, describe_step
from domain.aggregate import Entry
from domain.event import content, order_key
from domain.history import log_order
from domain.proof import Lost

Document = dict[str, Any]


def explain(inquiry_id: str, rows: Rows, prover: Prover) -> Document | None:
    """The whole proof of one inquiry; None where the ledger does not know it. Times are `datetime`."""
    stored: Stored = rows.rows([inquiry_id])[inquiry_id]
    if stored.decision is None:
        return None
    proof = prover(inquiry_id, stored)
    findings = [*proof.findings, *compare_quarantined(proof, stored, rows)]
    return {
        "inquiry_id": inquiry_id,
        "sentence": _tell_decision(proof),
        "decision": dict(stored.decision),
        "revisions": [dict(row) for row in stored.revisions],
        "events": _tell_events(proof, stored),
        "agrees": proof.expected is not None and not any(finding.check == "row" for finding in findings),
        "findings": [finding._asdict() for finding in findings],
    }


def _tell_decision(proof: InquiryProof) -> str:
    if proof.expected is None:
        return "not known: the log does not hold every record that the ledger has"
    return describe_decision(proof.expected.fold.new_rows[0].inquiry)


def _tell_events(proof: InquiryProof, stored: Stored) -> list[Document]:
    """Every event in canonical order, with its records in the order of the log."""
    if proof.expected is None:
        return [_tell_unproved(row, proof.found) for row in stored.history]
    fold = proof.expected.fold
    entries = sorted(fold.new_entries, key=lambda entry: order_key(entry.event))
    late = _find_late(proof.expected, proof.found)
    decided_by = fold.new_rows[0].inquiry.decided_by
    return [
        {
            "position": position,
            "event_id": entry.event.event_id,
            "event_name": entry.event.name,
            "occurred_at": entry.event.occurred_at,
            **entry.step._asdict(),
            "sentence": describe_step(entry.step, entry.event.name),
            "decides": entry.event.event_id == decided_by,
            "is_late": entry.event.event_id in late,
            "records": [_tell_record(found, _role(found, entry)) for found in _of(entry.event.event_id, proof.found)],
        }
        for position, entry in enumerate(entries, 1)
    ]


_EVENT_COLUMNS = ("position", "event_id", "event_name", "occurred_at", "verdict", "edge", "reason", "from_status",
                  "to_status")  # fmt: skip


def _tell_unproved(row: ViewRow, found: Sequence[Found]) -> Document:
    """As the ledger has it, where the log does not hold enough to fold again."""
    return {
        **{name: row[name] for name in _EVENT_COLUMNS},
        "sentence": "not proved: the log does not hold every record of this inquiry",
        "decides": None,
        "is_late": None,
        "records": [_tell_record(one, "unproved") for one in _of(row["event_id"], found)],
    }


def _of(event_id: str, found: Sequence[Found]) -> list[Found]:
    """The records of an event: by what they say, else by what the ledger has of them."""
    return [one for one in found if (one.sighting.event.event_id if one.sighting else one.row["event_id"]) == event_id]


def _role(found: Found, entry: Entry) -> str:
    if found.sighting is None or content(found.sighting.event) != content(entry.event):
        return "loser"
    return "first" if found.sighting.placement == entry.placement else "copy"


def _find_late(expected: Expected, found: Sequence[Found]) -> set[str]:
    """The events whose first record was appended after one of an event that comes later in canonical order."""
    firsts = {entry.placement: entry.event for entry in expected.fold.new_entries}
    late, newest = set(), None
    for sighting in log_order(one.sighting for one in found if one.sighting is not None):
        event = firsts.get(sighting.placement)
        if event is None:
            continue
        if newest is not None and order_key(event) < newest:
            late.add(event.event_id)
        else:
            newest = order_key(event)
    return late


def _tell_record(found: Found, role: str) -> Document:
    """One record, and what its bytes are; `role`: first, copy, loser of a conflict, or unproved."""
    place = {name: found.row[name] for name in ("topic", "partition", "offset", "appended_at")}
    if isinstance(found.record, Lost) or found.examined is None:
        return {**place, "role": role, "lost": found.record}
    body = found.record.value or b""
    return {
        **place,
        "role": role,
        "lost": None,
        "bytes": len(body),
        "sha256": hashlib.sha256(body).hexdigest(),
        "read_by": "headers" if found.examined.is_read_by_headers else "body",
        "signature": found.examined.signature,
        "signed_by": list(found.examined.signed_by),
        "problems": [problem.text for problem in found.examined.problems],
    }
