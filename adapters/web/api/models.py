"""The documents of the read API, as OpenAPI describes them. Nothing is validated with them: answers are made from rows
of the views, whose columns a test compares with these.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from domain.decision import Decision
from domain.lifecycle import Edge, Reason, Status, Verdict

_TIME = "2026-11-24T09:30:00.000Z"
_LATER = "2026-11-24T09:31:12.450Z"
_INQUIRY = "inq_7ZkSzV2tkMDMfyFTZxK8wL"

_DECISION: dict[str, Any] = {
    "inquiry_id": _INQUIRY,
    "source": "default",
    "reference_id": "user-42",
    "account_id": "act_1",
    "template_id": "itmpl_1",
    "status": "approved",
    "decision": "approved",
    "decided_at": _LATER,
    "decided_by": "evt_4",
    "status_since": _LATER,
    "redacted_at": None,
    "revision": 4,
    "refused_events": 0,
    "inferred_steps": 0,
    "last_event_id": "evt_4",
    "last_event_at": _LATER,
    "lifecycle_version": "0123456789ab",
    "policy_version": "ba9876543210",
    "topic": "persona.events",
    "partition": 2,
    "offset": 1480,
    "appended_at": _LATER,
}

_EVENT: dict[str, Any] = {
    "inquiry_id": _INQUIRY,
    "position": 1,
    "event_id": "evt_1",
    "event_name": "inquiry.created",
    "occurred_at": _TIME,
    "appended_at": _TIME,
    "verdict": "applied",
    "edge": "documented",
    "reason": None,
    "from_status": None,
    "to_status": "created",
    "payload_status": "created",
    "topic": "persona.events",
    "partition": 2,
    "offset": 1477,
}

_REVISION: dict[str, Any] = {
    "inquiry_id": _INQUIRY,
    "revision": 4,
    "status": "approved",
    "decision": "approved",
    "decided_at": _LATER,
    "effective_at": _LATER,
    "known_at": _LATER,
    "cause_event_id": "evt_4",
    "topic": "persona.events",
    "partition": 2,
    "offset": 1480,
}


def _shown(example: dict[str, Any]) -> ConfigDict:
    return ConfigDict(extra="forbid", json_schema_extra={"examples": [example]})


class CurrentDecision(BaseModel):
    """One row of the view `current_decision`. At a time before the inquiry's first event: `revision` 0, and null what
    there is not."""

    model_config = _shown(_DECISION)

    inquiry_id: str
    source: str | None
    reference_id: str | None
    account_id: str | None
    template_id: str | None
    status: Status | None
    decision: Decision
    decided_at: datetime | None
    decided_by: str | None
    status_since: datetime | None
    redacted_at: datetime | None
    revision: int
    refused_events: int
    inferred_steps: int
    last_event_id: str | None
    last_event_at: datetime | None
    lifecycle_version: str
    policy_version: str
    topic: str | None
    partition: int | None
    offset: int | None
    appended_at: datetime | None


class ComparedDecision(CurrentDecision):
    """The same, and whether a callback's status is the ledger's."""

    model_config = _shown({**_DECISION, "agrees": True})

    agrees: bool


class HistoryEvent(BaseModel):
    """One row of the view `inquiry_history`."""

    model_config = _shown(_EVENT)

    inquiry_id: str
    position: int
    event_id: str
    event_name: str
    occurred_at: datetime
    appended_at: datetime
    verdict: Verdict
    edge: Edge | None
    reason: Reason | None
    from_status: Status | None
    to_status: Status | None
    payload_status: str | None
    topic: str
    partition: int
    offset: int


class Revision(BaseModel):
    """One row of the view `decision_revision`."""

    model_config = _shown(_REVISION)

    inquiry_id: str
    revision: int
    status: Status | None
    decision: Decision
    decided_at: datetime | None
    effective_at: datetime | None
    known_at: datetime
    cause_event_id: str
    topic: str
    partition: int
    offset: int


class Decisions(BaseModel):
    """A page of decisions. `cursor`: for the next page; null on the last."""

    model_config = _shown({"items": [_DECISION], "cursor": None})

    items: list[CurrentDecision]
    cursor: str | None


class History(BaseModel):
    """All of an inquiry's events."""

    model_config = _shown({"items": [_EVENT], "cursor": None})

    items: list[HistoryEvent]
    cursor: None


class Changes(BaseModel):
    """A page of revisions. `cursor`: to go on from, there is always one."""

    model_config = _shown({"items": [_REVISION], "cursor": "WyJwZXJzb25hLmV2ZW50cyIsImFiYyIsW1syLDE0ODFdXV0"})

    items: list[Revision]
    cursor: str


class LifecycleCell(BaseModel):
    """What one event does in one status."""

    model_config = ConfigDict(extra="forbid")

    from_status: Status | None
    event_name: str
    verdict: Verdict
    edge: Edge | None
    reason: Reason | None
    to_status: Status | None


class LifecycleTable(BaseModel):
    """The whole lifecycle."""

    model_config = ConfigDict(extra="forbid")

    lifecycle_version: str
    cells: list[LifecycleCell]


def _drop_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)
    schema.update(schema.pop("anyOf", [{}])[0])


class Position(BaseModel):
    """How far a partition is projected: `next_offset` is the first offset not read yet, null where it has none."""

    model_config = ConfigDict(extra="forbid")

    partition: int
    next_offset: int | None


#: A member that is not there where it does not apply: no default, and never null.
_ABSENT = Field(json_schema_extra=_drop_default)


class Problem(BaseModel):
    """RFC 9457. `reason` is one word of a fixed set, for machines."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["about:blank"]
    title: str
    status: int
    detail: str
    reason: str
    parameter: Annotated[str, _ABSENT] = Field("", description="Which parameter is wrong, where it is one (400).")
    position: Annotated[Position | None, _ABSENT] = Field(None, description="How far the ledger is (409).")
