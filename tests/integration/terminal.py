"""A reader at a shell: types the commands of a page in order, and compares what comes with what the page shows."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from adapters.embedded.postgres import bin_dir
from tests.repo.pages import Command
from tests.repo.tree import ROOT

#: Processes that run on, and what they say once they are ready.
SERVICES: Mapping[str, str] = {
    "up": "webhooks: ",
    "api": "page: ",
    "edge": r"(?s)(?=.*log_connected)(?=.*webhooks: )",
    "project": '"assigned"',
    "publish": '"publishing"',
}

#: What only looks, and so may look again until the projector has come to where the page is.
_LOOKS = re.compile(r"inquiry-ledger (history|quarantine|doctor)\b|psql\b")

_READY_WITHIN_S = 30.0
_SHOWN_WITHIN_S = 20.0
_LOOK_EVERY_S = 0.1

_DONE = "@@done "


class Terminal:
    """One bash, which keeps folder and variables from command to command."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        """`folder`: where the page's files go. `environ`: what is set before the first command."""
        self._folder = folder
        self._services: dict[str, int] = {}
        self._shell = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env=_environ(folder, environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.run("set -m")  # else what runs in the background is deaf to Ctrl-C

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends every service, then the shell; at once where something went wrong."""
        try:
            if error is None:
                self.interrupt()
        finally:
            for pid in self._services.values():
                os.kill(pid, signal.SIGKILL)
            self._shell.kill()
            self._shell.communicate()

    def save(self, name: str, text: str) -> None:
        """Make a file of the page, where the shell is."""
        _, folder = self.run("pwd")
        (Path(folder.strip()) / name).write_text(text, encoding="utf-8")

    def follow(self, command: Command, code: int) -> None:
        """Do what the page says: `code` is the exit code it tells of. AssertionError where something else happens."""
        service = _find_service(command.text)
        if service is not None:
            self._start(service, command.text)
            return
        deadline = time.monotonic() + _SHOWN_WITHIN_S
        while (problem := self._try(command, code)) and _LOOKS.search(command.text) and time.monotonic() < deadline:
            time.sleep(_LOOK_EVERY_S)
        assert not problem, problem

    def interrupt(self) -> None:
        """Press Ctrl-C where services run: they end with 0."""
        for service, pid in [*self._services.items()]:
            code, _ = self.run(f"kill -INT {pid}; wait {pid}")
            del self._services[service]
            assert code == 0, f"{service} ended with {code}: {self._log(service).read_text()}"

    def run(self, text: str) -> tuple[int, str]:
        """Exit code and output of a command, which stays in this shell: what it sets is set afterwards."""
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(f"{{ {text}\n}} </dev/null\nprintf '\\n{_DONE}%s\\n' $?\n")
        self._shell.stdin.flush()
        lines: list[str] = []
        for line in self._shell.stdout:
            if line.startswith(_DONE):
                return int(line.removeprefix(_DONE)), "".join(lines)
            lines.append(line)
        raise AssertionError(f"the shell ended in {text!r}: {''.join(lines)}")

    def _try(self, command: Command, expected: int) -> str:
        code, output = self.run(command.text)
        if code != expected:
            return f"{command.text!r} ended with {code} instead of {expected}:\n{output}"
        missing = find_missing(command.shown, output)
        return f"{command.text!r} does not show {missing!r} any more:\n{output}" if missing else ""

    def _start(self, service: str, text: str) -> None:
        """One of a kind at a time: who starts it again has ended the one before."""
        assert service not in self._services, f"{service} runs already: where does the page end it?"
        log = self._log(service)
        log.write_text("")  # what one before it said is not what this one says
        _, started = self.run(f"{text} >{shlex.quote(str(log))} 2>&1 &\necho $!")
        self._services[service] = int(started)
        deadline = time.monotonic() + _READY_WITHIN_S
        while not re.search(SERVICES[service], log.read_text()):
            assert time.monotonic() < deadline, f"{text!r} is not ready: {log.read_text()}"
            time.sleep(_LOOK_EVERY_S)

    def _log(self, service: str) -> Path:
        return self._folder / f"{service}.log"


def _environ(folder: Path, said: Mapping[str, str]) -> dict[str, str]:
    """Nothing of ours from outside; on the path our command, this Python, and Postgres's programs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LEDGER_", "PG"))}
    command = folder / "bin" / "inquiry-ledger"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m consumers.cli "$@"\n')
    command.chmod(0o755)
    path = [command.parent, Path(sys.executable).parent, bin_dir(), os.environ["PATH"]]
    return {**kept, "HOME": str(folder), "PYTHONPATH": str(ROOT), "PATH": ":".join(map(str, path)), **said}


def _find_service(text: str) -> str | None:
    words = shlex.split(text)
    if "inquiry-ledger" not in words or "--until-end" in words:
        return None
    return next((word for word in words if word in SERVICES), None)


def find_missing(shown: Sequence[str], output: str) -> str | None:
    """The first line that a page shows and the output has not, in this order. `…` stands for anything, frames and
    blanks for each other."""
    lines = iter([_plain(line) for line in output.splitlines()])
    for line in shown:
        pattern = ".*".join(re.escape(part.strip()) for part in _plain(line).split("…"))
        if not any(re.fullmatch(pattern, candidate) for candidate in lines):
            return line
    return None


def _plain(line: str) -> str:
    return " ".join(re.sub("[┏┓┗┛┡┩┳╇┻┴┬┼├┤└┘━─┃│]", " ", line).split())
