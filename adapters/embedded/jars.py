"""Kafka's jars: resolved once by coordinate, checked against pinned SHA-256 sums before each start."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from importlib.resources import files
from pathlib import Path

import platformdirs

from adapters.embedded.process import Say
from domain.errors import EmbeddedError

VERSION = "4.3.1"

#: Each is resolved by itself: joined, the logger's parent would manage kafka-clients down to 3.9.1.
ENDPOINTS = (
    f"org.apache.kafka:kafka_2.13:{VERSION}",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.1",
)

Resolve = Callable[[str], Iterable[Path]]


def cache_dir() -> Path:
    """Where the jars are kept between starts."""
    return platformdirs.user_cache_path("inquiry-ledger") / f"kafka-{VERSION}"


def pinned() -> dict[str, str]:
    """Jar → SHA-256, as pinned in this project."""
    lines = (files("adapters.embedded") / f"kafka-{VERSION}.sha256").read_text().splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def fetch_jars(say: Say, *, folder: Path | None = None, resolve: Resolve | None = None) -> list[Path]:
    """The class path: every pinned jar, there and unchanged. Downloads only what `folder` lacks. EmbeddedError."""
    folder = folder or cache_dir()
    expected = pinned()
    if {jar.name for jar in folder.glob("*.jar")} != set(expected):
        say(f"downloading Apache Kafka {VERSION} (once, about 130 MB)")
        _fill(folder, expected, resolve or _resolve)
    for name, digest in expected.items():
        if _sha256(folder / name) != digest:
            raise EmbeddedError(f"{folder / name} is not the file this project pins: remove {folder} and start again")
    return [folder / name for name in sorted(expected)]


def _fill(folder: Path, expected: dict[str, str], resolve: Resolve) -> None:
    """Copy the resolved jars beside the folder, then put them in its place: an interrupted download leaves nothing."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        fresh = Path(scratch) / "jars"
        fresh.mkdir()
        for endpoint in ENDPOINTS:
            for jar in resolve(endpoint):
                if jar.name in expected:
                    shutil.copyfile(jar, fresh / jar.name)
        missing = sorted(set(expected) - {jar.name for jar in fresh.iterdir()})
        if missing:
            raise EmbeddedError(f"Apache Kafka {VERSION} cannot be had whole: {missing[0]} is missing; try again")
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(fresh, folder)  # noqa: PTH105 - across a removed target


def _resolve(endpoint: str) -> list[Path]:
    """All jars of an endpoint, Java modules too (`info classpath` leaves those out)."""
    import jgo

    try:
        return [Path(artifact.resolve()) for artifact in jgo.resolve(endpoint)]
    except (OSError, RuntimeError, ValueError) as error:
        raise EmbeddedError(
            f"{endpoint} cannot be downloaded ({type(error).__name__}): check the network, or the Maven settings, "
            "or set LEDGER_KAFKA_BOOTSTRAP to a Kafka you have"
        ) from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
