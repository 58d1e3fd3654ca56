"""Who may read: bearer tokens, and the cookie that a browser gets for one. `guard` asks at every request.

Only SHA-256 digests of the tokens are kept. A token may also be configured as its digest, `sha256:<64 hex>`, so that
whoever reads the configuration cannot read the ledger.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from typing import NamedTuple

from itsdangerous import TimestampSigner

COOKIE = "inquiry_ledger"
SESSION_S = 12 * 3600

_DIGEST = "sha256:"
_PURPOSE = b"inquiry-ledger session"
_READER = b"reader"

#: A cookie of ours has under 64 characters, and a request one of them; more of them only cost time.
_MAX_COOKIE = 128
_MAX_COOKIES = 4

Clock = Callable[[], float]
"""Unix seconds."""


class _Known(NamedTuple):
    digest: bytes
    signer: TimestampSigner


class Access:
    """The tokens of this process. Without tokens everybody who reaches it may read: it binds to loopback only."""

    def __init__(self, tokens: Sequence[str], clock: Clock) -> None:
        """`tokens`: each the token itself, or `sha256:` and the hex of its digest."""
        self._known = [_Known(_digest(token), _Signer(_session_key(token), clock)) for token in tokens]
        self.attempts = Attempts(clock)

    @property
    def needs_token(self) -> bool:
        """Whether there are tokens at all."""
        return bool(self._known)

    def knows(self, token: str) -> bool:
        """Whether this is one of the tokens, in the same time whichever it is."""
        return self._find(token) is not None

    def login(self, token: str) -> str | None:
        """The value of a session's cookie; None for a token that is not known."""
        known = self._find(token)
        return known.signer.sign(_READER).decode() if known else None

    def remembers(self, cookie: str) -> bool:
        """Whether the value is of a session that goes on. It ends after SESSION_S, and with its token."""
        if len(cookie) > _MAX_COOKIE or not cookie.isascii():
            return False
        verdicts = [known.signer.validate(cookie, SESSION_S) for known in self._known]  # all of them: no early exit
        return any(verdicts)

    def _find(self, token: str) -> _Known | None:
        digest, found = _of_text(token), None
        for known in self._known:
            if hmac.compare_digest(known.digest, digest):
                found = known  # and on: the time must not tell which
        return found


class Attempts:
    """Wrong tokens, counted in a bucket: a burst, then one a second. Beyond it they are told to slow down, and leave
    no line in the log. A good token is never held up by others' wrong ones; guessing is prevented by its length."""

    burst = 20

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._left = float(self.burst)
        self._since = clock()

    def count(self) -> bool:
        """Count one; whether it was within the bucket."""
        now = self._clock()
        self._left = min(self.burst, self._left + max(0.0, now - self._since))
        self._since = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class _Signer(TimestampSigner):
    """Signs with a time of the given clock."""

    def __init__(self, key: bytes, clock: Clock) -> None:
        super().__init__(key, salt=_PURPOSE, key_derivation="hmac", digest_method=hashlib.sha256)
        self._clock = clock

    def get_timestamp(self) -> int:
        return int(self._clock())


def _of_text(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _digest(token: str) -> bytes:
    return bytes.fromhex(token.removeprefix(_DIGEST)) if token.startswith(_DIGEST) else _of_text(token)


def _session_key(token: str) -> bytes:
    """Of a digest alone nobody may make a session: it is mixed with what only this process knows. The sessions of such
    a token end with the process; those of a token that is known itself go on, in every process that knows it."""
    known = secrets.token_bytes(32) if token.startswith(_DIGEST) else token.encode()
    return hmac.digest(known, _PURPOSE + _digest(token), "sha256")


def cookies_of(header: str) -> list[str]:
    """The values of our cookie in a `Cookie` field: another page of this host may have set one as well."""
    pairs = (pair.strip().partition("=") for pair in header.split(";"))
    return [value for name, _, value in pairs if name == COOKIE][:_MAX_COOKIES]


def bearer_of(header: str) -> str | None:
    """The token in an `Authorization` field; None where it holds something else (RFC 6750, 2.1)."""
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def set_cookie(value: str, *, is_secure: bool) -> str:
    """The `Set-Cookie` field that begins a session."""
    return _cookie(value, SESSION_S, is_secure=is_secure)


def drop_cookie(*, is_secure: bool) -> str:
    """The `Set-Cookie` field that ends one in this browser."""
    return _cookie("", 0, is_secure=is_secure)


def _cookie(value: str, max_age_s: int, *, is_secure: bool) -> str:
    secure = "; Secure" if is_secure else ""
    return f"{COOKIE}={value}; Max-Age={max_age_s}; Path=/; HttpOnly; SameSite=Strict{secure}"
