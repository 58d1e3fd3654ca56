"""The embedded servers: real ones, kept on one folder, and gone with the process that started them."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from adapters.embedded import jars
from adapters.embedded.kafka import EmbeddedKafka, warm_cache
from adapters.embedded.postgres import EmbeddedPostgres, bin_dir
from adapters.embedded.process import EmbeddedServer
from adapters.kafka_log.append import KafkaAppender
from adapters.kafka_log.topic import KafkaTopic
from domain.errors import EmbeddedError

TOPIC = "kept"

PARENT = """
import os, sys, time
from pathlib import Path
from adapters.embedded.kafka import EmbeddedKafka
from adapters.embedded.postgres import EmbeddedPostgres

folder, forks = Path(sys.argv[1]), sys.argv[2] == "forks"
servers = [EmbeddedPostgres(folder / "postgres")] + ([] if forks else [EmbeddedKafka(folder / "kafka")])
for server in servers:
    server.start()
child = os.fork() if forks else 0
if forks and child == 0:
    time.sleep(60)
    os._exit(0)
print(child, *(server.pid for server in servers), flush=True)
time.sleep(60)
"""


@pytest.fixture(scope="module")
def folder(data_dir: Path) -> Path:
    """For the servers of this file, which are stopped and killed."""
    return data_dir / "embedded"


@pytest.fixture(scope="module")
def broker(folder: Path) -> Iterator[EmbeddedKafka]:
    """A broker of our own, with one record in a topic."""
    with EmbeddedKafka(folder / "kafka") as server:
        with KafkaTopic(server.bootstrap, TOPIC) as topic:
            topic.create(1)
        append(server)
        yield server


@pytest.fixture(scope="module")
def database(folder: Path) -> Iterator[EmbeddedPostgres]:
    """A Postgres of our own, with one row in a table."""
    with EmbeddedPostgres(folder / "postgres") as server:
        execute(server, "CREATE TABLE kept AS SELECT 1 AS number")
        yield server


def append(server: EmbeddedKafka) -> None:
    appender = KafkaAppender(server.bootstrap, TOPIC)
    appender.wait_ready(10)
    appender.append(b"key", b"value", []).result(10)
    appender.close()


def records(server: EmbeddedKafka) -> tuple[str, str, int]:
    """(cluster id, topic id, end of the topic's one partition)."""
    with KafkaTopic(server.bootstrap, TOPIC) as topic:
        state = topic.inspect()
    return state.cluster_id, state.topic_id, state.offsets[0][1]


def execute(server: EmbeddedPostgres, statement: str) -> None:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(statement)


def ask(server: EmbeddedPostgres, query: str) -> object:
    with psycopg.connect(server.url) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def is_running(pid: int) -> bool:
    """Its supervisor takes leave of a server that has ended, so none is left as a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(is_true: Callable[[], bool], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_kafka_goes_on_where_it_was_stopped_or_killed(broker: EmbeddedKafka) -> None:
    before, bootstrap, pid = records(broker), broker.bootstrap, broker.pid
    broker.stop()
    assert not is_running(pid)
    broker.start()
    assert (records(broker), broker.bootstrap) == (before, bootstrap)
    append(broker)
    broker.kill()
    broker.start()
    assert records(broker) == (*before[:2], before[2] + 1)


def test_postgres_goes_on_where_it_was_stopped_or_killed(database: EmbeddedPostgres) -> None:
    url, pid = database.url, database.pid
    database.stop()
    assert not is_running(pid)
    database.start()
    assert ask(database, "SELECT sum(number) FROM kept") == 1
    execute(database, "INSERT INTO kept VALUES (2)")
    database.kill()
    database.start()
    assert ask(database, "SELECT sum(number) FROM kept") == 3
    assert database.url == url


def test_postgres_starts_again_once_the_sessions_of_a_killed_postmaster_are_gone(database: EmbeddedPostgres) -> None:
    """A busy session outlives its postmaster, and nobody may start on their shared memory: Postgres would refuse."""
    with psycopg.connect(database.url) as session:
        backend = session.info.backend_pid
        os.kill(backend, signal.SIGSTOP)
        threading.Timer(1.5, os.kill, (backend, signal.SIGCONT)).start()
        os.kill(database.pid, signal.SIGKILL)
        database.start()
    assert ask(database, "SELECT count(*) FROM kept") is not None


def test_a_frozen_server_can_be_stopped(database: EmbeddedPostgres) -> None:
    pid = database.pid
    os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    database.stop()
    assert time.monotonic() - began < 10  # it has 15 s before it is killed
    assert not is_running(pid)
    database.start()


def test_postgres_keeps_to_its_promises(database: EmbeddedPostgres) -> None:
    settings = {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "password_encryption": "scram-sha-256",
        "server_encoding": "UTF8",
        "lc_messages": "C",
        "TimeZone": "UTC",
        "max_connections": "100",
    }
    assert {name: ask(database, f"SHOW {name}") for name in settings} == settings
    assert ask(database, "SELECT datcollate FROM pg_database WHERE datname = 'ledger'") == "C"
    assert str(ask(database, "SHOW server_version")).startswith("18.")
    assert (bin_dir() / "pg_dump").exists()


def test_postgres_wants_its_password(database: EmbeddedPostgres, folder: Path) -> None:
    password = (folder / "postgres" / "password").read_text()
    assert password in database.url
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(database.url.replace(password, "guessed"))
    assert (folder / "postgres" / "password").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(("name", "server_type"), [("kafka", EmbeddedKafka), ("postgres", EmbeddedPostgres)])
def test_a_second_start_on_the_same_folder_is_refused(
    broker: EmbeddedKafka, database: EmbeddedPostgres, folder: Path, name: str, server_type: type[EmbeddedServer]
) -> None:
    with pytest.raises(EmbeddedError, match=f"in use by process {os.getpid()}: stop that one"):
        server_type(folder / name).start()
    with pytest.raises(EmbeddedError, match="is running already"):
        {"kafka": broker, "postgres": database}[name].start()


def test_a_port_that_another_program_took_meanwhile_is_named(database: EmbeddedPostgres) -> None:
    port = int(database.url.rsplit(":", 1)[1].split("/")[0])
    database.stop()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(EmbeddedError, match=f"port {port} of PostgreSQL is in use by another program"):
            database.start()
    database.start()


def test_a_server_that_ends_while_it_starts_says_why(folder: Path) -> None:
    with EmbeddedPostgres(folder / "old"):
        pass
    (folder / "old" / "data" / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedError, match=r"ended while it was starting: FATAL: .* are incompatible"):
        EmbeddedPostgres(folder / "old").start()


def start_parent(folder: Path, *, forks: bool) -> tuple[subprocess.Popen[str], list[int]]:
    """A process of its own that starts servers; with it the pids of its fork, or 0, and of the servers."""
    command = [sys.executable, "-c", PARENT, str(folder), "forks" if forks else ""]
    parent = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )
    assert parent.stdout is not None
    with parent.stdout as report:
        return parent, [int(word) for word in report.readline().split()]


def test_both_servers_end_when_their_parent_is_killed(folder: Path) -> None:
    parent, (_, *servers) = start_parent(folder / "orphans", forks=False)
    assert all(map(is_running, servers))
    parent.kill()
    parent.wait()
    with EmbeddedPostgres(folder / "orphans" / "postgres") as successor:  # waits until the folder is let go
        assert successor.pid not in servers
    wait_until(lambda: not any(map(is_running, servers)), 10)


def test_a_fork_of_the_parent_does_not_keep_a_server_up(folder: Path) -> None:
    parent, (child, server) = start_parent(folder / "forked", forks=True)
    parent.kill()
    parent.wait()
    try:
        wait_until(lambda: not is_running(server), 10)
        assert is_running(child)
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_changed_jar_stops_the_start(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for jar in jars.fetch_jars(lambda _: None):
        shutil.copy(jar, tmp_path)
    with (tmp_path / "kafka-clients-4.3.1.jar").open("ab") as jar_file:
        jar_file.write(b"\0")
    monkeypatch.setattr(jars, "cache_dir", lambda: tmp_path)
    with pytest.raises(EmbeddedError, match=r"kafka-clients-4\.3\.1\.jar is not the file that this project pins"):
        EmbeddedKafka(folder / "changed").start()


def test_without_a_network_and_a_cache_the_error_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(jars, "cache_dir", lambda: tmp_path / "cache")
    monkeypatch.setenv("M2_REPO", str(tmp_path / "repository"))
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")  # nobody listens there
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    said: list[str] = []
    with pytest.raises(EmbeddedError, match=r"cannot be downloaded \(\w+\): check the network, .*KAFKA_BOOTSTRAP"):
        warm_cache(said.append)
    assert len(said) == 1
    assert not (tmp_path / "cache").exists()
