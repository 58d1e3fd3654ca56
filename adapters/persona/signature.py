"""The signature of a delivery: `Persona-Signature: t=<unix seconds>,v1=<hex>`, in one group or several.

`v1` is the hex of HMAC-SHA256 over `"<t>" + "." + raw body`, keyed by the secret as it is (persona.md, section 4).
While a secret is rotated Persona sends a group for each, with a space between; each is checked with its own `t`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from domain.errors import LedgerError, UsageError

SIGNATURE_HEADER = "Persona-Signature"

#: A `t` this far ahead of our clock is refused, whatever the tolerance.
MAX_AHEAD_S = 300

#: Longer headers, and more groups, are not looked at: each group costs one HMAC over the body for every secret.
MAX_HEADER_CHARS = 8192
MAX_GROUPS = 16

_TIME = re.compile(r"[0-9]{1,12}")
_HEX = re.compile(r"[0-9A-Fa-f]{64}")


class BadSignature(LedgerError):
    """A delivery that no known secret has signed, or too long ago. Carries the reason and nothing of the header."""

    def __init__(self, reason: str) -> None:
        """`reason`: missing, malformed, mismatch, stale or future."""
        super().__init__(f"{SIGNATURE_HEADER}: {reason}")
        self.reason = reason


class _Group(NamedTuple):
    """One `t=…,v1=…`, as it came; `signatures` are lower-case hex."""

    time: str
    signatures: list[bytes]


def sign(secret: str, body: bytes, timestamp: int) -> str:
    """One group of the header, as Persona makes it. `timestamp`: unix seconds."""
    return f"t={timestamp},v1={_digest(_key(secret), str(timestamp), body).decode()}"


class SignatureChecker:
    """Checks deliveries against the secrets of one source."""

    def __init__(self, secrets: Sequence[str], tolerance_s: int) -> None:
        """`tolerance_s`: how old a `t` may be; 0 takes any age. UsageError for an empty secret: anyone could sign."""
        if not all(secrets):
            raise UsageError("a webhook secret is empty: remove it, or set the one that Persona shows")
        self._secrets = [(_key(secret), identify(secret)) for secret in secrets]
        self._tolerance_s = tolerance_s

    def check(self, header: str | None, body: bytes, now: float) -> str:
        """The id of the secret that signed `body`: the first 8 hex digits of its SHA-256. `now`: unix seconds.

        BadSignature, with the reason `stale` or `future` only for what is genuine.
        """
        reason = "mismatch"
        for group in _parse(header):
            secret_id = self._match(group, body)
            if secret_id is not None:
                age = now - int(group.time)
                if not self._is_stale(age) and age >= -MAX_AHEAD_S:
                    return secret_id
                reason = "stale" if self._is_stale(age) else "future"
        raise BadSignature(reason)

    def _is_stale(self, age: float) -> bool:
        return bool(self._tolerance_s) and age > self._tolerance_s

    def _match(self, group: _Group, body: bytes) -> str | None:
        """Every secret is compared with every signature, so the time tells nothing of which one fits."""
        found = None
        for key, secret_id in self._secrets:
            expected = _digest(key, group.time, body)
            for signature in group.signatures:
                if hmac.compare_digest(expected, signature):
                    found = found or secret_id
        return found


def _key(secret: str) -> bytes:
    """UTF-8; bytes of the environment that are none are kept as they were (PEP 383)."""
    return secret.encode(errors="surrogateescape")


def identify(secret: str) -> str:
    """The id of a secret, which tells nothing of it: the first 8 hex digits of its SHA-256."""
    return hashlib.sha256(_key(secret)).hexdigest()[:8]


def _digest(key: bytes, time: str, body: bytes) -> bytes:
    return hmac.digest(key, b"%b.%b" % (time.encode(), body), "sha256").hex().encode()


def _parse(header: str | None) -> list[_Group]:
    """The well-formed groups. A group that is none is passed over: one good group is enough."""
    if header is None or not header.strip():
        raise BadSignature("missing")
    if len(header) > MAX_HEADER_CHARS or not header.isascii():
        raise BadSignature("malformed")
    groups = list(_groups(header.split()))
    if not 0 < len(groups) <= MAX_GROUPS:
        raise BadSignature("malformed")
    return groups


def _groups(texts: Sequence[str]) -> Iterator[_Group]:
    """Parts other than `t` and `v1` may come with a later scheme, and are passed over; two `t` are ambiguous."""
    for text in texts:
        parts = [part.partition("=") for part in text.split(",")]
        times = [value for name, _, value in parts if name == "t"]
        signatures = [value.lower().encode() for name, _, value in parts if name == "v1" and _HEX.fullmatch(value)]
        if len(times) == 1 and signatures and _TIME.fullmatch(times[0]):
            yield _Group(times[0], signatures)
