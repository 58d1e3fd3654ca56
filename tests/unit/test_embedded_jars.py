"""A class path is all of the pinned jars and only them, and a folder that has them is never filled again."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.embedded import jars
from adapters.embedded.class_archive import ClassArchive
from adapters.embedded.jars import ENDPOINTS, fetch_jars, pinned
from domain.errors import EmbeddedError

CONTENT = {"a-1.jar": b"a", "b-1.jar": b"b", "log-2.jar": b"log"}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[Path]]:
    """A resolver whose endpoints overlap; the second brings an artifact of the first in an older version."""
    monkeypatch.setattr(jars, "pinned", lambda: {name: _sha256(content) for name, content in CONTENT.items()})
    folder = tmp_path / "repository"
    folder.mkdir()
    for name, content in {**CONTENT, "log-1.jar": b"old"}.items():
        (folder / name).write_bytes(content)
    brought = dict(zip(ENDPOINTS, (("a-1.jar", "log-2.jar"), ("log-1.jar", "b-1.jar", "a-1.jar")), strict=True))
    return lambda endpoint: [folder / name for name in brought[endpoint]]


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _never(endpoint: str) -> list[Path]:
    raise AssertionError(f"resolved {endpoint}")


def _silent(line: str) -> None:
    raise AssertionError(f"said {line}")


def test_each_artifact_is_pinned_once() -> None:
    artifacts = [re.sub(r"-\d[\d.]*\.jar$", "", name) for name in pinned()]
    assert len(set(artifacts)) == len(artifacts)
    assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in pinned().values())
    assert "kafka-clients-4.3.1.jar" in pinned()


def test_an_empty_cache_is_filled_with_what_is_pinned(tmp_path: Path, repository: Callable[[str], list[Path]]) -> None:
    said: list[str] = []
    found = fetch_jars(said.append, folder=tmp_path / "cache" / "kafka", resolve=repository)
    assert [(jar.name, jar.read_bytes()) for jar in found] == sorted(CONTENT.items())
    assert len(said) == 1
    assert "4.3.1" in said[0]


def test_a_full_cache_is_not_resolved_again(tmp_path: Path, repository: Callable[[str], list[Path]]) -> None:
    first = fetch_jars(lambda _: None, folder=tmp_path / "cache", resolve=repository)
    assert fetch_jars(_silent, folder=tmp_path / "cache", resolve=_never) == first


def test_a_changed_jar_is_named_and_refused(tmp_path: Path, repository: Callable[[str], list[Path]]) -> None:
    fetch_jars(lambda _: None, folder=tmp_path / "cache", resolve=repository)
    (tmp_path / "cache" / "b-1.jar").write_bytes(b"B")
    with pytest.raises(EmbeddedError, match=r"b-1\.jar is not the file that this project pins: remove"):
        fetch_jars(_silent, folder=tmp_path / "cache", resolve=_never)


def test_a_missing_jar_is_named_and_refused(tmp_path: Path, repository: Callable[[str], list[Path]]) -> None:
    fetch_jars(lambda _: None, folder=tmp_path / "cache", resolve=repository)
    (tmp_path / "cache" / "a-1.jar").unlink()
    with pytest.raises(EmbeddedError, match=r"a-1\.jar is missing"):
        fetch_jars(_silent, folder=tmp_path / "cache", resolve=_never)


def test_a_jar_too_many_is_named_and_refused(tmp_path: Path, repository: Callable[[str], list[Path]]) -> None:
    fetch_jars(lambda _: None, folder=tmp_path / "cache", resolve=repository)
    (tmp_path / "cache" / "kafka-clients-3.9.1.jar").touch()
    with pytest.raises(EmbeddedError, match=r"kafka-clients-3\.9\.1\.jar is not a jar that this project pins"):
        fetch_jars(_silent, folder=tmp_path / "cache", resolve=_never)


def test_a_changed_download_is_refused_where_it_came_from(
    tmp_path: Path, repository: Callable[[str], list[Path]]
) -> None:
    half = tmp_path / "repository" / "log-2.jar"
    half.write_bytes(b"lo")
    with pytest.raises(EmbeddedError, match=re.escape(f"{half} is not the file")):
        fetch_jars(lambda _: None, folder=tmp_path / "cache", resolve=repository)
    assert not (tmp_path / "cache").exists()


def test_a_download_that_breaks_off_leaves_nothing(tmp_path: Path, repository: Callable[[str], list[Path]]) -> None:
    def break_off(endpoint: str) -> list[Path]:
        return repository(endpoint)[:1]

    with pytest.raises(EmbeddedError, match=r"b-1\.jar did not come"):
        fetch_jars(lambda _: None, folder=tmp_path / "cache", resolve=break_off)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("cache")] == ["cache.lock"]
    assert len(fetch_jars(lambda _: None, folder=tmp_path / "cache", resolve=repository)) == len(CONTENT)


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, repository: Callable[[str], list[Path]]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedError, match=r"cannot be written \(.+\): make room there, or set XDG_CACHE_HOME"):
        fetch_jars(_silent, folder=tmp_path / "file" / "cache", resolve=repository)


@pytest.mark.parametrize("java", [shutil.which("false") or "", "none"])
def test_a_runtime_that_dumps_no_classes_starts_without(tmp_path: Path, java: str) -> None:
    archive = ClassArchive(tmp_path / java, tmp_path)
    assert archive.tool_options() == []
    assert archive.broker_options() == []
    archive.keep()
    assert list(tmp_path.iterdir()) == []
