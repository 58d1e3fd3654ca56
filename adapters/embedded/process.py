"""One server process under its supervisor, and one start at a time for a folder of data."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from domain.errors import EmbeddedError

Say = Callable[[str], None]

#: How long a server of a parent that died may take to let go of its folder.
_LET_GO_S = 20.0
_STOP_S = 30.0


def be_silent(line: str) -> None:
    """The default `say`: nothing."""


@dataclass(frozen=True, slots=True)
class Spec:
    """What to run, and how to stop it."""

    name: str
    command: Sequence[str]
    log: Path
    stop_signal: signal.Signals
    grace_s: float
    environment: Mapping[str, str] = field(default_factory=dict)
    owner: tuple[int, int] | None = None  #: (uid, gid) where the server must not run as we do

    def to_json(self) -> str:
        """As the supervisor reads it."""
        return json.dumps(
            {
                "command": list(self.command),
                "environment": dict(self.environment),
                "log": str(self.log),
                "stop_signal": int(self.stop_signal),
                "grace_s": self.grace_s,
                "owner": self.owner,
            }
        )


class ServerProcess:
    """A running server. `pid` is the server's own."""

    def __init__(self, spec: Spec, lock: IO[str]) -> None:
        self._spec = spec
        # The supervisor inherits the lock: it is held until the server is gone, also when we are killed.
        self._supervisor = subprocess.Popen(
            [sys.executable, "-I", str(Path(__file__).with_name("supervisor.py")), spec.to_json()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[lock.fileno()],
            start_new_session=True,  # Ctrl-C in a terminal is ours to handle, not the server's
        )
        assert self._supervisor.stdout is not None
        line = self._supervisor.stdout.readline()
        if not line:
            raise EmbeddedError(f"{spec.name} cannot be started: {spec.command[0]} does not run here")
        self.pid = int(line)

    def wait_until(self, is_ready: Callable[[], bool], timeout_s: float) -> None:
        """Wait until the server is ready; EmbeddedError with the end of its log where it dies or takes too long."""
        deadline = time.monotonic() + timeout_s
        while not is_ready():
            if self._supervisor.poll() is not None:
                raise EmbeddedError(f"{self._spec.name} ended while it was starting: {self._last_words()}")
            if time.monotonic() > deadline:
                self.stop()
                raise EmbeddedError(f"{self._spec.name} was not ready within {timeout_s:.0f} s: see {self._spec.log}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server as it likes to be stopped; it is killed after its time of grace."""
        assert self._supervisor.stdin is not None
        assert self._supervisor.stdout is not None
        self._supervisor.stdin.close()
        self._supervisor.wait(self._spec.grace_s + _STOP_S)
        self._supervisor.stdout.close()

    def kill(self) -> None:
        """SIGKILL to the server, as a power cut would."""
        os.kill(self.pid, signal.SIGKILL)
        self.stop()

    def _last_words(self) -> str:
        lines = self._spec.log.read_text(errors="replace").strip().splitlines() if self._spec.log.exists() else []
        return f"{lines[-1].strip()[:200]} (see {self._spec.log})" if lines else f"it said nothing ({self._spec.log})"


def lock_folder(folder: Path, name: str) -> IO[str]:
    """Take `folder` for one start of `name`; keep the returned file open. EmbeddedError where another has it."""
    path = folder / "lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = path.open("a+")
    except OSError as error:
        raise EmbeddedError(f"{name} cannot use {folder}: {error.strerror}; set LEDGER_DATA_DIR") from error
    deadline = time.monotonic() + _LET_GO_S
    while not _try_lock(lock):
        lock.seek(0)
        owner = lock.read().strip()
        if _is_alive(owner) or time.monotonic() > deadline:
            lock.close()
            raise EmbeddedError(
                f"{name} in {folder} is in use by process {owner or 'unknown'}: stop that one, or set LEDGER_DATA_DIR"
            )
        time.sleep(0.1)
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def _try_lock(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_alive(pid: str) -> bool:
    if not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def keep_port(path: Path) -> int:
    """The port of the last start, kept in `path`, where it is still free; else another."""
    if path.exists():
        port = int(path.read_text())
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                port = free_port()
    else:
        port = free_port()
    path.write_text(str(port))
    return port


def is_listening(port: int) -> bool:
    """Whether something accepts connections on the port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
