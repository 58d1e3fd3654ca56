"""Wires: the only file among the consumers that names adapters.

Adapters are imported where they are used, so that a command loads only what it works with: the edge no database, the
drawing of the lifecycle neither Kafka nor Postgres.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

from prometheus_client import CollectorRegistry

from adapters.settings import Settings as Settings
from adapters.settings import load_settings
from consumers.doctor import Patient
from consumers.embedded_note import read_note, write_note
from consumers.metrics import ProjectorMetrics
from consumers.projector import Projector
from domain.decision import DecisionPolicy, parse_policy
from domain.errors import LogUnavailable, PolicyError, SettingsError
from domain.inquiry import Rules
from domain.lifecycle import Lifecycle

if TYPE_CHECKING:
    from adapters.kafka_log.topic import KafkaTopic
    from adapters.ledger.read import LedgerReader as LedgerReader
    from adapters.persona.simulator import Outcome as Outcome
    from adapters.persona.simulator import Plan as Plan
    from adapters.web.server import WebServer
    from adapters.web.webhook import Accept, Appender, CheckSignature

WEBHOOK_PATH = "/webhooks/persona"

Say = Callable[[str], None]


def read_settings(config: Path | None) -> Settings:
    """The settings of this process. SettingsError."""
    return load_settings(os.environ, config)


def _quiet(_: str) -> None:
    """Says nothing."""


@contextmanager
def running(config: Path | None, *, kafka: bool = True, postgres: bool = True, say: Say = _quiet) -> Iterator[Settings]:
    """The settings, with an embedded server for each needed part that they do not name."""
    with servers(read_settings(config), kafka=kafka, postgres=postgres, say=say) as complete:
        yield complete


@contextmanager
def servers(said: Settings, *, kafka: bool = True, postgres: bool = True, say: Say = _quiet) -> Iterator[Settings]:
    """`said` with `kafka_bootstrap` and `database_url` filled in: by embedded servers, which another command of ours
    may be running already. Both start at once: it is half the time."""
    wanted = {
        "kafka_bootstrap": (kafka and said.kafka_bootstrap is None, "kafka", _start_kafka),
        "database_url": (postgres and said.database_url is None, "postgres", _start_postgres),
    }
    with ExitStack() as stack:
        with ThreadPoolExecutor(2) as pool:
            starts = {
                name: pool.submit(_find_or_start, stack, said.data_dir / folder, start, say)
                for name, (is_wanted, folder, start) in wanted.items()
                if is_wanted
            }
        yield said.model_copy(update={name: start.result() for name, start in starts.items()})


def _find_or_start(stack: ExitStack, folder: Path, start: Callable[[ExitStack, Path, Say], str], say: Say) -> str:
    address = read_note(folder)
    if address is None:
        address = start(stack, folder, say)
        stack.callback(write_note(folder, address).unlink, missing_ok=True)
    return address


def _start_kafka(stack: ExitStack, folder: Path, say: Say) -> str:
    from adapters.embedded.kafka import EmbeddedKafka

    return stack.enter_context(EmbeddedKafka(folder, say=say)).bootstrap


def _start_postgres(stack: ExitStack, folder: Path, say: Say) -> str:
    from adapters.embedded.postgres import EmbeddedPostgres

    return stack.enter_context(EmbeddedPostgres(folder, say=say)).url


def rules(said: Settings) -> Rules:
    """Lifecycle and policy of this process. PolicyError."""
    return Rules(Lifecycle(), _read_policy(said.policy))


def _read_policy(path: Path | None) -> DecisionPolicy:
    if path is None:
        return DecisionPolicy()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(str(path), f"cannot be read ({type(error).__name__})") from error
    return parse_policy(text, str(path))


def bootstrap_of(said: Settings) -> str:
    """Where Kafka is. SettingsError where nothing says so."""
    if said.kafka_bootstrap is None:
        raise SettingsError("LEDGER_KAFKA_BOOTSTRAP", "is needed here")
    return said.kafka_bootstrap


def database_of(said: Settings) -> str:
    """Where Postgres is. SettingsError where nothing says so."""
    if said.database_url is None:
        raise SettingsError("LEDGER_DATABASE_URL", "is needed here")
    return said.database_url


@contextmanager
def topic(said: Settings) -> Iterator[KafkaTopic]:
    """The topic: what it says of itself."""
    from adapters.kafka_log.topic import KafkaTopic

    with closing(KafkaTopic(bootstrap_of(said), said.topic, said.kafka_security)) as opened:
        yield opened


def migrate(said: Settings) -> Iterator[str]:
    """Create what is missing, schema and topic; yields what was done."""
    from adapters.ledger import schema

    yield f"schema: version {schema.migrate(database_of(said))}"
    with topic(said) as opened:
        made = opened.create(said.partitions)
        partitions = len(opened.inspect().offsets)
        yield f"topic {said.topic}: {'created' if made else 'there already'}, {partitions} partitions"


def check_schema(said: Settings) -> str:
    """The version of the schema; SchemaError says to migrate."""
    from adapters.ledger import schema

    return schema.check_schema(database_of(said))


def reset(said: Settings) -> None:
    """Empty the ledger."""
    from adapters.ledger import admin

    admin.reset(database_of(said))


@contextmanager
def reader(said: Settings) -> Iterator[LedgerReader]:
    """The views. SchemaError where there are none."""
    from adapters.ledger.read import LedgerReader

    check_schema(said)
    with LedgerReader(database_of(said)) as opened:
        yield opened


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
            appender=cast("Appender", appender),  # Future is invariant in its type
            find_problems=lambda: log.problems(said.max_body_bytes, None),
            registry=CollectorRegistry(),
            limits=EdgeLimits(max_body_bytes=said.max_body_bytes),
        )
        yield WebServer(app, listen(Address(said.http_host, said.edge_port, "LEDGER_EDGE_PORT")))


_CLOSE_WITHIN_S = 5.0


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


@contextmanager
def projector(said: Settings, registry: CollectorRegistry) -> Iterator[Projector]:
    """The projector, not yet running. SchemaError, TopicError, PolicyError."""
    from adapters.kafka_log.feed import KafkaFeed
    from adapters.kafka_log.record import RecordReader
    from adapters.ledger.write import PostgresLedger
    from adapters.persona.body import read_body

    made_by, database = rules(said), database_of(said)
    check_schema(said)
    with topic(said) as log, closing(PostgresLedger(database, said.topic)) as ledger:
        log.inspect()
        feed = KafkaFeed(bootstrap_of(said), said.topic, said.group, said.kafka_security)
        decode = RecordReader(read_body, said.max_body_bytes)
        yield Projector(feed, log, ledger, decode, made_by, ProjectorMetrics(registry))


@contextmanager
def patient(said: Settings) -> Iterator[Patient]:
    """Everything, for `doctor` to look at."""
    from adapters.ledger.read import LedgerReader
    from adapters.ledger.write import PostgresLedger

    database = database_of(said)
    with topic(said) as log, closing(PostgresLedger(database, said.topic)) as ledger:
        yield Patient(
            topic=said.topic,
            versions=rules(said).versions,
            inspect_log=log.inspect,
            topic_problems=lambda: log.problems(said.max_body_bytes, None),
            check_schema=lambda: check_schema(said),
            positions=ledger.positions,
            open_books=lambda: LedgerReader(database),
        )


def log_ends(said: Settings) -> Mapping[int, int]:
    """Partition → the offset at which the log ends."""
    with topic(said) as log:
        return {partition: end for partition, (_, end) in log.inspect().offsets.items()}


def make_plan(seed: int, inquiries: int, odds: Mapping[str, float]) -> Plan:
    """What a simulated Persona will send. `odds`: shares by the names of `adapters.persona.simulator.plan`."""
    from adapters.persona import simulator

    return simulator.plan(seed, inquiries, now=datetime.now(UTC), **odds)


def deliver(
    plan: Plan,
    url: str,
    secrets: Sequence[str],
    progress: Callable[[int, int], None],
    *,
    rate: float = 0,
    time_scale: float = 0,
) -> Outcome:
    """Send it, signed with `secrets`: see `adapters.persona.simulator.deliver`."""
    from adapters.persona import simulator

    return asyncio.run(
        simulator.deliver(plan, url, secrets, rate=rate, time_scale=time_scale, patience_s=1.0, progress=progress)
    )


def add_delivery(plan: Plan, body: bytes) -> tuple[Plan, str]:
    """The plan with a captured body at its end, and the inquiry it is about. Undecodable."""
    from adapters.persona.body import read_body
    from adapters.persona.simulator import Kind, Planned, Signing

    event = read_body(body).event
    planned = Planned(plan.duration_s, event.event_id, Kind.GENUINE, Signing.CURRENT, event.inquiry_id, body)
    return plan._replace(deliveries=(*plan.deliveries, planned)), event.inquiry_id
