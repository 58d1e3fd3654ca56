"""The webhook receiver, wired."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from adapters.settings import Settings
from consumers.bootstrap.parts import topic
from consumers.bootstrap.servers import bootstrap_of
from domain.errors import LogUnavailable, SettingsError

if TYPE_CHECKING:
    from adapters.kafka_log.topic import KafkaTopic
    from adapters.web.server import WebServer
    from adapters.web.webhook import Accept, CheckSignature

WEBHOOK_PATH = "/webhooks/persona"

_CLOSE_WITHIN_S = 5.0


@contextmanager
def edge(said: Settings) -> Iterator[WebServer]:
    """The webhook receiver, listening. It starts without the log, but not on a topic that is missing."""
    from adapters.kafka_log.append import KafkaAppender
    from adapters.web.edge import build_edge
    from adapters.web.server import Address, WebServer, listen
    from adapters.web.webhook import EdgeLimits

    checks = signature_checks(said)
    with topic(said) as log, ExitStack() as stack:
        _refuse_missing(log)
        appender = KafkaAppender(bootstrap_of(said), said.topic, said.kafka_security)
        stack.callback(appender.close, _CLOSE_WITHIN_S)
        app = build_edge(
            sources=checks,
            accept=_accept(),
            appender=appender,
            find_problems=lambda: log.problems(said.max_body_bytes, None),
            registry=CollectorRegistry(),
            limits=EdgeLimits(max_body_bytes=said.max_body_bytes),
        )
        yield WebServer(app, listen(Address(said.http_host, said.edge_port, "LEDGER_EDGE_PORT")))


def _refuse_missing(log: KafkaTopic) -> None:
    """TopicError where Kafka says that there is no topic; where Kafka says nothing, readiness waits for it."""
    with suppress(LogUnavailable):
        log.inspect()


def signature_checks(said: Settings) -> dict[str, CheckSignature]:
    """Source → its check. SettingsError where there is no source."""
    from adapters.persona.signature import SignatureChecker

    if not said.sources:
        raise SettingsError("LEDGER_WEBHOOK_SECRET", "is needed: the secret that Persona shows for the webhook")
    return {
        name: SignatureChecker(source.secrets, said.signature_tolerance_s).check
        for name, source in said.sources.items()
    }


def _accept() -> Accept:
    from adapters.kafka_log.record import Audit, encode_headers
    from adapters.persona.body import find_inquiry_id, read_body, sketch
    from adapters.web.intake import Intake

    return Intake(read_body, find_inquiry_id, sketch, Audit, encode_headers).accept
