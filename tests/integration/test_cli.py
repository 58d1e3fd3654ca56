"""The commands on a real Kafka and a real Postgres, as an operator runs them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psycopg
import pytest

from adapters.embedded.kafka import EmbeddedKafka
from adapters.ledger.read import LedgerReader
from domain.event import format_time

SECRET = "wbhsec_of-this-test"


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Operator(NamedTuple):
    """Runs commands with these settings."""

    environ: dict[str, str]

    def run(self, *arguments: str, **said: str) -> Done:
        done = subprocess.run(
            self._line(arguments), env=self._environ(said), capture_output=True, text=True, timeout=90
        )
        return Done(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """A process that runs on; stopped at the end by SIGTERM."""
        pipe = subprocess.PIPE
        with subprocess.Popen(self._line(arguments), env=self.environ, stdout=pipe, stderr=pipe, text=True) as process:
            yield process
            process.terminate()

    def _line(self, arguments: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "consumers.cli", *arguments]

    def _environ(self, said: dict[str, str]) -> dict[str, str]:
        return {**self.environ, **{f"LEDGER_{name}": value for name, value in said.items()}}


@pytest.fixture
def operator(kafka: EmbeddedKafka, empty_database_url: str, tmp_path: Path) -> Operator:
    """Nothing is prepared: no schema, no topic."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LEDGER_")}
    return Operator(
        {
            **clean,
            "LEDGER_KAFKA_BOOTSTRAP": kafka.bootstrap,
            "LEDGER_DATABASE_URL": empty_database_url,
            "LEDGER_TOPIC": f"cli-{tmp_path.name}",
            "LEDGER_GROUP": f"cli-{tmp_path.name}",
            "LEDGER_WEBHOOK_SECRET": SECRET,
            "LEDGER_EDGE_PORT": "0",
            "LEDGER_API_PORT": "0",
            "LEDGER_DATA_DIR": str(tmp_path),
        }
    )


@pytest.mark.parametrize(
    "arguments",
    [["project"], ["publish"], ["edge"], ["api"], ["history", "inq_1"], ["quarantine"], ["reset", "--yes"]],
    ids=" ".join,
)
def test_a_command_refuses_what_is_not_prepared_and_says_so(operator: Operator, arguments: list[str]) -> None:
    done = operator.run(*arguments)
    assert done.code == 1
    assert "inquiry-ledger migrate" in done.err.splitlines()[-1]
    assert "Traceback" not in done.err


def test_doctor_finds_what_is_not_prepared(operator: Operator) -> None:
    done = operator.run("doctor", "--json")
    assert done.code == 1
    states = {finding["check"]: finding["state"] for finding in done.json}
    assert (states["kafka"], states["topic"], states["schema"]) == ("ok", "wrong", "wrong")


def test_migrate_prepares_schema_and_topic_and_may_be_run_again(operator: Operator) -> None:
    first, again = operator.run("migrate", PARTITIONS="3"), operator.run("migrate")
    topic = operator.environ["LEDGER_TOPIC"]
    for done, made in ((first, "created"), (again, "there already")):
        schema, events, decisions = done.out.splitlines()
        assert (done.code, schema) == (0, "schema: version 0002")
        assert events == f"topic {topic}: {made}, 3 partitions"
        assert decisions.startswith("topic inquiry.decisions: ")  # the broker's other tests have made it already
    assert operator.run("doctor").code == 0


def test_what_is_delivered_is_decided_and_comes_out_the_same_after_a_reset(operator: Operator) -> None:
    assert operator.run("migrate").code == 0
    simulated = _simulate(operator)
    assert operator.run("project", "--until-end").code == 0
    assert operator.run("doctor", "--json").code == 0
    before = _decisions(operator)
    assert before == {key: _plain(expected) for key, expected in simulated["expected"]["inquiries"].items()}
    inquiry_id = min(before)
    history = operator.run("history", inquiry_id, "--json").json
    assert _plain(history["decision"]) == before[inquiry_id]
    assert [row["position"] for row in history["history"]] == [*range(1, len(history["history"]) + 1)]
    quarantine = operator.run("quarantine", "--json").json
    assert len(quarantine) == simulated["expected"]["counts"]["quarantined"]

    assert operator.run("reset", "--yes").code == 0
    assert operator.run("quarantine", "--json").json == []
    assert operator.run("project", "--until-end").code == 0
    assert _decisions(operator) == before
    assert operator.run("quarantine", "--json").json == quarantine


def _simulate(operator: Operator) -> Any:
    """Deliver a few inquiries to an edge of this operator's."""
    with operator.running("edge") as edge:
        assert edge.stderr is not None
        url = next(line.split()[-1] for line in edge.stderr if line.startswith("webhooks: "))
        done = operator.run("simulate", "--url", url, "--inquiries", "6", "--broken", "0.2", "--json")
    assert edge.returncode == 0
    assert done.code == 0, done.err
    return done.json


def _decisions(operator: Operator) -> dict[str, Any]:
    with LedgerReader(operator.environ["LEDGER_DATABASE_URL"]) as reader:
        return {row["inquiry_id"]: _plain(row) for row in reader.view("current_decision")}


def _plain(row: dict[str, Any]) -> tuple[Any, ...]:
    columns = ("status", "decision", "status_since", "decided_at", "refused_events", "redacted_at")
    return tuple(format_time(row[name]) if isinstance(row[name], datetime) else row[name] for name in columns)


def test_an_unknown_inquiry_is_an_error(operator: Operator) -> None:
    operator.run("migrate")
    done = operator.run("history", "inq_1")
    assert (done.code, done.out) == (1, "")
    assert done.err == "inquiry-ledger: no such inquiry in the ledger\n"


def test_another_policy_is_refused_until_the_ledger_is_reset(operator: Operator, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('[default]\ncompleted = "approved"\n')
    operator.run("migrate")
    _simulate(operator)
    assert operator.run("project", "--until-end").code == 0

    refused = operator.run("project", "--until-end", POLICY=str(policy))
    assert refused.code == 1
    assert "inquiry-ledger reset" in refused.err.splitlines()[-1]
    doctor = operator.run("doctor", "--json", POLICY=str(policy))
    assert [finding["check"] for finding in doctor.json if finding["state"] != "ok"] == ["rules"]

    operator.run("reset", "--yes")
    assert operator.run("project", "--until-end", POLICY=str(policy)).code == 0


def test_a_policy_that_cannot_be_read_is_refused_with_exit_code_2(operator: Operator, tmp_path: Path) -> None:
    done = operator.run("project", POLICY=str(tmp_path / "none.toml"))
    assert done.code == 2
    assert done.err.startswith(f"inquiry-ledger: {tmp_path / 'none.toml'}: cannot be read")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_projector_that_is_told_to_stop_ends_with_0(operator: Operator, number: signal.Signals) -> None:
    operator.run("migrate")
    with operator.running("project") as projector:
        assert projector.stderr is not None
        assert any("assigned" in line for line in projector.stderr)
        projector.send_signal(number)
        assert projector.wait(30) == 0


def test_up_runs_edge_projector_and_read_api_until_it_is_told_to_stop(operator: Operator) -> None:
    with operator.running("up") as up:
        url, page = _find_url(up), _find_url(up, "page")
        done = operator.run("simulate", "--url", url, "--inquiries", "3", "--json")
        _wait_until(lambda: len(_decisions(operator)) == 3)
        assert httpx.get(f"{page}readyz").status_code == 200
        found = httpx.get(f"{page}v1/inquiries").json()["items"]
        assert {row["inquiry_id"] for row in found} == _decisions(operator).keys()
        assert "<html" in httpx.get(page).text
        up.terminate()
        assert up.stderr is not None
        told = up.stderr.readlines()
    assert (up.returncode, done.code) == (0, 0)
    assert not _listens(url)
    assert not _listens(page)
    assert not [line for line in told if line.startswith(("webhooks: ", "page: "))], "it was said on stdout"


def test_up_with_named_sources_prints_a_path_that_is_there(operator: Operator) -> None:
    said = {**operator.environ, "LEDGER_SOURCES": json.dumps({"eu": {"secrets": [SECRET]}})}
    del said["LEDGER_WEBHOOK_SECRET"]
    with Operator(said).running("up") as up:
        url = _find_url(up)
        assert url.endswith("/webhooks/persona/eu")
        assert httpx.post(url, content=b"{}").status_code == 401


def test_the_read_api_alone_is_ready_and_ends_with_0(operator: Operator) -> None:
    operator.run("migrate")
    with operator.running("api") as api:
        assert api.stderr is not None
        page = next(line.split()[-1] for line in api.stderr if line.startswith("page: "))
        _wait_until(lambda: httpx.get(f"{page}livez").status_code == 200)
    assert api.returncode == 0


@pytest.mark.parametrize("command", ["api", "up"])
def test_nobody_reads_over_the_network_without_a_token(operator: Operator, command: str) -> None:
    done = operator.run(command, HTTP_HOST="0.0.0.0")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("inquiry-ledger: LEDGER_API_TOKENS: is needed where LEDGER_HTTP_HOST is not a loopback")


def test_nothing_outlives_an_up_that_is_killed(operator: Operator) -> None:
    with operator.running("up") as up:
        url = _find_url(up)
        _wait_until(lambda: _count_connections(operator) > 0)
        up.kill()
        _wait_until(lambda: not _listens(url) and _count_connections(operator) == 0)


def test_when_a_process_of_up_dies_all_of_it_ends_with_1(operator: Operator) -> None:
    with operator.running("up") as up:
        _find_url(up)
        (edge,) = [pid for pid in _children(up.pid) if "edge" in Path(f"/proc/{pid}/cmdline").read_text().split("\0")]
        os.kill(edge, signal.SIGKILL)
        assert up.wait(30) == 1
        assert up.stderr is not None
        assert up.stderr.readlines()[-1] == "inquiry-ledger: `edge` has ended with exit code -9\n"


def _find_url(up: subprocess.Popen[str], what: str = "webhooks") -> str:
    assert up.stdout is not None
    return next(line.split()[-1] for line in up.stdout if line.startswith(f"{what}: "))


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _listens(url: str) -> bool:
    host, port = url.split("/")[2].split(":")
    with suppress(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=1).close()
        return True
    return False


def _count_connections(operator: Operator) -> int:
    """Of projectors to this operator's database."""
    with psycopg.connect(operator.environ["LEDGER_DATABASE_URL"], autocommit=True) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name = 'inquiry-ledger'"
        ).fetchone()
    assert row is not None
    return int(row[0])


def _wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline, "not within 30 s"
        time.sleep(0.1)


def test_a_reset_asks_first(operator: Operator) -> None:
    operator.run("migrate")
    line = [sys.executable, "-m", "consumers.cli", "reset"]
    done = subprocess.run(line, env=operator.environ, input="n\n", capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (1, "nothing was done\n")


def test_the_demo_ends_by_itself_and_finds_the_truth(operator: Operator) -> None:
    """On servers of its own, whatever the settings say."""
    done = operator.run("demo", "--inquiries", "24")
    assert done.code == 0, done.err
    assert "24 inquiries are decided as the simulator meant them" in done.out
