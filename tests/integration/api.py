"""The read API as its command runs it, in a thread: on its own server, over a real ledger."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from adapters.ledger.notice import notices
from adapters.ledger.query import LedgerQuery
from adapters.settings import Settings
from adapters.web.api.app import build_api
from adapters.web.api.protocol import ApiProtocol
from adapters.web.server import Address, WebServer, listen
from consumers.bootstrap.reading import api
from tests.integration.scene import PATIENCE_S, Scene
from tests.sites import parts_over


class QuickProtocol(ApiProtocol):
    """Loses patience soon."""

    read_within_s = 0.5


@contextmanager
def serving(url: str, topic: str, **changed: Any) -> Iterator[str]:
    """Over a ledger whose log nobody has: where it listens. `changed`: parts that are others."""
    query = LedgerQuery(url, topic, max_size=4)
    given = {"notices": lambda: notices(url), "connect": lambda: query, "topic": topic, "clock": time.time}
    given |= changed
    app = build_api(parts_over(query, **given))
    with _running(
        WebServer(app, listen(Address("127.0.0.1", 0, "LEDGER_API_PORT")), QuickProtocol, app.stop)
    ) as address:
        yield address


@contextmanager
def serving_scene(scene: Scene, **said: Any) -> Iterator[str]:
    """Over the ledger and the log of a scene, wired as the command `api` is. `said`: further settings."""
    settings = Settings(
        kafka_bootstrap=scene.bootstrap, database_url=scene.url, topic=scene.topic, api_port=0, edge_port=1, **said
    )
    with api(settings) as server, _running(server) as address:
        yield address


@contextmanager
def _running(server: WebServer) -> Iterator[str]:
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server.url
    finally:
        server.stop()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def events(stream: httpx.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    """(id, row) of each server-sent event, as they come."""
    cursor = ""
    for line in stream.iter_lines():
        name, _, value = line.partition(": ")
        if name == "id":
            cursor = value
        elif name == "data":
            yield cursor, json.loads(value)


def connect(url: str, path: str, fields: str = "", receive_buffer: int | None = None) -> socket.socket:
    """A connection that has sent a GET, and reads nothing yet."""
    address, port = url.removeprefix("http://").split(":")
    connection = socket.socket()
    if receive_buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.connect((address, int(port)))
    connection.settimeout(PATIENCE_S)
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n".encode())
    return connection
