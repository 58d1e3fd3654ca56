"""kafka-python's errors in the project's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from kafka import errors

from domain.errors import LedgerError, LogUnavailable, PositionError, TopicError

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


@contextmanager
def translated(bootstrap: str, topic: str) -> Iterator[None]:
    """KafkaError → LogUnavailable for what may pass, PositionError for a position that the log does not hold,
    TopicError for all else: somebody has to mend it."""
    try:
        yield
    except (errors.KafkaError, OSError) as error:
        raise explain(error, bootstrap, topic) from error


def explain(error: Exception, bootstrap: str, topic: str) -> LedgerError:
    """What an error of kafka-python means for us."""
    name = type(error).__name__
    if isinstance(error, errors.UnknownTopicOrPartitionError):
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
