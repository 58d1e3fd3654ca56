"""What the documentation tells a reader to type is typed here, page by page, against a real Kafka and a real Postgres.

Each page is a session of its own, on a topic and a database of its own. A page that begins with `migrate` or `up`
begins with nothing; for every other one the inquiries of `SEED` are there already.
"""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg.rows import dict_row

from adapters.embedded.kafka import EmbeddedKafka
from adapters.embedded.postgres import EmbeddedPostgres
from adapters.kafka_log.publish import open_topic
from adapters.kafka_log.topic import KafkaTopic
from adapters.ledger.read import VIEWS
from adapters.ledger.schema import migrate
from tests.bodies import document, dump
from tests.integration.scene import Scene
from tests.integration.terminal import Terminal
from tests.integration.traffic import Sent, append_all
from tests.proofs import receive
from tests.repo.pages import Command, Fence, list_sessions, read_commands, read_fences, read_table
from tests.repo.tree import ROOT

#: Inquiry, event id, event, time, template; in the order in which they are appended.
SEED = """
inq_tutorial  evt_4 approved          10:07:00 -
inq_tutorial  evt_1 created           10:00:00 -
inq_tutorial  evt_3 completed         10:06:58 -
inq_tutorial  evt_4 approved          10:07:00 -
inq_tutorial  evt_5 started           10:09:00 -
inq_completed evt_6 created           11:00:00 itmpl_express
inq_completed evt_7 completed         11:05:00 itmpl_express
inq_review    evt_8 created           12:00:00 -
inq_review    evt_9 marked-for-review 12:30:00 -
inq_review    evt_9 marked-for-review 12:31:00 -
inq_declined  evt_a declined          13:00:00 -
inq_declined  evt_b approved          14:00:00 -
inq_declined  evt_c redacted          15:00:00 -
"""

#: What a reader is told that the deliveries are signed with.
SECRET = "wbhsec_ledger"

#: The servers that a reader is told to have: who owns the database, where it is, and the brokers.
OWNER = "ledger_owner:change-me@db.example.com:5432"
SERVER = "db.example.com:5432"
BROKERS = "kafka-1.example.com:9093,kafka-2.example.com:9093"

_numbers = count()


class Stage(NamedTuple):
    """Where a page plays: what it names, and what stands for that here."""

    scene: Scene
    environ: dict[str, str]
    names: dict[str, str]

    def translate(self, text: str) -> str:
        """The same text for the servers of this stage. Longer names first: one may hold another."""
        for name in sorted(self.names, key=len, reverse=True):
            text = text.replace(name, self.names[name])
        return text


@pytest.fixture
def stage(kafka: EmbeddedKafka, postgres: EmbeddedPostgres) -> Iterator[Stage]:
    """A new database and the name of a new topic. What the page makes in the server is gone afterwards."""
    number = next(_numbers)
    database, server = f"docs_{number}", postgres.url.rsplit("/", 1)[0]
    with psycopg.connect(postgres.url, autocommit=True) as admin:
        roles = _list(admin, "SELECT rolname FROM pg_roles")
        admin.execute(f"CREATE DATABASE {database}")
        yield _set_up(Scene(kafka.bootstrap, f"docs-{number}", f"{server}/{database}"))
        for name in _list(admin, "SELECT datname FROM pg_database"):
            if name == database or name.startswith(f"{database}_"):
                admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        for name in _list(admin, "SELECT rolname FROM pg_roles") - roles - {"ledger_reader", "ledger_writer"}:
            admin.execute(f"DROP ROLE {name}")


def _list(admin: psycopg.Connection[tuple[str]], statement: str) -> set[str]:
    return {row[0] for row in admin.execute(statement)}


def _set_up(scene: Scene) -> Stage:
    url, edge, api, metrics = urlsplit(scene.url), _free_port(), _free_port(), _free_port()
    server, database = f"{url.hostname}:{url.port}", url.path.removeprefix("/")
    environ = {
        "LEDGER_KAFKA_BOOTSTRAP": scene.bootstrap,
        "LEDGER_KAFKA_SECURITY_PROTOCOL": "PLAINTEXT",
        "LEDGER_DATABASE_URL": scene.url,
        "LEDGER_TOPIC": scene.topic,
        "LEDGER_GROUP": scene.topic,
        "LEDGER_EDGE_PORT": str(edge),
        "LEDGER_API_PORT": str(api),
    }
    names = {
        OWNER: f"{url.username}:{url.password}@{server}",
        SERVER: server,
        "/ledger?sslmode=verify-full": f"/{database}",
        "/ledger_next?sslmode=verify-full": f"/{database}_next",
        "DATABASE ledger_next": f"DATABASE {database}_next",
        BROKERS: scene.bootstrap,
        "persona.events": scene.topic,
        "127.0.0.1:8080": f"127.0.0.1:{edge}",
        "127.0.0.1:8081": f"127.0.0.1:{api}",
        "9100": str(metrics),
    }
    return Stage(scene, environ, names)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize("page", list_sessions(), ids=str)
def test_a_page_does_what_it_says(page: Path, stage: Stage, tmp_path: Path) -> None:
    fences = read_fences(page)
    first = re.search(
        r"^\$ inquiry-ledger (?:--config \S+ )?(\w+)", "".join(fence.text for fence in fences), re.MULTILINE
    )
    if first is None or first[1] not in ("migrate", "up"):
        _prepare(stage.scene)
    (tmp_path / "ca.pem").touch()  # what a reader has from whoever runs the brokers
    with Terminal(tmp_path, stage.environ) as terminal:
        for fence in fences:
            _read(fence, terminal, stage)


def _finds_a_ledger(fences: Sequence[Fence]) -> bool:
    """Whether a page needs one that is there, and does not begin with making it."""
    typed = "".join(fence.text for fence in fences if fence.kind == "console")
    first = re.search(r"^\$ inquiry-ledger (?:--config \S+ )?(\w+)", typed, re.MULTILINE)
    return first[1] not in ("migrate", "up") if first else any(fence.kind == "sql" for fence in fences)


def _prepare(scene: Scene) -> None:
    migrate(scene.url)
    with KafkaTopic(scene.bootstrap, scene.topic) as topic, open_topic(scene.bootstrap) as decisions:
        topic.create(6)
        decisions.create(6)
    append_all(scene.bootstrap, scene.topic, [*map(_send, SEED.split("\n")[1:-1]), Sent(b"inq_torn", b'{"data":', ())])
    scene.project()


def _send(line: str) -> Sent:
    """As the edge appends it, signed with `SECRET`."""
    inquiry_id, event_id, name, time, template = line.split()
    related = {} if template == "-" else {"relationships": {"inquiry-template": {"data": {"id": template}}}}
    body = document(**{"attributes": {"reference-id": "user-7"}, **related})
    body["data"]["id"] = event_id
    body["data"]["attributes"] |= {"name": f"inquiry.{name}", "created-at": f"2026-03-01T{time}.000Z"}
    body["data"]["attributes"]["payload"]["data"]["id"] = inquiry_id
    return Sent(*receive(dump(body), (SECRET,)))


def _read(fence: Fence, terminal: Terminal, stage: Stage) -> None:
    """Do with a fence what a reader does."""
    text = stage.translate(fence.text)
    if fence.kind == "stop":
        terminal.interrupt()
    elif fence.kind == "sql":
        _query(text, stage.scene.url, int(fence.said["rows"]) if "rows" in fence.said else None)
    elif fence.kind == "console":
        for command in read_commands(fence._replace(text=text)):
            _follow(command, terminal, int(fence.said.get("exit", "0")))
    elif "title" in fence.said:
        terminal.save(fence.said["title"], text)


def _follow(command: Command, terminal: Terminal, code: int) -> None:
    """What sets a checkout up is there already where tests run: then it is enough that it could."""
    words = shlex.split(command.text)
    if words[0] == "make":
        subprocess.run([*words, "--dry-run"], cwd=ROOT, check=True, capture_output=True)
    elif words == [".", ".venv/bin/activate"]:
        assert "\nVENV ?= .venv\n" in (ROOT / "Makefile").read_text(encoding="utf-8")
    else:
        terminal.follow(command, code)


def _query(text: str, url: str, expected: int | None) -> None:
    """Run the statements. Each that has a result has rows, or as many as the page says."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in filter(str.strip, text.split(";\n")):
            found = connection.execute(statement.encode())
            if found.description is not None:
                rows = found.fetchall()
                assert len(rows) == expected if expected is not None else rows, statement


#: Types as the reference writes them.
_TYPES = {"int4": "integer", "int8": "bigint", "bool": "boolean"}


@pytest.mark.parametrize("view", [*VIEWS, "inquiry_record", "log_position", "schema_version"])
def test_the_reference_has_the_columns_of_each_view(view: str, database_url: str) -> None:
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        columns = connection.execute(
            "SELECT attname, typname FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid "
            "WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum",
            [f"ledger.{view}"],
        ).fetchall()
    described = [row[:2] for row in read_table(Path("docs/reference/views.md"), view)]
    assert described == [[row["attname"], _TYPES.get(row["typname"], row["typname"])] for row in columns]
