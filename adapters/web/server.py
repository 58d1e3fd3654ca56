"""Runs an ASGI application on uvicorn (uvloop, httptools): binds with clear errors, stops without losing a request."""

from __future__ import annotations

import errno
import gc
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NamedTuple

import uvicorn
from starlette.types import ASGIApp

from adapters.web.protocol import BoundedProtocol
from domain.errors import SettingsError

_BACKLOG = 2048

#: More than a load balancer keeps an idle connection (60 s is common), so that it is the one to close it.
_KEEP_ALIVE_S = 75

#: For requests that are being answered when the process is told to stop; then they get 503.
_GRACE_S = 10

#: Objects made and not freed, by generation (Python's own: 700, 10, 10).
_COLLECT_AFTER = (20_000, 20, 50)


class Address(NamedTuple):
    """Where to listen, and the variables that say so, for errors."""

    host: str
    port: int
    port_variable: str
    host_variable: str = "LEDGER_HTTP_HOST"


def listen(address: Address) -> socket.socket:
    """A listening socket; port 0 takes any free one. SettingsError names the variable to change."""
    try:
        found = socket.getaddrinfo(address.host or None, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise SettingsError(address.host_variable, f"{address.host} is not an address of this machine") from error
    family, _, _, _, where = found[0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(where)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise _cannot_bind(address, error) from error
    return listener


def _cannot_bind(address: Address, error: OSError) -> SettingsError:
    if isinstance(error, PermissionError):
        return SettingsError(address.port_variable, f"this user may not listen on port {address.port}")
    if error.errno == errno.EADDRINUSE:
        return SettingsError(
            address.port_variable, f"port {address.port} of {address.host} is in use: free it, or choose another"
        )
    return SettingsError(address.host_variable, f"{address.host} is not an address of this machine")


class WebServer:
    """One application on one socket."""

    def __init__(
        self,
        app: ASGIApp,
        listener: socket.socket,
        protocol: type[BoundedProtocol] = BoundedProtocol,
        before_stop: Callable[[], None] | None = None,
    ) -> None:
        """`before_stop`: of an application with a lifespan, called in its loop before the server waits for requests
        that are being answered; None: the application has no lifespan."""
        self._listener = listener
        self._server = _Server(
            before_stop or _wait_for_all,
            uvicorn.Config(
                app,
                loop="uvloop",
                http=protocol,
                ws="none",
                lifespan="on" if before_stop else "off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                backlog=_BACKLOG,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=_GRACE_S,
            ),
        )

    @property
    def url(self) -> str:
        """`http://host:port`, with the port that was taken."""
        host, port = self._listener.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT (where this is the main thread) or `stop`: accepts no more, answers what it
        has, closes the socket and returns. A second SIGINT does not wait."""
        with _collecting_seldom():
            self._server.run([self._listener])

    def stop(self) -> None:
        """Make `run` return. From any thread."""
        self._server.should_exit = True


@contextmanager
def _collecting_seldom() -> Iterator[None]:
    """A request leaves no cycles behind, but makes many objects: with Python's own thresholds the collector takes a
    ninth of the time. What is there before the first request is never looked at."""
    thresholds = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def _wait_for_all() -> None:
    """Nobody is let go."""


class _Server(uvicorn.Server):
    """Does not raise the signal again after it has stopped: the caller has a log to close."""

    def __init__(self, before_stop: Callable[[], None], config: uvicorn.Config) -> None:
        super().__init__(config)
        self._before_stop = before_stop

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._before_stop()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True
