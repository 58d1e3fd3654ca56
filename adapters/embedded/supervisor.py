"""Runs one server, and stops it when its own parent closes the pipe on stdin, or dies, however that comes about.

A script of its own, run by path (`python -I supervisor.py SPEC`), so it imports nothing but the standard library.
SPEC is JSON: {"command": [...], "folder": working directory, "log": path, "stop_signal": number, "grace_s": number,
"owner": [uid, gid] or null, "parent": pid}. The first line on stdout is the server's pid, or `error: why`.
A `k` on stdin kills the server at once: only its own parent can do that without hitting a reused pid.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

#: The pipe tells at once; a process that the parent forked may hold it open, so the parent itself is looked at too.
_LOOK_EVERY_S = 0.5


def main() -> int:
    """Run the server of the specification until it ends or the parent does, and all that it started has ended."""
    spec = json.loads(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    family, inherited = os.pipe()
    try:
        server = _start(spec, inherited)
    except (OSError, subprocess.SubprocessError) as error:
        _report(f"error: {error}")
        return 1
    os.close(inherited)
    signal.signal(signal.SIGTERM, lambda *_: _in_background(_stop, server, spec))
    _report(str(server.pid))
    _in_background(_watch_parent, server, spec)
    code = server.wait()
    select.select([family], [], [], spec["grace_s"])  # ends when the last process that inherited the pipe has ended
    return code


def _report(line: str) -> None:
    sys.stdout.write(line.replace("\n", " ") + "\n")
    sys.stdout.flush()


def _in_background(target: Any, *arguments: Any) -> None:
    threading.Thread(target=target, args=arguments, daemon=True).start()


def _start(spec: dict[str, Any], inherited: int) -> subprocess.Popen[bytes]:
    """The server. It and all its children keep `inherited` open as long as they live."""
    owner = spec["owner"]
    as_owner: dict[str, Any] = {} if owner is None else {"user": owner[0], "group": owner[1], "extra_groups": []}
    with Path(spec["log"]).open("wb") as log:
        return subprocess.Popen(
            spec["command"],
            cwd=spec["folder"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[inherited],
            **as_owner,
        )


def _watch_parent(server: subprocess.Popen[bytes], spec: dict[str, Any]) -> None:
    while os.getppid() == spec["parent"]:
        readable, _, _ = select.select([sys.stdin], [], [], _LOOK_EVERY_S)
        if readable:
            if os.read(sys.stdin.fileno(), 1) == b"k":
                server.kill()
            break
    _stop(server, spec)


def _stop(server: subprocess.Popen[bytes], spec: dict[str, Any]) -> None:
    server.send_signal(spec["stop_signal"])
    server.send_signal(signal.SIGCONT)  # a frozen server would not see the other
    try:
        server.wait(spec["grace_s"])
    except subprocess.TimeoutExpired:
        server.kill()


if __name__ == "__main__":
    sys.exit(main())
