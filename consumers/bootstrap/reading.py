"""The read API and the page, wired."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from adapters.settings import Settings
from consumers.bootstrap.parts import check_schema, rules, topic
from consumers.bootstrap.proof import explainer
from consumers.bootstrap.servers import database_of
from consumers.lifecycle_drawing import to_mapping
from consumers.lifecycle_path import draw_path
from domain.errors import LedgerUnavailable, LogUnavailable, SettingsError
from domain.inquiry import Rules

if TYPE_CHECKING:
    from adapters.kafka_log.topic import KafkaTopic
    from adapters.web.api.ports import ApiParts
    from adapters.web.server import WebServer


@contextmanager
def api(said: Settings) -> Iterator[WebServer]:
    """The read API, listening. It starts without Postgres and without the log, but not on a schema or a topic that is
    missing. SettingsError, PolicyError, SchemaError, TopicError."""
    from adapters.web.api.app import build_api
    from adapters.web.api.protocol import raise_file_limit
    from adapters.web.server import Address, WebServer, listen

    check_access(said)
    with api_parts(said) as parts:
        app = build_api(parts)
        listener = listen(Address(said.http_host, said.api_port, "LEDGER_API_PORT"))
        yield WebServer(app, listener, raise_file_limit(), app.stop)


def check_access(said: Settings) -> None:
    """SettingsError where everybody could read."""
    from adapters.web.api.origin import is_loopback

    if not said.api_tokens and not is_loopback(said.http_host):
        raise SettingsError(
            "LEDGER_API_TOKENS",
            "is needed where LEDGER_HTTP_HOST is not a loopback address: whoever reaches it could read the ledger",
        )


@contextmanager
def api_parts(said: Settings) -> Iterator[ApiParts]:
    """The collaborators of the read API."""
    from adapters.ledger.notice import notices
    from adapters.ledger.query import LedgerQuery
    from adapters.web.api.access import Access
    from adapters.web.api.ports import ApiParts

    made_by, database = rules(said), database_of(said)
    with suppress(LedgerUnavailable):
        check_schema(said)
    with topic(said) as log, explainer(said) as explain:
        with suppress(LogUnavailable):
            log.inspect()
        query = LedgerQuery(database, said.topic)
        yield ApiParts(
            query=query,
            notices=partial(notices, database),
            explain=explain,
            rules=made_by,
            lifecycle=draw_lifecycle(made_by),
            log_ends=log.ends,
            find_problems=_problems(said, log, made_by),
            topic=said.topic,
            access=Access(said.api_tokens or (), time.time),
            connect=lambda: query,
            draw_path=draw_path,
            read_edge=_edge_reader(said),
        )


def _edge_reader(said: Settings) -> Callable[[], str | None]:
    """Asks the edge that listens on this machine as these settings say; where there is none, the page says so."""
    from adapters.web.page.edge_figures import read_metrics

    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(said.http_host, said.http_host)  # noqa: S104 - compared
    return partial(read_metrics, host, said.edge_port)


def draw_lifecycle(made_by: Rules) -> Mapping[str, object]:
    """The table, as JSON has it."""
    cells = [to_mapping(cell) for cell in made_by.lifecycle.cells()]
    return {"lifecycle_version": made_by.lifecycle.version, "cells": cells}


def _problems(said: Settings, log: KafkaTopic, made_by: Rules) -> Callable[[], Sequence[str]]:
    """Asks the schema, the books, and the topic."""
    from adapters.ledger.read import LedgerReader

    def find() -> list[str]:
        check_schema(said)
        with LedgerReader(database_of(said)) as reader:
            off = [
                f"the books of partition {row['partition']} do not balance"
                for row in reader.books()
                if not row["balanced"]
            ]
            stored = reader.versions()
        if stored not in (None, made_by.versions):
            off.append("the ledger is made under another lifecycle or policy than this process has")
        return [*off, *log.problems(said.max_body_bytes, None)]

    return find
