"""Making kafka-python's clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kafka.net.compat import KafkaNetClient


def connect(kind: Callable[..., Any], bootstrap: str, **config: Any) -> Any:
    """A client of this kind. Where its constructor fails, the thread and the sockets that it leaves behind are closed:
    who waits for a broker through a night makes thousands of them. KafkaError, OSError."""
    made: list[KafkaNetClient] = []

    def keep(*arguments: Any, **said: Any) -> KafkaNetClient:
        made.append(KafkaNetClient(*arguments, **said))
        return made[-1]

    try:
        return kind(bootstrap_servers=bootstrap.split(","), kafka_client=keep, **config)
    except BaseException:
        for client in made:
            client.close()
        raise
