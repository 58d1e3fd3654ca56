"""Runs one server and stops it when the pipe on its own stdin closes: when its parent stops it, or dies, however.

A script of its own, run by path (`python -I supervisor.py SPEC`), so it imports nothing but the standard library.
SPEC is JSON: {"command": [...], "environment": {...}, "log": path, "stop_signal": number, "grace_s": number,
"owner": [uid, gid] or null}. The first line on stdout is the server's pid.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

#: How often the server is looked at; the pipe wakes us at once.
_LOOK_EVERY_S = 0.2


def main() -> int:
    """Run the server of the specification until it ends or the parent does."""
    spec = json.loads(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Path(spec["log"]).open("wb") as log:
        server = subprocess.Popen(
            spec["command"],
            env={**os.environ, **spec["environment"]},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            **_as(spec["owner"]),
        )
    sys.stdout.write(f"{server.pid}\n")
    sys.stdout.flush()
    while server.poll() is None:
        if _parent_is_gone():
            return _stop(server, spec)
    return server.returncode


def _as(owner: list[int] | None) -> dict[str, Any]:
    return {} if owner is None else {"user": owner[0], "group": owner[1], "extra_groups": []}


def _parent_is_gone() -> bool:
    readable, _, _ = select.select([sys.stdin], [], [], _LOOK_EVERY_S)
    return bool(readable) and not os.read(sys.stdin.fileno(), 1)


def _stop(server: subprocess.Popen[bytes], spec: dict[str, Any]) -> int:
    server.send_signal(spec["stop_signal"])
    try:
        return server.wait(spec["grace_s"])
    except subprocess.TimeoutExpired:
        server.kill()
        return server.wait()


if __name__ == "__main__":
    sys.exit(main())
