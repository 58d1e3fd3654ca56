"""kafka-python 3.0.12 below its clients: sockets are closed, and a broker that refuses us is heard."""

from __future__ import annotations

from typing import Any

from kafka import errors
from kafka.net.inet import KafkaNetSocket, create_connection
from kafka.net.manager import KafkaConnectionManager
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport

from adapters.kafka_log.failure import is_refusal


class DirectSocket(KafkaNetSocket):
    """Connects as kafka-python does without a proxy, and closes what could not connect: kafka-python leaves it to the
    garbage collector, and a client that waits through a night makes thousands. Chosen as a "proxy"."""

    SCHEMES = ("direct",)

    async def sock_connect(self, net: Any, sock: Any, sockaddr: Any, timeout_at: float | None = None) -> Any:
        try:
            return await super().sock_connect(net, sock, sockaddr, timeout_at=timeout_at)  # type: ignore[no-untyped-call]
        except BaseException:
            sock.close()
            raise


class _HearsOut:
    """A transport that hands over what came before the other side hung up. kafka-python throws it away, and with it
    the broker's reason."""

    def _sock_recv(self) -> tuple[bytes, Exception | None]:
        received: tuple[bytes, Exception | None] = super()._sock_recv()  # type: ignore[misc]
        return (received[0], None) if received[0] else received


class _Plain(_HearsOut, KafkaTCPTransport):
    pass


class _Tls(_HearsOut, KafkaSSLTransport):
    pass


class Manager(KafkaConnectionManager):
    """Remembers why a broker refused a connection, and closes what it refused. kafka-python only logs the reason, goes
    on until its time is up, and leaves the socket to the garbage collector."""

    refusal: Exception | None = None

    async def _connect(self, node: Any, conn: Any, *more: Any, **said: Any) -> None:
        conn.init_future.add_errback(self._note)
        await super()._connect(node, conn, *more, **said)  # type: ignore[no-untyped-call]

    def _note(self, error: Exception) -> None:
        if is_refusal(error):
            self.refusal = error

    async def _build_transport(self, node: Any, timeout_at: float | None = None) -> Any:
        options, proxy = self.config["socket_options"], self.config["proxy_url"]
        sock = await create_connection(self._net, node.host, node.port, options, proxy_url=proxy, timeout_at=timeout_at)
        try:
            transport = self._wrap(sock, node.host)
            sock = transport._sock
            await transport.handshake()
        except OSError as error:  # as ssl.SSLError is
            sock.close()
            raise errors.KafkaConnectionError(f"handshake failed: {error}") from error
        return transport

    def _wrap(self, sock: Any, host: str) -> Any:
        if not self.ssl_enabled:
            return _Plain(self._net, sock, host=host)  # type: ignore[no-untyped-call]
        said = {name: value for name, value in self.config.items() if name.startswith("ssl_")}
        return _Tls(self._net, sock, host=host, **said)  # type: ignore[no-untyped-call]
