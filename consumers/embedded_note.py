"""Where a running embedded server is: a note beside its data, so that other commands find the servers of `up`."""

from __future__ import annotations

import json
import os
from pathlib import Path

_NAME = "running.json"


def write_note(folder: Path, address: str) -> Path:
    """Note that this process runs the server at `address`. Readable by its owner alone: it may hold a password."""
    path = folder / _NAME
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps({"pid": os.getpid(), "address": address}), encoding="utf-8")
    return path


def read_note(folder: Path) -> str | None:
    """The address, where the process that wrote the note is alive; servers die with the process that started them."""
    try:
        note = json.loads((folder / _NAME).read_text(encoding="utf-8"))
        os.kill(note["pid"], 0)
    except (OSError, ValueError):
        return None
    address: str = note["address"]
    return address
