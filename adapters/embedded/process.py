"""One server process under its supervisor, and what both servers share: start, stop, kill, start again."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from adapters.embedded.folder import disk_errors, is_alive, is_free, lock_folder
from domain.errors import EmbeddedError

Say = Callable[[str], None]

#: How long a server may take to be ready.
_READY_S = 60.0

#: What a supervisor may take beyond its server's time of grace.
_BEYOND_GRACE_S = 30.0

#: What tells why a server ended, the better one first: Java's root cause, Java's exception, Postgres's own words.
_REASONS = (
    re.compile(r"^Caused by: "),
    re.compile(r"^[\w.$]+(Exception|Error): "),
    re.compile(r"\b(FATAL|PANIC)\b"),
    re.compile(r"ERROR|error:"),
)


def be_silent(line: str) -> None:
    """The default `say`: nothing."""


@dataclass(frozen=True, slots=True)
class Spec:
    """What to run, and how to stop it."""

    command: Sequence[str]
    folder: str  #: the working directory
    log: str
    stop_signal: signal.Signals
    grace_s: float
    owner: tuple[int, int] | None = None  #: (uid, gid) where the server must not run as we do


class ServerProcess:
    """A running server. `pid` is the server's own."""

    def __init__(self, name: str, spec: Spec, lock: IO[bytes]) -> None:
        self.pid = 0
        self._name = name
        self._spec = spec
        # The supervisor inherits the lock: it is held until the server is gone, also when we are killed.
        self._supervisor = subprocess.Popen(
            [
                sys.executable,
                "-I",
                str(Path(__file__).with_name("supervisor.py")),
                json.dumps({**asdict(spec), "parent": os.getpid()}),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[lock.fileno()],
            start_new_session=True,  # Ctrl-C in a terminal is ours to handle, not the server's
        )
        assert self._supervisor.stdout is not None
        with self._supervisor.stdout as report:
            line = report.readline().decode().strip()
        if not line.isdigit():
            self._end(b"")
            raise EmbeddedError(f"{name} cannot be started: {line.removeprefix('error: ') or 'no supervisor'}")
        self.pid = int(line)

    def has_ended(self, timeout_s: float = 0.0) -> bool:
        """Whether the server ends by itself within this time."""
        try:
            self._supervisor.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def wait_until(self, is_ready: Callable[[], bool], timeout_s: float) -> None:
        """Wait until the server is ready; EmbeddedError with the end of its log where it dies or takes too long."""
        deadline = time.monotonic() + timeout_s
        while not is_ready():
            if self.has_ended(0.02):
                raise EmbeddedError(f"{self._name} ended while it was starting: {self._last_words()}")
            if time.monotonic() > deadline:
                raise EmbeddedError(f"{self._name} was not ready within {timeout_s:.0f} s: see {self._spec.log}")

    def stop(self) -> bool:
        """Stop the server as it likes to be stopped. False where it was not gone within its grace, and killed."""
        self._end(b"")
        return self._supervisor.returncode != -signal.SIGKILL % 256

    def kill(self) -> None:
        """SIGKILL to the server, as if its memory were gone at once."""
        self._end(b"k")

    def _end(self, word: bytes) -> None:
        assert self._supervisor.stdin is not None
        with suppress(BrokenPipeError), self._supervisor.stdin as pipe:
            pipe.write(word)
        if not self.has_ended(self._spec.grace_s + _BEYOND_GRACE_S):
            raise EmbeddedError(f"{self._name} (process {self.pid}) does not end: stop it by hand")

    def _last_words(self) -> str:
        log = Path(self._spec.log)
        said = find_reason(log.read_text(errors="replace")) if log.exists() else ""
        return f"{said or 'it said nothing'} (see {log})"


def find_reason(log: str) -> str:
    """The line of a log that best tells why its program ended, without what stands before the reason."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    for pattern in _REASONS:
        for line in reversed(lines):
            found = pattern.search(line)
            if found:
                return line[found.start() :].removeprefix("Caused by: ")[:300]
    return lines[-1][:300] if lines else ""


class EmbeddedServer(ABC):
    """One server on a folder of data. A context manager; what it adds to a `Spec` is up to the server."""

    name: str

    def __init__(self, data_dir: Path, *, say: Say = be_silent) -> None:
        self._folder = data_dir.absolute()
        self._say = say
        self._process: ServerProcess | None = None
        self._port = 0

    @property
    def pid(self) -> int:
        """The server's own process id."""
        if self._process is None:
            raise EmbeddedError(f"{self.name} is not running")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it was started, and neither stopped nor killed since."""
        return self._process is not None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start on the data that is there; the second time, on the same port. EmbeddedError."""
        self._clear_away()
        with lock_folder(self._folder, self.name) as lock, disk_errors(self._folder):
            spec = self._prepare()
            self._process = ServerProcess(self.name, spec, lock)
        try:
            self._process.wait_until(self._is_ready, _READY_S)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop in good order; nothing where it does not run."""
        process, self._process = self._process, None
        if process is not None and process.stop():
            self._after_stop()

    def kill(self) -> None:
        """SIGKILL; nothing where it does not run."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()

    def _clear_away(self) -> None:
        """A process of an earlier start, which ended by itself or was killed by its pid."""
        if self._process is not None:
            if not self._process.has_ended(1.0) and is_alive(self.pid):
                raise EmbeddedError(f"{self.name} is running already (process {self.pid}): stop it first")
            self.stop()

    def _claim_port(self, choose: Callable[[], int]) -> int:
        """The port of the first start, or a chosen one. EmbeddedError where another program took it meanwhile."""
        if self._port and not is_free(self._port):
            raise EmbeddedError(f"port {self._port} of {self.name} is in use by another program: stop that one")
        self._port = self._port or choose()
        return self._port

    @abstractmethod
    def _prepare(self) -> Spec:
        """What to run, after everything that it needs was made."""

    def _after_stop(self) -> None:  # noqa: B027 - most have nothing to do
        """Once the server has ended in good order."""

    @abstractmethod
    def _is_ready(self) -> bool:
        """Whether clients can work now."""
