"""`POST /v1/callbacks`: what an SDK's callback says in a browser is a hint to look again, never truth: whoever sends it
may have forged it, and a workflow may have decided since (persona.md, section 7). Nothing is written.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from pydantic import AliasChoices, BaseModel, ConfigDict, Field
from starlette.responses import Response

from adapters.web.api import documents
from adapters.web.api.parameters import Asked, Text, read_parameters
from adapters.web.api.problems import UNKNOWN_INQUIRY, ApiProblem
from adapters.web.api.service import Service
from domain.event import MAX_TEXT_BYTES

_TEXT: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT_BYTES}

#: For OpenAPI: pydantic has no words for a member of two names.
_SHAPE: dict[str, Any] = {
    "properties": {"inquiry_id": _TEXT, "inquiryId": _TEXT, "status": _TEXT},
    "required": ["status"],
    "anyOf": [{"required": ["inquiry_id"]}, {"required": ["inquiryId"]}],
    "examples": [{"inquiryId": "inq_7ZkSzV2tkMDMfyFTZxK8wL", "status": "completed"}],
}


class Callback(BaseModel):
    """What `onComplete` was called with. Other members, which may hold personal data, are not looked at."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True, json_schema_extra=_SHAPE)

    inquiry_id: Text = Field(validation_alias=AliasChoices("inquiry_id", "inquiryId"))
    status: Text


class Callbacks:
    """The endpoint."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def add_to(self, app: FastAPI) -> None:
        """Add its route."""
        app.add_api_route("/v1/callbacks", self.compare, methods=["POST"], **documents.CALLBACK)

    async def compare(self, callback: Callback, request: Request) -> Response:
        """The row of the ledger, and whether the callback says the same."""
        read_parameters(Asked, request)
        row = await self._service.rows.read(callback.inquiry_id)
        if row is None:
            raise ApiProblem(UNKNOWN_INQUIRY)
        agrees = row["status"] == callback.status
        self._service.metrics.called_back(agrees=agrees)
        return self._service.answers.json({**row, "agrees": agrees})
