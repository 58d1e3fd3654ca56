"""The webhook receiver as one ASGI application (design, section 7). What it works with is given by the caller."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import structlog
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp, Receive, Scope, Send

from adapters.web.edge_metrics import EdgeMetrics
from adapters.web.journal import Journal
from adapters.web.load import Load
from adapters.web.probes import build_probes
from adapters.web.webhook import PATH, Accept, Appender, CheckSignature, Collaborators, EdgeLimits, Webhook


def build_edge(
    *,
    sources: Mapping[str, CheckSignature],
    accept: Accept,
    appender: Appender,
    find_problems: Callable[[], Sequence[str]],
    registry: CollectorRegistry,
    limits: EdgeLimits,
    clock: Callable[[], float] = time.time,
) -> ASGIApp:
    """`sources`: source → its signature check. `accept`: of `adapters.web.intake.Intake`. `find_problems`: what keeps
    the log from taking records, asked by `/readyz` in a thread of its own. `clock`: unix seconds."""
    load = Load(limits.max_in_flight, limits.max_in_flight_bytes)
    metrics = EdgeMetrics(registry, load)
    journal = Journal(structlog.get_logger("edge"))
    webhook = Webhook(Collaborators(sources, accept, appender, clock), limits, load, metrics, journal)
    probes = build_probes(lambda: _unconnected(appender) or find_problems(), registry, journal)

    async def edge(scope: Scope, receive: Receive, send: Send) -> None:
        is_webhook = scope["type"] == "http" and scope["path"].startswith(PATH)
        await (webhook if is_webhook else probes)(scope, receive, send)

    return edge


def _unconnected(appender: Appender) -> list[str]:
    return [] if appender.is_ready() else ["the log is not connected"]
