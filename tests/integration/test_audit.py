"""The audit on a real log and a real ledger: what is right is found right, and each flipped bit is named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from adapters.embedded.kafka import EmbeddedKafka
from adapters.kafka_log.record import RecordReader
from adapters.kafka_log.scan import KafkaScan
from adapters.ledger.columns import COLUMNS
from adapters.ledger.snapshot import LedgerSnapshot
from adapters.persona.body import read_body
from adapters.settings import Settings
from consumers.bootstrap import proof
from consumers.proof.audit import audit_partition, conclude
from consumers.proof.partition import Auditor
from consumers.proof.rows import Finding, expect, quarantine_row
from domain.books import Quarantined
from domain.errors import QuarantineReason
from domain.event import Placement, Sighting
from domain.proof import Piece
from tests.bodies import changed, document, dump, put
from tests.builders import event, moment
from tests.feeds import producing
from tests.integration.scene import MAX_BODY_BYTES, Scene
from tests.integration.traffic import Sent, append_all, leave_gaps
from tests.ledgers import RULES
from tests.proofs import OLD_SECRET, SECRET, Signed, flip, make_proof, receive, signed_traffic


def settings_of(scene: Scene) -> Settings:
    return Settings(
        kafka_bootstrap=scene.bootstrap,
        database_url=scene.url,
        topic=scene.topic,
        webhook_secret=(SECRET, OLD_SECRET),
    )


def audit(scene: Scene, sample: int | None = None) -> list[Finding]:
    return proof.audit(settings_of(scene), sample, lambda done, total: None).findings


def append(scene: Scene, records: Sequence[Signed]) -> list[str]:
    """Append them; returns where each lies."""
    appended = append_all(scene.bootstrap, scene.topic, [Sent(*record) for record in records])
    return [f"{one.topic}-{one.partition}@{one.offset}" for one in appended]


#: What no edge appends, and is right all the same.
ODD = (
    Signed(b"inq_1", dump(document()), ()),
    Signed(b"inq_1", b'{"data":', ()),
    Signed(b"inq_1", dump(document()), [("ce_id", b"evt_1"), ("delivery", b'{"provenance":"imported"}')]),
    Signed(b"inq_2", b"\x00\x01", [("sealed", b"key-1")]),
    receive(changed("attributes.payload.data.type", put("case"))),
    receive(changed("attributes.payload.data.type", put("case")).replace(b"inquiry.created", b"case.created")),
)


@pytest.mark.usefixtures("in_this_process")
def test_of_what_is_right_nothing_is_found(scene: Scene) -> None:
    append(scene, [*signed_traffic(1, 60, broken=0.2), *ODD])
    leave_gaps(scene.bootstrap, scene.topic, [0, 3], abort=True)
    leave_gaps(scene.bootstrap, scene.topic, [3, 4], abort=False)
    append(scene, signed_traffic(2, 10))
    scene.project()
    assert audit(scene) == []
    assert audit(scene, sample=50) == []


@pytest.mark.usefixtures("in_this_process")
def test_an_inquiry_that_lies_in_two_partitions_is_compared_in_what_does_not_depend_on_the_order(scene: Scene) -> None:
    """Another producer's partitioner put it there. A status of it that is not the fold's is found all the same."""
    records = [receive(changed("id", put(f"evt_{number}"))) for number in range(4)]
    approved = receive(changed("id", put("evt_9")).replace(b"inquiry.created", b"inquiry.approved"))
    with producing(scene.bootstrap) as producer:
        for partition, record in enumerate([*records, approved, *records[:1]]):
            producer.send(scene.topic, partition=partition % 3, **_keywords(record)).get(30)
    scene.project()
    assert audit(scene) == []
    execute(scene, "UPDATE ledger.inquiry SET status = 'declined'")
    assert audit(scene) == [Finding("current_decision inq_1", "row", "not as the fold of the log: status")]


def _keywords(record: Signed) -> dict[str, Any]:
    return {"key": record.key, "value": record.value, "headers": list(record.headers)}


def test_of_four_flipped_bits_each_is_named_and_nothing_else(scene: Scene) -> None:
    """In a body, in a header, in a history row and in a decision row, among 3 000 signed records; by several
    processes."""
    records = signed_traffic(3, 600)[:3_000]
    assert len(records) == 3_000
    records[1_000] = records[1_000]._replace(value=flip(records[1_000].value, 8 * 700 + 3))
    records[2_000] = _flip_header(records[2_000], "ce_time", bit=8 * 5)
    places = append(scene, records)
    scene.project()
    seen: list[tuple[int, int]] = []
    before = proof.audit(settings_of(scene), None, lambda done, total: seen.append((done, total)))
    assert {finding.place for finding in before.findings} == {places[1_000], places[2_000]}
    assert (before.records, seen[-1]) == (3_000, (3_000, 3_000))

    decision = _flip_row(scene, "inquiry", "decided_by", "inquiry_id")
    history = _flip_row(scene, "event", "payload_status", "inquiry_id, event_id")
    expected = {places[1_000], places[2_000], f"current_decision {decision}", f"inquiry_history {history}"}
    assert {finding.place for finding in audit(scene)} == expected


def _flip_header(record: Signed, name: str, bit: int) -> Signed:
    return record._replace(headers=[(key, flip(value, bit) if key == name else value) for key, value in record.headers])


def _flip_row(scene: Scene, table: str, column: str, key: str) -> str:
    """Flip the lowest bit of the last byte of a text column of one row; returns the row's key."""
    names = key.split(", ")
    with psycopg.connect(scene.url, row_factory=dict_row) as connection:
        row = connection.execute(
            f"SELECT * FROM ledger.{table} WHERE {column} IS NOT NULL ORDER BY {key} OFFSET 20 LIMIT 1"
        ).fetchone()
        assert row is not None
        row["flipped"] = flip(row[column].encode(), 8 * (len(row[column]) - 1)).decode()
        where = " AND ".join(f"{name} = %({name})s" for name in names)
        assert connection.execute(f"UPDATE ledger.{table} SET {column} = %(flipped)s WHERE {where}", row).rowcount == 1
    return " ".join(row[name] for name in names)


#: What no view shows: how equal times are ordered, which the fold makes again from the name.
NOT_SHOWN = {("inquiry", "last_rank"), ("event", "rank")}

#: Another value of the same type.
OTHER = {
    "text": "coalesce({name}, '') || 'x'",
    "timestamptz": "coalesce({name}, now()) + interval '1 millisecond'",
    "int4": "{name} + 1000",
    "int8": "{name} + 1000",
}


def test_a_change_in_any_column_of_any_row_is_found(one_partition: Scene) -> None:
    """Of an inquiry with a late event, a copy, the loser of a conflict and a refused event."""
    scene = one_partition
    events = [("evt_1", "created", 5), ("evt_2", "approved", 7), ("evt_2", "approved", 7), ("evt_3", "completed", 6),
              ("evt_4", "started", 8), ("evt_2", "approved", 9)]  # fmt: skip
    append(scene, [receive(_body(*event)) for event in events])
    scene.project()
    pieces = list(KafkaScan(scene.bootstrap, scene.topic)(0, 0, len(events)))
    assert _audit_partition(scene, pieces) == []
    found = {
        (table, column): _find_after(scene, pieces, table, f"{column} = {OTHER[kind].format(name=column)}")
        for table, columns in COLUMNS.items()
        for column, kind in columns.items()
        if (table, column) not in NOT_SHOWN
    }
    assert len(found) > 50
    assert [place for place, findings in found.items() if not findings] == []


@pytest.fixture
def one_partition(kafka: EmbeddedKafka, make_topic: Callable[[int], str], database_url: str) -> Scene:
    """A topic with one partition."""
    return Scene(kafka.bootstrap, make_topic(1), database_url)


def _body(event_id: str, name: str, second: int) -> bytes:
    body = document(attributes={"status": name, "reference-id": "user-7"})
    body["data"]["id"] = event_id
    body["data"]["attributes"] |= {"name": f"inquiry.{name}", "created-at": f"2026-03-11T09:12:{second:02}.000Z"}
    return dump(body)


def _audit_partition(scene: Scene, pieces: Sequence[Piece]) -> list[Finding]:
    """Of everything, without reading the log again."""
    decode = RecordReader(read_body, MAX_BODY_BYTES)
    auditor = Auditor(scene.topic, lambda *where: iter(pieces), decode, make_proof(SECRET), RULES)
    with LedgerSnapshot(scene.url, scene.topic) as rows:
        (position,) = rows.positions()
        part = audit_partition(position, auditor, rows, [], lambda more: None)
        return conclude([part], [], rows, RULES).findings


def _find_after(scene: Scene, pieces: Sequence[Piece], table: str, change: str) -> list[Finding]:
    """What is found after this change to one row, which is undone."""
    with psycopg.connect(scene.url, autocommit=True) as connection:
        connection.execute(f"CREATE TABLE public.kept AS SELECT * FROM ledger.{table}")
        one = f"SELECT ctid FROM ledger.{table} LIMIT 1"
        assert connection.execute(f"UPDATE ledger.{table} SET {change} WHERE ctid = ({one})").rowcount == 1
        findings = _audit_partition(scene, pieces)
        connection.execute(f"DELETE FROM ledger.{table}")
        connection.execute(f"INSERT INTO ledger.{table} SELECT * FROM public.kept")
        connection.execute("DROP TABLE public.kept")
    return findings


def test_the_rows_that_are_expected_have_the_columns_of_the_views(scene: Scene) -> None:
    record = Sighting(event("created", 0), Placement(scene.topic, 0, 0, moment(1)))
    with LedgerSnapshot(scene.url, scene.topic) as rows:
        nothing = rows.rows(["inq_1"])["inq_1"]
    expected = expect("inq_1", [record], nothing, RULES)
    told = {
        "current_decision": expected.decision,
        "inquiry_history": expected.history[0],
        "decision_revision": expected.revisions[0],
        "inquiry_record": expected.records[0],
        "quarantine": quarantine_row(Quarantined(record.placement, QuarantineReason.SEALED, "")),
    }
    with psycopg.connect(scene.url) as connection:
        for view, row in told.items():
            described = connection.execute(f"SELECT * FROM ledger.{view} LIMIT 0").description or []
            assert {column.name for column in described} == set(row)


def execute(scene: Scene, statement: str) -> None:
    """Change the rows, as nobody should."""
    with psycopg.connect(scene.url, autocommit=True) as connection:
        connection.execute(statement)
