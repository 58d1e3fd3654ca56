"""Other commands find the embedded servers that one of ours is running, and none that have gone."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from consumers.embedded_note import read_note, write_note


def test_the_address_of_a_running_server_is_found(tmp_path: Path) -> None:
    write_note(tmp_path, "127.0.0.1:9092")
    assert read_note(tmp_path) == "127.0.0.1:9092"


def test_only_its_owner_may_read_the_note(tmp_path: Path) -> None:
    note = tmp_path / "running.json"
    note.touch(mode=0o644)
    assert stat.S_IMODE(write_note(tmp_path, "postgresql://…").stat().st_mode) == 0o600


def test_where_nothing_runs_nothing_is_found(tmp_path: Path) -> None:
    assert read_note(tmp_path) is None
    assert read_note(tmp_path / "none") is None


def test_the_note_of_a_process_that_has_died_counts_for_nothing(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / "running.json").write_text(json.dumps({"pid": ended.pid, "address": "127.0.0.1:9092"}))
    assert read_note(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{", "\0"])
def test_a_note_cut_short_counts_for_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "running.json").write_text(text)
    assert read_note(tmp_path) is None
