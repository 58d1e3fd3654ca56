"""The settings of this process, and the servers that they do not name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from adapters.settings import Settings, load_settings
from consumers.embedded_note import read_note, write_note
from domain.errors import SettingsError

Say = Callable[[str], None]


def read_settings(config: Path | None) -> Settings:
    """The settings of this process. SettingsError."""
    return load_settings(os.environ, config)


def _quiet(_: str) -> None:
    """Says nothing."""


@contextmanager
def running(config: Path | None, *, kafka: bool = True, postgres: bool = True, say: Say = _quiet) -> Iterator[Settings]:
    """The settings, with an embedded server for each needed part that they do not name."""
    with servers(read_settings(config), kafka=kafka, postgres=postgres, say=say) as complete:
        yield complete


@contextmanager
def servers(said: Settings, *, kafka: bool = True, postgres: bool = True, say: Say = _quiet) -> Iterator[Settings]:
    """`said` with `kafka_bootstrap` and `database_url` filled in: by embedded servers, which another command of ours
    may be running already. Both start at once: it is half the time."""
    wanted = {
        "kafka_bootstrap": (kafka and said.kafka_bootstrap is None, "kafka", _start_kafka),
        "database_url": (postgres and said.database_url is None, "postgres", _start_postgres),
    }
    with ExitStack() as stack:
        with ThreadPoolExecutor(2) as pool:
            starts = {
                name: pool.submit(_find_or_start, stack, said.data_dir / folder, start, say)
                for name, (is_wanted, folder, start) in wanted.items()
                if is_wanted
            }
        yield said.model_copy(update={name: start.result() for name, start in starts.items()})


def _find_or_start(stack: ExitStack, folder: Path, start: Callable[[ExitStack, Path, Say], str], say: Say) -> str:
    address = read_note(folder)
    if address is None:
        address = start(stack, folder, say)
        stack.callback(write_note(folder, address).unlink, missing_ok=True)
    return address


def _start_kafka(stack: ExitStack, folder: Path, say: Say) -> str:
    from adapters.embedded.kafka import EmbeddedKafka

    return stack.enter_context(EmbeddedKafka(folder, say=say)).bootstrap


def _start_postgres(stack: ExitStack, folder: Path, say: Say) -> str:
    from adapters.embedded.postgres import EmbeddedPostgres

    return stack.enter_context(EmbeddedPostgres(folder, say=say)).url


def bootstrap_of(said: Settings) -> str:
    """Where Kafka is. SettingsError where nothing says so."""
    if said.kafka_bootstrap is None:
        raise SettingsError("LEDGER_KAFKA_BOOTSTRAP", "is needed here")
    return said.kafka_bootstrap


def database_of(said: Settings) -> str:
    """Where Postgres is. SettingsError where nothing says so."""
    if said.database_url is None:
        raise SettingsError("LEDGER_DATABASE_URL", "is needed here")
    return said.database_url
