"""The command: exit codes, one line for an error, and what it prints for machines."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from consumers.cli import main
from consumers.cli.output import print_json, print_table, progress
from consumers.cli.workers import WorkerEnded, Workers
from domain.errors import LedgerError, PolicyError, SettingsError, TopicError

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    for name in [name for name in os.environ if name.startswith("LEDGER_")]:
        monkeypatch.delenv(name)

    def run(*arguments: str, **said: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["inquiry-ledger", *arguments])
        for name, value in said.items():
            monkeypatch.setenv(f"LEDGER_{name}", value)
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        assert isinstance(code, int)
        return (code, *capsys.readouterr())

    return run


def test_a_command_that_did_its_work_exits_with_0(run: Run) -> None:
    code, out, err = run("lifecycle")
    assert (code, err) == (0, "")
    assert "created_twice" in out


@pytest.mark.parametrize("arguments", [["nonsense"], ["lifecycle", "--format", "gif"], ["history"], ["up", "more"]])
def test_wrong_usage_exits_with_2(run: Run, arguments: list[str]) -> None:
    code, _, err = run(*arguments)
    assert code == 2
    assert "Usage" in err


@pytest.mark.parametrize("command", ["up", "edge", "project", "migrate", "doctor", "reset", "quarantine", "simulate"])
def test_wrong_settings_exit_with_2_and_one_line(run: Run, command: str) -> None:
    code, out, err = run(command, EDGE_PORT="s3cret")
    assert (code, out) == (2, "")
    assert err == "inquiry-ledger: LEDGER_EDGE_PORT: got text, expected a port from 0 to 65535 (0: any free one)\n"


def test_a_config_file_that_is_not_there_exits_with_2(run: Run) -> None:
    code, _, err = run("--config", "no/such.toml", "doctor")
    assert (code, err.count("\n")) == (2, 1)


def test_an_edge_without_a_secret_is_refused_before_anything_starts(run: Run) -> None:
    code, _, err = run("edge", KAFKA_BOOTSTRAP="127.0.0.1:1")
    assert code == 2
    assert err.splitlines()[-1].startswith("inquiry-ledger: LEDGER_WEBHOOK_SECRET: is needed")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SettingsError("LEDGER_TOPIC", "no"), 2),
        (PolicyError("policy.toml", "no"), 2),
        (TopicError("no\n  such topic"), 1),
        (LedgerError("no"), 1),
    ],
)
def test_what_is_raised_on_purpose_is_one_line_on_stderr(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: LedgerError, code: int
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr("consumers.cli.app.app", fail)
    assert run() == (code, "", f"inquiry-ledger: {' '.join(str(error).split())}\n")


def test_a_surprise_keeps_its_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumers.cli.app.app", lambda: [][0])
    with pytest.raises(IndexError):
        run()


def test_times_are_written_in_utc_with_milliseconds(capsys: pytest.CaptureFixture[str]) -> None:
    moment = datetime(2026, 3, 1, 12, 0, 0, 5000, UTC)
    print_json({"at": moment, "none": None, "text": "é"})
    assert json.loads(capsys.readouterr().out) == {"at": "2026-03-01T12:00:00.005Z", "none": None, "text": "é"}


def test_a_table_keeps_long_ids_in_one_piece(capsys: pytest.CaptureFixture[str]) -> None:
    inquiry_id = "inq_" + "x" * 60
    print_table("ids", [{"id": inquiry_id, "other": None, "more": "y" * 80}], ("id", "other", "more"))
    out = capsys.readouterr().out
    assert inquiry_id in out
    assert "–" in out


def test_progress_is_plain_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("sent") as reached:
        for done in range(101):
            reached(done, 100)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "sent: 0 of 100"
    assert lines[-1] == "sent: 100 of 100"
    assert len(lines) == 11


def test_progress_tells_the_time_left(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([100.0, 130.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(seconds))
    with progress("sent") as reached:
        reached(25, 100)
    assert capsys.readouterr().err == "sent: 25 of 100, about 90 s left\n"


def test_when_a_watched_process_ends_all_do() -> None:
    with Workers(None) as workers:
        workers.start("lifecycle", {})
        with pytest.raises(WorkerEnded, match="`lifecycle` has ended with exit code 0"):
            workers.watch(lambda: False, timeout_s=30)


def test_a_process_that_is_not_ready_in_time_is_given_up() -> None:
    with Workers(None) as workers, pytest.raises(WorkerEnded, match="not ready within 0 s"):
        workers.watch(lambda: False, timeout_s=0)
