"""Kafka's jars: resolved once by coordinate, checked against pinned SHA-256 sums before each start."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
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

#: A few at a time: most of the time goes to the way there and back.
_DOWNLOADS = 6

Resolve = Callable[[str], Iterable[Path]]


def cache_dir() -> Path:
    """Where the jars are kept between starts."""
    return platformdirs.user_cache_path("inquiry-ledger") / f"kafka-{VERSION}"


def pinned() -> dict[str, str]:
    """Jar → SHA-256, as pinned in this project. It names each artifact once, whichever endpoint brings it."""
    lines = (files("adapters.embedded") / f"kafka-{VERSION}.sha256").read_text().splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def fetch_jars(say: Say, *, folder: Path | None = None, resolve: Resolve | None = None) -> list[Path]:
    """The class path: every pinned jar, there and unchanged. Downloads where `folder` has none at all.

    EmbeddedError names the first jar that is missing, not pinned, or not as pinned; and where a download fails.
    """
    folder = folder or cache_dir()
    expected = pinned()
    if not any(folder.glob("*.jar")):
        with _filling(folder):
            if not any(folder.glob("*.jar")):
                say(f"downloading Apache Kafka {VERSION} (once, about 45 MB)…")
                _fill(folder, expected, resolve or resolve_endpoint)
    problem = find_problem(folder, expected)
    if problem:
        raise EmbeddedError(f"{problem}: remove {folder} and start again")
    return [folder / name for name in sorted(expected)]


def find_problem(folder: Path, expected: Mapping[str, str]) -> str | None:
    """What is wrong with the jars of a folder, in words; None where they are the expected ones, all and only."""
    there = {jar.name for jar in folder.glob("*.jar")}
    extra, missing = sorted(there - set(expected)), sorted(set(expected) - there)
    if extra:
        return f"{folder / extra[0]} is not a jar that this project pins"
    if missing:
        return f"{folder / missing[0]} is missing"
    changed = next((name for name, digest in expected.items() if _sha256(folder / name) != digest), None)
    return f"{folder / changed} is not the file that this project pins" if changed else None


@contextmanager
def _filling(folder: Path) -> Iterator[None]:
    """One process at a time fills a folder. What its disk refuses becomes EmbeddedError."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with folder.with_name(f"{folder.name}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise EmbeddedError(
            f"{folder} cannot be written ({error.strerror}): make room there, or set XDG_CACHE_HOME to another folder"
        ) from error


def _fill(folder: Path, expected: Mapping[str, str], resolve: Resolve) -> None:
    """Copy the resolved jars beside the folder, then put them in its place: an interrupted download leaves nothing."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        fresh = Path(scratch) / "jars"
        fresh.mkdir()
        for endpoint in ENDPOINTS:
            for jar in resolve(endpoint):
                _take(jar, fresh, expected)
        missing = sorted(set(expected) - {jar.name for jar in fresh.iterdir()})
        if missing:
            raise EmbeddedError(f"Apache Kafka {VERSION} cannot be had whole: {missing[0]} did not come; try again")
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)


def _take(jar: Path, fresh: Path, expected: Mapping[str, str]) -> None:
    """Copy what is pinned; another version that the second endpoint brings of the same artifact is left."""
    if jar.name not in expected:
        return
    shutil.copyfile(jar, fresh / jar.name)
    if _sha256(fresh / jar.name) != expected[jar.name]:
        raise EmbeddedError(f"{jar} is not the file that this project pins: remove it and start again")


def resolve_endpoint(endpoint: str) -> list[Path]:
    """All jars of an endpoint, Java modules too (jgo's `info classpath` leaves those out). EmbeddedError."""
    try:
        import jgo
        from jgo.config import GlobalSettings
    except ImportError as error:
        raise lack_of_extra("Kafka", "LEDGER_KAFKA_BOOTSTRAP") from error
    try:
        artifacts = jgo.resolve(endpoint, repositories=GlobalSettings.load().repositories)
        with ThreadPoolExecutor(_DOWNLOADS) as pool:
            return [Path(path) for path in pool.map(lambda artifact: artifact.resolve(), artifacts)]
    except Exception as error:  # whatever the resolver trips over: network, proxy page instead of XML, half a file
        raise EmbeddedError(
            f"{endpoint} cannot be downloaded ({type(error).__name__}): check the network, name a mirror in the "
            "[repositories] of jgo's settings, or set LEDGER_KAFKA_BOOTSTRAP to a Kafka you have"
        ) from error


def lack_of_extra(server: str, variable: str) -> EmbeddedError:
    """What to say where the libraries of the extra are not installed."""
    return EmbeddedError(f"the embedded {server} needs the extra `inquiry-ledger[embedded]`; or set {variable}")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
