"""`explain` and `audit`, wired: the ledger's rows beside the log's bytes and the known secrets."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from adapters.settings import Settings
from consumers.bootstrap.parallel import Reached, work_on
from consumers.bootstrap.parts import check_schema, rules, topic
from consumers.bootstrap.servers import bootstrap_of, database_of
from consumers.proof.audit import Part, audit_inquiries, audit_partition, conclude
from consumers.proof.explain import explain
from consumers.proof.inquiry import Prover
from consumers.proof.partition import Auditor, Outcome
from consumers.proof.record import RecordProof
from domain.books import Position, check_position
from domain.errors import PositionError, RulesError
from domain.ports import Decode

if TYPE_CHECKING:
    from adapters.kafka_log.lookup import KafkaLookup
    from adapters.ledger.snapshot import LedgerSnapshot

#: A sample is handed out in pieces of so many inquiries.
_PIECE = 50


@contextmanager
def explainer(said: Settings) -> Iterator[Callable[[str], dict[str, Any] | None]]:
    """Inquiry id → why it is what it is (`consumers.proof.explain`); None where the ledger does not know it.
    Thread-safe. LedgerUnavailable, LogUnavailable, SchemaError, TopicError; connects when it is first asked."""
    with _lookup(said) as lookup:
        prover = _prover(said, lookup)

        def explain_one(inquiry_id: str) -> dict[str, Any] | None:
            with _snapshot(said) as rows:
                return explain(inquiry_id, rows, prover)

        yield explain_one


def audit(said: Settings, sample: int | None, reached: Callable[[int, int], None]) -> Outcome:
    """Check so many inquiries taken by chance, or (None) every record and every row, in several processes.
    `reached(done, total)`: of inquiries or of offsets. PositionError where the ledger is not of this log, RulesError
    where it is not of these rules."""
    check_schema(said)
    with _snapshot(said) as rows:
        _check_rules(rows.rules(), rules(said).versions)
        positions = rows.positions()
        _check_positions(said, positions)
        if sample is None:
            return _audit_all(said, rows, positions, reached)
        return _audit_sample(said, rows, sample, reached)


def has_secrets(said: Settings) -> bool:
    """Whether any secret is set to check signatures with."""
    return bool(said.sources)


def _check_rules(stored: tuple[str, str] | None, ours: tuple[str, str]) -> None:
    if stored is not None and stored != ours:
        raise RulesError(
            f"the ledger's rows were made under {' and '.join(stored)}, this process has {' and '.join(ours)}: "
            "audit with the LEDGER_POLICY that the ledger was made with"
        )


def _check_positions(said: Settings, positions: Sequence[Position]) -> None:
    with topic(said) as opened:
        log = opened.inspect()
    for position in positions:
        if position.partition not in log.offsets:
            raise PositionError(f"partition {position.partition}: the ledger knows it, the topic does not have it")
        check_position(position, log)


class _AllTask(NamedTuple):
    """One partition, for one worker."""

    said: Settings
    snapshot: str
    position: Position
    left_out: Sequence[str]


class _SampleTask(NamedTuple):
    """Some inquiries, for one worker."""

    said: Settings
    snapshot: str
    inquiry_ids: Sequence[str]


def _audit_all(
    said: Settings, rows: LedgerSnapshot, positions: Sequence[Position], reached: Callable[[int, int], None]
) -> Outcome:
    left_out = rows.split()
    tasks = [_AllTask(said, rows.name, position, left_out) for position in positions]
    total = sum(position.next_offset - position.first_offset for position in positions)
    parts = work_on(tasks, _audit_partition, _add_up(reached, total))
    return conclude(parts, left_out, rows, rules(said))


def _audit_partition(task: _AllTask, reached: Reached) -> Part:
    from adapters.kafka_log.scan import KafkaScan

    said = task.said
    scan = KafkaScan(bootstrap_of(said), said.topic, said.kafka_security)
    auditor = Auditor(said.topic, scan, _decode(said), record_proof(said), rules(said))
    with _snapshot(said, task.snapshot) as rows:
        return audit_partition(task.position, auditor, rows, task.left_out, reached)


def _audit_sample(said: Settings, rows: LedgerSnapshot, count: int, reached: Callable[[int, int], None]) -> Outcome:
    ids = rows.sample(count)
    pieces = [ids[first : first + _PIECE] for first in range(0, len(ids), _PIECE)]
    tasks = [_SampleTask(said, rows.name, piece) for piece in pieces]
    total = Outcome()
    for outcome in work_on(tasks, _audit_inquiries, _add_up(reached, len(ids))):
        total.add(outcome)
    return total


def _audit_inquiries(task: _SampleTask, reached: Reached) -> Outcome:
    with _lookup(task.said) as lookup, _snapshot(task.said, task.snapshot) as rows:
        return audit_inquiries(task.inquiry_ids, _prover(task.said, lookup), rows, reached)


def _add_up(reached: Callable[[int, int], None], total: int) -> Reached:
    done = 0

    def add(more: int) -> None:
        nonlocal done
        done += more
        reached(done, total)

    return add


def record_proof(said: Settings) -> RecordProof:
    """The checks of one record, with the secrets of the settings."""
    from adapters.kafka_log.claims import disagreements, first_headers, read_claims
    from adapters.kafka_log.record import read_headers
    from adapters.persona.body import find_inquiry_id, read_body, sketch
    from adapters.persona.signature import identify

    secrets = [(source, secret) for source, one in said.sources.items() for secret in one.secrets]
    return RecordProof(
        read_claims,
        first_headers,
        read_headers,
        disagreements,
        read_body,
        sketch,
        find_inquiry_id,
        _find_signers(secrets),
        frozenset(identify(secret) for _, secret in secrets),
    )


def _find_signers(secrets: Sequence[tuple[str, str]]) -> Callable[[str, bytes], Mapping[str, set[str]]]:
    """Each secret is tried by itself, since several may have signed; the age of a signature does not matter here."""
    from adapters.persona.signature import BadSignature, SignatureChecker

    checkers = [(source, SignatureChecker([secret], 0)) for source, secret in secrets]

    def find(signature: str, body: bytes) -> Mapping[str, set[str]]:
        signers: dict[str, set[str]] = {}
        for source, checker in checkers:
            try:
                signers.setdefault(checker.check(signature, body, math.inf), set()).add(source)
            except BadSignature:
                continue
        return signers

    return find


def _decode(said: Settings) -> Decode:
    from adapters.kafka_log.record import RecordReader
    from adapters.persona.body import read_body

    return RecordReader(read_body, said.max_body_bytes)


def _lookup(said: Settings) -> KafkaLookup:
    from adapters.kafka_log.lookup import KafkaLookup

    return KafkaLookup(bootstrap_of(said), said.topic, said.kafka_security)


def _prover(said: Settings, lookup: KafkaLookup) -> Prover:
    return Prover(lookup, _decode(said), record_proof(said), rules(said))


def _snapshot(said: Settings, shared: str | None = None) -> LedgerSnapshot:
    from adapters.ledger.snapshot import LedgerSnapshot

    return LedgerSnapshot(database_of(said), said.topic, shared)
