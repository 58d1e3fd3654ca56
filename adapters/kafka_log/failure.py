"""kafka-python's errors in the project's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from kafka import errors

from domain.errors import LogUnavailable, TopicError

Security = Mapping[str, object]

_FORBIDDEN = (
    errors.TopicAuthorizationFailedError,
    errors.GroupAuthorizationFailedError,
    errors.ClusterAuthorizationFailedError,
    errors.SaslAuthenticationFailedError,
)


@contextmanager
def translated(bootstrap: str, topic: str) -> Iterator[None]:
    """KafkaError → TopicError for what the user must mend, LogUnavailable for what may pass. What a rebalance
    callback raised, and kafka-python wrapped, comes out as it was."""
    try:
        yield
    except errors.UnknownTopicOrPartitionError as error:
        raise missing_topic(topic) from error
    except _FORBIDDEN as error:
        raise TopicError(
            f"Kafka at {bootstrap} refuses us ({type(error).__name__}): check LEDGER_KAFKA_SECURITY_… and the ACLs"
        ) from error
    except (errors.KafkaError, OSError) as error:
        if error.__cause__ is not None and not isinstance(error.__cause__, (errors.KafkaError, OSError)):
            raise error.__cause__ from None
        raise LogUnavailable(f"Kafka at {bootstrap} does not answer ({type(error).__name__})") from error


def missing_topic(topic: str) -> TopicError:
    """What to do where the topic is not there."""
    return TopicError(f"topic {topic} does not exist: run `inquiry-ledger migrate`, or set LEDGER_TOPIC")
