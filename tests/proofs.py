"""Signed records as the edge writes them, bits of them flipped, and the checks of an audit, for tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from adapters.kafka_log.record import Audit, encode_headers
from adapters.persona.body import find_inquiry_id, read_body, sketch
from adapters.persona.signature import identify, sign
from adapters.persona.simulator import plan
from adapters.persona.simulator.plan import Signing
from adapters.settings import Settings, SourceSettings
from adapters.web.intake import Arrival, Intake
from consumers.bootstrap.proof import record_proof
from consumers.proof.record import RecordProof
from domain.event import Placement, Record, from_millis

SECRET, OLD_SECRET, EU_SECRET = "wbhsec_current", "wbhsec_old", "wbhsec_eu"
RECEIVED = datetime(2026, 3, 1, 12, 0, 1, tzinfo=UTC)
TOPIC = "persona.events"

Headers = tuple[tuple[str, bytes | None], ...]

_INTAKE = Intake(read_body, find_inquiry_id, sketch, Audit, encode_headers)


class Signed(NamedTuple):
    """What the edge appends for one delivery."""

    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]]


def receive(
    body: bytes, secrets: Sequence[str] = (SECRET,), at: datetime = RECEIVED, source: str = "default"
) -> Signed:
    """The record of a delivery signed with all of these secrets, of which the edge found the first."""
    signature = " ".join(sign(secret, body, int(at.timestamp())) for secret in secrets)
    first_attempted_at = str(int(at.timestamp())).encode()
    accepted = _INTAKE.accept(
        Arrival(body, source, signature, identify(secrets[0]), at.timestamp(), b"1", first_attempted_at)
    )
    return Signed(accepted.key, body, accepted.headers)


def as_record(signed: Signed, offset: int = 0) -> Record:
    """The same after it was appended."""
    placement = Placement(TOPIC, 0, offset, from_millis(int(RECEIVED.timestamp() * 1000) + 5))
    return Record(placement, signed.key, signed.value, tuple(signed.headers))


def make_proof(*secrets: str) -> RecordProof:
    """The checks of one record, with these secrets set for source `default`, and another for `eu`."""
    eu = {"eu": SourceSettings(secrets=(EU_SECRET,))}
    return record_proof(Settings(webhook_secret=secrets or None, sources=eu if secrets else {}))


def flip(data: bytes, bit: int) -> bytes:
    """The same bytes with one bit the other way round."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def flip_header(record: Record, number: int, bit: int) -> Record:
    """The record with a bit of the value of one header flipped."""
    headers = list(record.headers)
    name, value = headers[number]
    headers[number] = (name, flip(value or b"", bit))
    return record._replace(headers=tuple(headers))


def misspell_header(record: Record, number: int) -> Iterator[Record]:
    """The record with each bit of the name of one header flipped, as `adapters.kafka_log` reads it then."""
    name, value = record.headers[number]
    for bit in range(8 * len(name)):
        other = "".join(chr(byte) if byte < 0x80 else "?" for byte in flip(name.encode(), bit))
        headers = list(record.headers)
        headers[number] = (other, value)
        yield record._replace(headers=tuple(headers))


def signed_traffic(seed: int, inquiries: int, **odds: float) -> list[Signed]:
    """What the edge appends of a simulated Persona's deliveries, all signed; about six records an inquiry."""
    made = plan(seed, inquiries, now=RECEIVED, **odds)
    signers = {Signing.CURRENT: (SECRET,), Signing.ROTATING: (SECRET, OLD_SECRET)}
    return [receive(one.body, signers[one.signing]) for one in made.deliveries if one.signing in signers]
