"""Java's classes as they are in memory, kept beside the jars: a broker that maps them is up in about half the time.

The runtime that we use brings no such archive of its own, so there are two: `base`, of the runtime, dumped once, and
`broker`, on top of it, dumped by a broker when it ends in good order. Java itself checks both against the runtime and
the jars at each start, and does without where they do not fit: nothing here can make a start fail (JEP 310, JEP 350).
"""

from __future__ import annotations

import hashlib
import subprocess
from contextlib import suppress
from pathlib import Path

_DUMP_S = 60.0

#: A dump is only good for the collector and compressed heap it was made with.
HEAP = ("-Xms256m", "-Xmx512m", "-XX:+UseSerialGC")


class ClassArchive:
    """The archives of one Java runtime, in the folder of the jars."""

    def __init__(self, java: Path, folder: Path) -> None:
        self._java = java
        runtime = _identify(java)
        self._base = folder / f"base-{runtime}.jsa"
        self._broker = folder / f"broker-{runtime}.jsa"

    def tool_options(self) -> list[str]:
        """For a short-lived Java program."""
        self._make_base()
        return [f"-XX:SharedArchiveFile={self._base}"] if self._base.exists() else []

    def broker_options(self) -> list[str]:
        """For the broker: what there is to map, and what to dump where the upper archive is still to be made."""
        options = self.tool_options()
        if not options:
            return []
        if self._broker.exists():
            return [f"-XX:SharedArchiveFile={self._base}:{self._broker}"]
        return [*options, f"-XX:ArchiveClassesAtExit={_unfinished(self._broker)}"]

    def keep(self) -> None:
        """Take over what a broker dumped, where it did and ended in good order."""
        with suppress(OSError):
            _unfinished(self._broker).rename(self._broker)

    def _make_base(self) -> None:
        if self._base.exists():
            return
        fresh = _unfinished(self._base)
        command = [str(self._java), *HEAP, "-Xshare:dump", f"-XX:SharedArchiveFile={fresh}"]
        with suppress(OSError, subprocess.TimeoutExpired):
            done = subprocess.run(command, check=False, capture_output=True, timeout=_DUMP_S)
            if done.returncode == 0:
                fresh.rename(self._base)


def _unfinished(archive: Path) -> Path:
    return archive.with_suffix(".new")


def _identify(java: Path) -> str:
    """Changes with the runtime, also with its place and date, which Java compares, and with the heap."""
    modules = java.resolve().parent.parent / "lib" / "modules"
    facts = (modules.stat().st_size, modules.stat().st_mtime_ns) if modules.exists() else ()
    return hashlib.sha256(repr((str(modules), facts, HEAP)).encode()).hexdigest()[:12]
