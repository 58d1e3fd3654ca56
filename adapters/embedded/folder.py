"""A server's folder of data: one start at a time, the ports kept in it, and what its disk refuses."""

from __future__ import annotations

import errno
import fcntl
import os
import random
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from domain.errors import EmbeddedError

#: How long a server of a parent that died may take to let go of its folder.
_LET_GO_S = 30.0

#: Below the ports that Linux and macOS give to outgoing connections: a client that keeps trying while a server is
#: away would sooner or later be given the server's own port.
_PORTS = range(20_000, 32_000)


@contextmanager
def lock_folder(folder: Path, name: str) -> Iterator[IO[bytes]]:
    """Take `folder` for one start of `name`. The lock lasts while the file, or what inherited it, is open.

    EmbeddedError where another has it, or where the folder cannot be used.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("a+b", buffering=0)
    except OSError as error:
        raise disk_error(folder, error) from error
    with lock:
        _wait_for(lock, folder, name)
        with disk_errors(folder):
            lock.truncate(0)
            lock.write(str(os.getpid()).encode())
        yield lock


def _wait_for(lock: IO[bytes], folder: Path, name: str) -> None:
    """Where the owner has died, its server is on its way out: that is waited for."""
    deadline = time.monotonic() + _LET_GO_S
    while not _try_lock(lock):
        lock.seek(0)
        owner = lock.read().decode().strip()
        if (owner.isdigit() and is_alive(int(owner))) or time.monotonic() > deadline:
            raise EmbeddedError(
                f"{name} in {folder} is in use by process {owner or 'unknown'}: stop that one, or set LEDGER_DATA_DIR"
            )
        time.sleep(0.1)


def _try_lock(lock: IO[bytes]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_alive(pid: int) -> bool:
    """Whether there is such a process, be it another user's."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def disk_error(folder: Path, error: OSError) -> EmbeddedError:
    """`error` as the user can mend it."""
    return EmbeddedError(f"{folder} cannot be used ({error.strerror}): {_cure(error)}set LEDGER_DATA_DIR to another")


def _cure(error: OSError) -> str:
    return "make room there, or " if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """What the disk of `folder` refuses becomes EmbeddedError."""
    try:
        yield
    except OSError as error:
        raise disk_error(folder, error) from error


def keep_port(path: Path) -> int:
    """The port of the last start, kept in `path`, where it is still free; else another. EmbeddedError."""
    said = path.read_text().strip() if path.exists() else ""
    port = int(said) if said.isdigit() and 0 < int(said) < 65_536 else 0
    if not port or not is_free(port):
        port = _free_port()
        path.write_text(str(port))
    return port


def _free_port() -> int:
    for port in random.sample(_PORTS, 100):
        if is_free(port):
            return port
    raise EmbeddedError(f"no free port of 127.0.0.1 found between {_PORTS.start} and {_PORTS.stop}: stop some programs")


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback interface."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen()
        except OSError:
            return False
    return True


def is_listening(port: int) -> bool:
    """Whether something accepts connections on the port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
