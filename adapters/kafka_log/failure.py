"""kafka-python's errors in the project's words."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from kafka import errors

from adapters.kafka_log.decision_record import DECISIONS_TOPIC
from domain.errors import LedgerError, LogUnavailable, PositionError, SettingsError, TopicError

Security = Mapping[str, object]

_POSITION_LOST = (errors.OffsetOutOfRangeError, errors.NoOffsetForPartitionError, errors.LogTruncationError)

#: What may be otherwise the next time.
_PASSING = (
    errors.RetriableError,
    errors.BrokerNotAvailableError,
    errors.IllegalGenerationError,
    errors.KafkaProtocolError,
    errors.RebalanceInProgressError,
    errors.UnknownBrokerIdError,
    errors.UnknownError,
    errors.UnknownMemberIdError,
    OSError,
)


#: Why a broker does not let us in, and the variable that says otherwise.
_REFUSED: Mapping[type[Exception], tuple[str, str]] = {
    errors.SaslAuthenticationFailedError: ("SASL_PLAIN_PASSWORD", "refuses this user or password"),
    errors.UnsupportedSaslMechanismError: ("SASL_MECHANISM", "does not take this mechanism"),
    errors.IllegalSaslStateError: ("PROTOCOL", "asks for no user and password there"),
}

#: A broker that ends in the middle of a handshake, as one does that is stopped, or speaks no TLS.
_CUT_OFF = (ssl.SSLEOFError, ssl.SSLZeroReturnError)

_VARIABLES = "LEDGER_KAFKA_SECURITY_"


def is_refusal(error: Exception) -> bool:
    """Whether a connection failed for a reason that stays until somebody mends a setting, here or there."""
    return type(error) in _REFUSED or (
        isinstance(error.__cause__, ssl.SSLError) and type(error.__cause__) not in _CUT_OFF
    )


@contextmanager
def translated(bootstrap: str, topic: str) -> Iterator[None]:
    """KafkaError → LogUnavailable for what may pass, PositionError for a position that the log does not hold,
    SettingsError where we are not let in, TopicError for all else: somebody has to mend it."""
    try:
        yield
    except (errors.KafkaError, OSError) as error:
        raise explain(error, bootstrap, topic) from error


def explain(error: Exception, bootstrap: str, topic: str) -> LedgerError:
    """What an error of kafka-python means for us."""
    if is_refusal(error):
        return _explain_refusal(error, bootstrap)
    name = type(error).__name__
    if isinstance(error, errors.UnknownTopicOrPartitionError):
        if topic == DECISIONS_TOPIC:  # which no setting names
            return TopicError(f"topic {topic} does not exist: run `inquiry-ledger migrate`")
        return TopicError(f"topic {topic} does not exist: run `inquiry-ledger migrate`, or set LEDGER_TOPIC")
    if isinstance(error, _POSITION_LOST):
        return PositionError(
            f"topic {topic}: the log does not hold the ledger's position ({name}): records were removed, or the log "
            "was restored from an older copy. Nothing is skipped: bring the records back, or `reset` and make the "
            "ledger from what is left."
        )
    if isinstance(error, _PASSING):
        return LogUnavailable(f"Kafka at {bootstrap} does not answer ({name})")
    return TopicError(
        f"Kafka at {bootstrap} refuses topic {topic} ({name}): see LEDGER_KAFKA_SECURITY_…, the ACLs, its log"
    )


def _explain_refusal(error: Exception, bootstrap: str) -> SettingsError:
    cause = error.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        problem = f"the certificate of Kafka at {bootstrap} is not trusted ({cause.verify_message.rstrip('.')})"
        return SettingsError(f"{_VARIABLES}SSL_CAFILE", problem)
    if isinstance(cause, ssl.SSLError):
        return SettingsError(f"{_VARIABLES}SSL_…", f"TLS with Kafka at {bootstrap} fails ({cause.reason})")
    variable, problem = _REFUSED[type(error)]
    return SettingsError(_VARIABLES + variable, f"Kafka at {bootstrap} {problem}")
