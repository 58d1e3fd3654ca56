"""Making kafka-python's clients, so that a broker which stays away costs neither files nor threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kafka import errors
from kafka.net.compat import KafkaNetClient
from kafka.net.inet import KafkaNetSocket

CLIENT_ID = "inquiry-ledger"

#: A broker that comes back is found again within this time, however long it was away.
RECONNECT_BACKOFF_MAX_MS = 1_000


class _DirectSocket(KafkaNetSocket):
    """Connects as kafka-python does without a proxy, and closes what could not connect: kafka-python 3.0.12 leaves it
    to the garbage collector, and a client that waits through a night makes thousands. Chosen as a "proxy"."""

    SCHEMES = ("direct",)

    async def sock_connect(self, net: Any, sock: Any, sockaddr: Any, timeout_at: float | None = None) -> Any:
        try:
            return await super().sock_connect(net, sock, sockaddr, timeout_at=timeout_at)  # type: ignore[no-untyped-call]
        except BaseException:
            sock.close()
            raise


class _Client(KafkaNetClient):
    """Closes every socket when it is closed. kafka-python leaves one open that it still had something to write to."""

    def close(self, node_id: Any = None) -> None:
        if node_id is None:
            for connection in list(self._manager._conns.values()):
                if connection.transport is not None and connection.transport._write_buffer:
                    connection.close(errors.Cancelled())
        super().close(node_id)  # type: ignore[no-untyped-call]


def connect(kind: Callable[..., Any], bootstrap: str, **config: Any) -> Any:
    """A client of this kind. Where its constructor fails, the thread and the sockets that it leaves behind are closed:
    who waits for a broker through a night makes thousands of them. KafkaError, OSError."""
    made: list[_Client] = []

    def keep(*arguments: Any, **said: Any) -> _Client:
        made.append(_Client(*arguments, **said))  # type: ignore[no-untyped-call]
        return made[-1]

    settings = {"proxy_url": "direct://", **config}
    try:
        return kind(bootstrap_servers=bootstrap.split(","), kafka_client=keep, **settings)
    except BaseException:
        for client in made:
            client.close()
        raise
