"""A folder of data belongs to one start at a time, keeps its ports, and says why a server ended."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from adapters.embedded.folder import disk_error, is_free, is_listening, keep_port, lock_folder
from adapters.embedded.process import find_reason
from domain.errors import EmbeddedError


@contextmanager
def listening() -> Iterator[int]:
    """Another program's port."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_folder_in_use_names_the_process_that_has_it(tmp_path: Path) -> None:
    with (
        lock_folder(tmp_path, "Kafka"),
        pytest.raises(EmbeddedError, match=rf"in use by process {os.getpid()}: stop that one, or set LEDGER_DATA_DIR"),
        lock_folder(tmp_path, "Kafka"),
    ):
        pass


def test_a_folder_that_was_let_go_can_be_had_again(tmp_path: Path) -> None:
    with lock_folder(tmp_path, "Kafka"):
        pass
    with lock_folder(tmp_path, "Kafka") as lock:
        lock.seek(0)
        assert lock.read() == str(os.getpid()).encode()


def test_the_server_of_an_owner_that_died_is_waited_for(tmp_path: Path) -> None:
    """The lock is held by a process that is not the owner it names, and goes after a while."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    with (tmp_path / "lock").open("w") as held:
        held.write(str(dead.pid))
        held.flush()
        fcntl.flock(held, fcntl.LOCK_EX)
        going = subprocess.Popen([sys.executable, "-c", "import sys, time; time.sleep(0.5)"], pass_fds=[held.fileno()])
    with lock_folder(tmp_path, "Kafka"):
        assert going.wait() == 0


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(EmbeddedError, match=r"file/data cannot be used \(.+\): set LEDGER_DATA_DIR to another"),
        lock_folder(tmp_path / "file" / "data", "Kafka"),
    ):
        pass


def test_only_a_full_disk_asks_for_room(tmp_path: Path) -> None:
    assert "make room" in str(disk_error(tmp_path, OSError(28, "No space left on device")))
    assert "make room" not in str(disk_error(tmp_path, OSError(13, "Permission denied")))


def test_a_port_is_kept(tmp_path: Path) -> None:
    port = keep_port(tmp_path / "port")
    assert keep_port(tmp_path / "port") == port
    assert is_free(port)
    assert not is_listening(port)


def test_a_port_that_another_program_took_is_replaced(tmp_path: Path) -> None:
    with listening() as taken:
        (tmp_path / "port").write_text(str(taken))
        port = keep_port(tmp_path / "port")
        assert is_listening(taken)
        assert not is_free(taken)
    assert port != taken
    assert (tmp_path / "port").read_text() == str(port)


@pytest.mark.parametrize("said", ["", "0", "65536", "-1", "x"])
def test_a_port_cut_short_is_replaced(tmp_path: Path, said: str) -> None:
    (tmp_path / "port").write_text(said)
    assert 1024 < keep_port(tmp_path / "port") < 65_536


def test_java_tells_its_root_cause() -> None:
    log = "ERROR Exiting\norg.x.KafkaException: no\n\tat x\nCaused by: java.net.BindException: in use\n\tat y"
    assert find_reason(log) == "java.net.BindException: in use"


def test_java_tells_its_exception_where_it_has_no_cause() -> None:
    assert find_reason("ERROR Exiting (kafka.Kafka$)\njava.lang.RuntimeException: other id\n\tat x\nINFO bye") == (
        "java.lang.RuntimeException: other id"
    )


def test_postgres_tells_what_was_fatal() -> None:
    assert find_reason("2026-01-01 UTC [1] FATAL:  no disk\n2026-01-01 UTC [1] LOG:  shut down\n") == "FATAL:  no disk"


def test_without_a_reason_the_last_line_is_told() -> None:
    assert find_reason("one\n\ntwo\n\n") == "two"
    assert find_reason("\n") == ""
