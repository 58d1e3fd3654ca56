"""Why the edge does not take a delivery: every answer of it that is not 200."""

from __future__ import annotations

from adapters.web.reply import Problem
from domain.errors import LedgerError

#: Persona's own schedule counts; this is for whoever else asks (persona.md, section 5).
_RETRY = ((b"retry-after", b"5"),)

_CLOSE = ((b"connection", b"close"),)

BAD_REQUEST = Problem(400, "bad_request", "this is not an HTTP/1.1 request", _CLOSE)
UPGRADE = Problem(400, "upgrade", "send without the field Upgrade: only HTTP/1.1 is spoken here", _CLOSE)
NOT_FOUND = Problem(404, "not_found", "there is no such path or source")
NOT_POST = Problem(405, "method", "deliveries are sent by POST", ((b"allow", b"POST"),))
SLOW = Problem(408, "slow", "the body did not arrive in time", _CLOSE)
TOO_LARGE = Problem(413, "too_large", "the body is longer than this receiver takes")
HEAD_TOO_LARGE = Problem(431, "head_too_large", "the path and the header fields are too long", _CLOSE)
OVERLOADED = Problem(503, "overloaded", "too many deliveries are in flight", _RETRY)
NOT_READY = Problem(503, "not_ready", "the log is not connected", _RETRY)
NOT_ACKNOWLEDGED = Problem(503, "no_ack", "the log did not acknowledge in time", _RETRY)
LOG_FAILED = Problem(503, "log_failed", "the log did not take the record", _RETRY)
STOPPING = Problem(503, "stopping", "this receiver is shutting down", _RETRY + _CLOSE)
TOO_MANY_CONNECTIONS = Problem(503, "too_many_connections", "too many connections are open", _RETRY + _CLOSE)

OUT_OF_SERVICE = Problem(503, "not_ready", "this process cannot do its work now", _RETRY)

_SIGNATURE_DETAILS = {
    "missing": "the signature header is missing",
    "malformed": "the signature header cannot be read",
    "mismatch": "no secret of this source has signed this body",
    "stale": "the signature is too old",
    "future": "the signature is ahead of this receiver's clock",
}

#: RFC 9110, 11.6.1 asks for a challenge with every 401.
_CHALLENGE = ((b"www-authenticate", b"Persona-Signature"),)

#: Reason → answer. Nothing of the header or the body is in it.
BAD_SIGNATURE = {reason: Problem(401, reason, detail, _CHALLENGE) for reason, detail in _SIGNATURE_DETAILS.items()}


class Refused(LedgerError):
    """A delivery that is not taken. Raised and caught inside the edge."""

    def __init__(self, problem: Problem, event_name: str | None = None) -> None:
        """`problem`: what the sender is told. `event_name`: of the body, where that was read by then."""
        super().__init__(problem.detail)
        self.problem = problem
        self.event_name = event_name


class Disconnected(LedgerError):
    """The sender went away before its body was whole: nothing was appended, and nobody waits for an answer."""
