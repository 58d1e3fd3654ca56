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
from typing import NamedTuple, Self

from consumers.bootstrap import Settings
from consumers.cli.output import say
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

    def end(self, command: str) -> float:
        """End one before the others. Returns the most memory it has had, in MB."""
        worker = self._running.pop(command)
        worker.terminate()
        _, status, used = os.wait4(worker.pid, 0)
        worker.returncode = os.waitstatus_to_exitcode(status)
        _wait_or_kill(worker)
        return used.ru_maxrss / (1_048_576 if sys.platform == "darwin" else 1_024)

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


class Urls(NamedTuple):
    """Where the processes listen: `http://host:port`."""

    edge: str
    api: str


def start_all(workers: Workers, settings: Settings, environ: Mapping[str, str]) -> Urls:
    """Start edge, projector and read API on the servers of `settings`, all at once. Returns once they take requests."""
    workers.start("project", {**environ, **addresses(settings)})
    edge = _launch_edge(workers, settings, environ)
    api = _launch_api(workers, settings, {**environ, "LEDGER_EDGE_PORT": str(edge.port)})  # its page asks the edge
    return Urls(edge.wait(workers), api.wait(workers))


def start_edge(workers: Workers, settings: Settings, environ: Mapping[str, str]) -> str:
    """Start the edge alone. Returns its URL once it takes deliveries."""
    return _launch_edge(workers, settings, environ).wait(workers)


def start_api(workers: Workers, settings: Settings, environ: Mapping[str, str]) -> str:
    """Start the read API alone. Returns its URL once it takes requests."""
    return _launch_api(workers, settings, environ).wait(workers)


class _Launched(NamedTuple):
    host: str
    port: int
    path: str

    def wait(self, workers: Workers) -> str:
        """Until it answers `path` with 200; its URL."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - asked
        workers.watch(lambda: _answers(host, self.port, self.path), timeout_s=_READY_WITHIN_S)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


def _launch_edge(workers: Workers, settings: Settings, environ: Mapping[str, str]) -> _Launched:
    """The edge is told no database."""
    known = {name: value for name, value in environ.items() if name != "LEDGER_DATABASE_URL"}
    port = settings.edge_port or _find_port(settings.http_host)
    workers.start(
        "edge", {**known, "LEDGER_KAFKA_BOOTSTRAP": settings.kafka_bootstrap or "", "LEDGER_EDGE_PORT": str(port)}
    )
    return _Launched(settings.http_host, port, "/readyz")


def _launch_api(workers: Workers, settings: Settings, environ: Mapping[str, str]) -> _Launched:
    """Not waited for until it is ready: a ledger that is far behind its log is not, and people want to see that."""
    port = settings.api_port or _find_port(settings.http_host)
    workers.start("api", {**environ, **addresses(settings), "LEDGER_API_PORT": str(port)})
    return _Launched(settings.http_host, port, "/livez")


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


def _answers(host: str, port: int, path: str) -> bool:
    connection = HTTPConnection(host, port, timeout=_LOOK_EVERY_S * 20)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def say_where(line: str) -> None:
    """On stderr; not in a child of `Workers`, whose parent says it."""
    if not os.environ.get(HELD):
        say(line)


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
