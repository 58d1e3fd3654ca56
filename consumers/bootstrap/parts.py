"""The parts that several commands use: rules, topic, schema, views."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.settings import Settings
from consumers.bootstrap.servers import bootstrap_of, database_of
from consumers.doctor import Patient
from domain.decision import DecisionPolicy, parse_policy
from domain.errors import PolicyError
from domain.inquiry import Rules
from domain.lifecycle import Lifecycle

if TYPE_CHECKING:
    from adapters.kafka_log.topic import KafkaTopic
    from adapters.ledger.read import LedgerReader


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


@contextmanager
def topic(said: Settings) -> Iterator[KafkaTopic]:
    """The topic: what it says of itself."""
    from adapters.kafka_log.topic import KafkaTopic

    with closing(KafkaTopic(bootstrap_of(said), said.topic, said.kafka_security)) as opened:
        yield opened


@contextmanager
def decisions(said: Settings) -> Iterator[KafkaTopic]:
    """The topic that decisions are published to."""
    from adapters.kafka_log.publish import open_topic

    with closing(open_topic(bootstrap_of(said), said.kafka_security)) as opened:
        yield opened


def migrate(said: Settings) -> Iterator[str]:
    """Create what is missing, schema and topics; yields what was done."""
    from adapters.ledger import schema

    yield f"schema: version {schema.migrate(database_of(said))}"
    with topic(said) as events, decisions(said) as published:
        for opened in (events, published):
            made = opened.create(said.partitions)
            partitions = len(opened.inspect().offsets)
            yield f"topic {opened.name}: {'created' if made else 'there already'}, {partitions} partitions"


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
def patient(said: Settings) -> Iterator[Patient]:
    """Everything, for `doctor` to look at."""
    from adapters.ledger.read import LedgerReader
    from adapters.ledger.write import PostgresLedger

    database = database_of(said)
    with (
        topic(said) as log,
        decisions(said) as published,
        closing(PostgresLedger(database, said.topic)) as ledger,
    ):
        yield Patient(
            topic=said.topic,
            versions=rules(said).versions,
            inspect_log=log.inspect,
            topic_problems=lambda: log.problems(said.max_body_bytes, None),
            decisions_problems=lambda: published.problems(0),
            check_schema=lambda: check_schema(said),
            group_offsets=lambda: log.group_offsets(said.group),
            positions=ledger.positions,
            open_books=lambda: LedgerReader(database),
        )


def log_ends(said: Settings) -> Mapping[int, int]:
    """Partition → the offset at which the log ends."""
    with topic(said) as log:
        return {partition: end for partition, (_, end) in log.inspect().offsets.items()}
