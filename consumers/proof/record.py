"""One record of the log, checked: is its signature genuine, and do its headers say what its body says?

Pure, and put together from other rooms' functions, which are given (`consumers.bootstrap.proof`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from domain.errors import Undecodable
from domain.event import Event, Record


class Signature(StrEnum):
    """What is known of a record's signature."""

    VALID = "valid"
    INVALID = "invalid"
    UNKNOWN_SECRET = "unknown_secret"  # noqa: S105 - no secret that is set has signed it, nor the one that it names
    NOT_SIGNED = "not_signed"  #: imported, or reconciled
    NOT_CHECKED = "not_checked"  #: no secret is set, or the body is sealed


class Problem(Protocol):
    """What is wrong with a record. `text` names fields and kinds, never values."""

    @property
    def check(self) -> str: ...
    @property
    def text(self) -> str: ...


class Claims(Protocol):
    """What the headers of a record claim besides its event. None where nothing is."""

    @property
    def provenance(self) -> str | None: ...
    @property
    def signature(self) -> str | None: ...
    @property
    def secret_id(self) -> str | None: ...
    @property
    def source(self) -> str | None: ...
    @property
    def is_sealed(self) -> bool: ...
    @property
    def is_ours(self) -> bool: ...
    @property
    def problems(self) -> Sequence[Problem]: ...


class Fault(NamedTuple):
    """A `Problem` found here."""

    check: str
    text: str


class Examined(NamedTuple):
    """What came of the checks. `signed_by`: the ids of the secrets that signed it."""

    signature: Signature
    signed_by: tuple[str, ...]
    is_read_by_headers: bool
    problems: tuple[Problem, ...]


Headers = Mapping[str, bytes | None]


class Disagreements(Protocol):
    """Where headers say something else than the body."""

    def __call__(
        self,
        headers: Headers,
        event: Event | None,
        payload_type: str | None,
        known: Mapping[str, str],
        *,
        are_read: bool,
        are_ours: bool,
    ) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class RecordProof:
    """Checks records. A function of its arguments alone.

    `signers`: (signature header, body) → the secrets that signed it, by id, each with the sources that have it;
    `secret_ids`: those of all secrets that are set.
    """

    read_claims: Callable[[Record], Claims]
    first_headers: Callable[[Record], Headers]
    read_headers: Callable[[Headers], Event | None]
    disagreements: Disagreements
    read_body: Callable[[bytes | None], tuple[Event, str]]
    sketch: Callable[[bytes], Mapping[str, str]]
    find_inquiry_id: Callable[[bytes], str | None]
    signers: Callable[[str, bytes], Mapping[str, Collection[str]]]
    secret_ids: Collection[str]

    def __call__(self, record: Record) -> Examined:
        """Everything that can be told of one record by itself."""
        claims, headers = self.read_claims(record), self.first_headers(record)
        is_read = self.read_headers(headers) is not None
        signature, signed_by, faults = self._check_signature(claims, record.value or b"")
        if not claims.is_sealed:
            faults += self._check_content(record, headers, claims, is_read)
        return Examined(signature, signed_by, is_read, (*claims.problems, *faults))

    def _check_signature(self, claims: Claims, body: bytes) -> tuple[Signature, tuple[str, ...], list[Fault]]:
        if claims.signature is None:
            is_missing = claims.provenance == "webhook"
            return Signature.NOT_SIGNED, (), [Fault("signature", "a webhook without a signature")] if is_missing else []
        if claims.is_sealed or not self.secret_ids:
            return Signature.NOT_CHECKED, (), []
        signers = self.signers(claims.signature, body)
        if signers:
            return Signature.VALID, tuple(sorted(signers)), list(self._compare_signers(claims, signers))
        if claims.secret_id in self.secret_ids:
            fault = Fault("signature", "the secret that it names did not sign these bytes")
            return Signature.INVALID, (), [fault]
        return Signature.UNKNOWN_SECRET, (), []

    def _check_content(self, record: Record, headers: Headers, claims: Claims, is_read: bool) -> Iterator[Fault]:
        """Whether headers and key are made of this body."""
        body = record.value or b""
        try:
            event, payload_type = self.read_body(body)
        except Undecodable as error:
            if is_read:
                yield Fault("body", f"the headers tell an event, the body cannot be read ({error.reason})")
                return
            found = self.disagreements(headers, None, None, self.sketch(body), are_read=False, are_ours=claims.is_ours)
            key = self.find_inquiry_id(body) or hashlib.sha256(body).hexdigest()
            is_keyed = not claims.is_ours or record.key == key.encode()
        else:
            found = self.disagreements(headers, event, payload_type, {}, are_read=is_read, are_ours=claims.is_ours)
            is_keyed = record.key == event.inquiry_id.encode()
        if found:
            yield Fault("headers", "; ".join(found))
        if not is_keyed:
            yield Fault("key", "the key is not the body's inquiry id")

    def _compare_signers(self, claims: Claims, signers: Mapping[str, Collection[str]]) -> Iterator[Fault]:
        """Of several signatures the edge may have found one genuine whose secret is not set any more."""
        groups = (claims.signature or "").split()
        may_be_another = claims.secret_id not in self.secret_ids and len(signers) < len(groups)
        if claims.secret_id is not None and claims.secret_id not in signers and not may_be_another:
            yield Fault("delivery", "secret_id is not that of the secret that signed these bytes")
        if claims.source is not None and not any(claims.source in sources for sources in signers.values()):
            yield Fault("headers", "header ce_source: the secret that signed these bytes is of another source")
