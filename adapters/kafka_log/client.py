"""Making kafka-python's clients, so that a broker which stays away costs neither files nor threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from kafka import errors
from kafka.net.compat import KafkaNetClient
from kafka.net.selector import NetworkSelector

from adapters.kafka_log.network import Manager

CLIENT_ID = "inquiry-ledger"

#: A broker that comes back is found again within this time, however long it was away.
RECONNECT_BACKOFF_MAX_MS = 1_000


class _Client(KafkaNetClient):
    """Closes every socket when it is closed. kafka-python leaves one open that it still had something to write to."""

    _manager: Manager

    def __init__(self, **said: Any) -> None:
        net = NetworkSelector(**said)
        super().__init__(net, Manager(net, **said), **said)  # type: ignore[no-untyped-call]

    @property
    def refusal(self) -> Exception | None:
        """Why a broker refused a connection, the last time one did."""
        return self._manager.refusal

    def close(self, node_id: Any = None) -> None:
        if node_id is None:
            for connection in list(self._manager._conns.values()):
                if connection.transport is not None and connection.transport._write_buffer:
                    connection.close(errors.Cancelled())
        super().close(node_id)  # type: ignore[no-untyped-call]


def connect(kind: Callable[..., Any], bootstrap: str, **config: Any) -> Any:
    """A client of this kind. Where its constructor fails, the thread and the sockets that it leaves behind are closed:
    who waits for a broker through a night makes thousands of them. KafkaError: where a broker refused us, its reason.
    OSError."""
    made: list[_Client] = []

    def keep(**said: Any) -> _Client:
        made.append(_Client(**said))
        return made[-1]

    settings = {"proxy_url": "direct://", **config}
    try:
        return kind(bootstrap_servers=bootstrap.split(","), kafka_client=keep, **settings)
    except BaseException as error:
        for client in made:
            client.close()
        if isinstance(error, errors.KafkaTimeoutError):
            _raise_refusal(made)
        raise


def _raise_refusal(clients: Iterable[_Client]) -> None:
    """Whose time was up while a broker refused it."""
    for client in clients:
        if client.refusal is not None:
            raise client.refusal
