"""The OpenAPI document: as FastAPI makes it, less what never occurs, plus what it does not know of."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from adapters.web.api import models

_REF = "#/components/schemas/{model}"

DESCRIPTION = """What is decided about a Persona inquiry, since when, and why. Times are RFC 3339 in UTC with
milliseconds; errors are problem documents (RFC 9457). Without tokens it is served on loopback only, and needs none."""


def describe(app: FastAPI) -> dict[str, Any]:
    """Made once, and kept."""
    if app.openapi_schema is None:
        document = get_openapi(
            title="Inquiry ledger: read API", version="1", description=DESCRIPTION, routes=app.routes
        )
        _add_components(document["components"])
        for path in document["paths"].values():
            for operation in path.values():
                operation["responses"].pop("422", None)  # a bad parameter is 400 here
                operation["security"] = [{}, {"bearer": []}]
        app.openapi_schema = document
    return app.openapi_schema


def _add_components(components: dict[str, Any]) -> None:
    schemas = components["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    problem = models.Problem.model_json_schema(ref_template=_REF)
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
    for name, model in vars(models).items():
        if name in schemas and "json_schema_extra" in (config := getattr(model, "model_config", {})):
            schemas[name].update(config["json_schema_extra"])  # FastAPI has taken the nulls out of them
    components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
