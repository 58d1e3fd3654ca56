"""Child processes of this same command, watched: when one ends, all do. And how a process is told to end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

from consumers import bootstrap
from consumers.bootstrap import Settings
from domain.errors import LedgerError

_GRACE_S = 15.0
_LOOK_EVERY_S = 0.1
_READY_WITHIN_S = 30.0

#: Tells a child that the other end of its standard input is its parent's life.
HELD = "INQUIRY_LEDGER_HELD_BY_STDIN"


class WorkerEnded(LedgerError):
    """A process that should run on has ended."""


class Workers:
    """Processes `inquiry-ledger <command>`, stopped in the opposite order of their start."""

    def __init__(self, config: Path | None, logs: Path | None = None) -> None:
        """`logs`: the folder for `<command>.log`, which holds what a process says; None: it says it on our stderr."""
        self._arguments = [f"--config={config}"] if config else []
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in reversed(self._running.values()):
            worker.terminate()
            _wait_or_kill(worker)

    def start(self, command: str, environ: Mapping[str, str]) -> None:
        """Start one. In a session of its own, so that Ctrl-C reaches it through us, when it is its turn."""
        line = [sys.executable, "-m", "consumers.cli", *self._arguments, command]
        with (self._log(command) or Path(os.devnull)).open("ab") as log:
            self._running[command] = subprocess.Popen(
                line,
                env={**environ, HELD: "1"},
                stdin=subprocess.PIPE,
                stderr=log if self._logs else None,
                start_new_session=True,
            )

    def _log(self, command: str) -> Path | None:
        return self._logs / f"{command}.log" if self._logs else None

    def _quote(self, command: str) -> str:
        """The last line of its log, where it has one."""
        log = self._log(command)
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log else []
        return f": {lines[-1]}" if lines else ""

    def watch(self, is_over: Callable[[], bool], timeout_s: float | None = None) -> None:
        """Return when `is_over`. WorkerEnded when one ends before, or the time is out."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while not is_over():
            for command, worker in self._running.items():
                if worker.poll() is not None:
                    raise WorkerEnded(f"`{command}` has ended with exit code {worker.returncode}{self._quote(command)}")
            if until is not None and time.monotonic() > until:
                raise WorkerEnded(f"{', '.join(self._running)}: not ready within {timeout_s:.0f} s")
            time.sleep(_LOOK_EVERY_S)


def _wait_or_kill(worker: subprocess.Popen[bytes]) -> None:
    """Its standard input stays open until it has ended: closing it would tell it to end once more."""
    try:
        worker.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()
    if worker.stdin is not None:
        worker.stdin.close()


def start_all(workers: Workers, settings: Settings, environ: Mapping[str, str]) -> str:
    """Start edge and projector on the servers of `settings`. Returns the webhook's URL once it takes deliveries."""
    workers.start("project", {**environ, **addresses(settings)})
    return start_edge(workers, settings, environ)


def start_edge(workers: Workers, settings: Settings, environ: Mapping[str, str]) -> str:
    """Start the edge, which is told no database. Returns the webhook's URL once it takes deliveries."""
    known = {name: value for name, value in environ.items() if name != "LEDGER_DATABASE_URL"}
    port = settings.edge_port or _find_port(settings.http_host)
    workers.start(
        "edge", {**known, "LEDGER_KAFKA_BOOTSTRAP": settings.kafka_bootstrap or "", "LEDGER_EDGE_PORT": str(port)}
    )
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.http_host, settings.http_host)  # noqa: S104 - asked
    workers.watch(lambda: _is_ready(host, port), timeout_s=_READY_WITHIN_S)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}{bootstrap.WEBHOOK_PATH}"


def addresses(settings: Settings) -> dict[str, str]:
    """Where Kafka and Postgres are, as variables."""
    return {
        "LEDGER_KAFKA_BOOTSTRAP": settings.kafka_bootstrap or "",
        "LEDGER_DATABASE_URL": settings.database_url or "",
    }


def _find_port(host: str) -> int:
    """A port that is free now."""
    with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        port: int = probe.getsockname()[1]
        return port


def _is_ready(host: str, port: int) -> bool:
    connection = HTTPConnection(host, port, timeout=_LOOK_EVERY_S * 20)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def on_stop(stop: Callable[[], None]) -> None:
    """Call `stop` on SIGTERM and SIGINT, and, in a child of `Workers`, when the parent has gone, however it went."""

    def handle(number: int, frame: FrameType | None) -> None:
        stop()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
    if os.environ.get(HELD):
        threading.Thread(target=_follow_parent, name="parent", daemon=True).start()


def _follow_parent() -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
