"""Whoever only reads the OpenAPI document, and asks for all that it allows and forbids, is answered as it says: no 5xx,
no undocumented status, the right content type, the right body.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import psycopg
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from adapters.embedded.postgres import EmbeddedPostgres
from adapters.ledger.write import PostgresLedger
from consumers.batch import write_batch
from consumers.bootstrap.reading import draw_lifecycle
from domain.books import Position
from tests.apis import Reading
from tests.builders import INQUIRY, event
from tests.integration.api import serving
from tests.ledgers import RULES, batch_of, place

TOPIC = "persona.events"

SCHEMA = schemathesis.openapi.from_dict(Reading().build().openapi())

#: Not that all that fits is taken: which cursors there are, and what goes together, no schema can say.

#: A wait of 300 s is allowed, and nothing that this test wants.
_SOON = "0.01"


@pytest.fixture(scope="module")
def address(postgres: EmbeddedPostgres) -> Iterator[str]:
    """An API over a small ledger."""
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE api_schema TEMPLATE template_ledger")
        url = postgres.url.rsplit("/", 1)[0] + "/api_schema"
        with closing(PostgresLedger(url, TOPIC)) as ledger:
            ledger.agree(RULES.versions)
            ledger.open([Position(0, "cluster", "topic", 0, 0)])
            happened = [
                event(word, second) for second, word in enumerate(("created", "approved", "failed", "redacted"))
            ]
            write_batch(ledger, batch_of(place(happened, TOPIC)), RULES)
        with serving(url, TOPIC, lifecycle=draw_lifecycle(RULES)) as address:
            yield address
        connection.execute("DROP DATABASE api_schema WITH (FORCE)")


@SCHEMA.parametrize()
@settings(
    max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate]
)
def test_answers_are_as_the_document_says(case: schemathesis.Case[Any], address: str) -> None:
    if case.path_parameters and len(str(case.path_parameters.get("inquiry_id"))) % 2:
        case.path_parameters["inquiry_id"] = INQUIRY  # about half of them are known
    for name in ("timeout", "wait"):
        with suppress(KeyError, TypeError, ValueError):
            if float(case.query[name]) > 0:
                case.query[name] = _SOON
    if case.path.endswith("{inquiry_id}"):
        case.query = {"timeout": _SOON, **(case.query or {})}
    case.call_and_validate(base_url=address, excluded_checks=[positive_data_acceptance])
