"""The decision feed on a real Kafka and a real Postgres: complete, in order, once where nothing goes wrong."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from jsonschema import Draft7Validator

from adapters.kafka_log.decision_record import FIELDS, headers_schema, value_schema
from adapters.kafka_log.publish import open_topic
from adapters.ledger.admin import reset
from domain.errors import TopicError
from domain.event import format_time
from tests.builders import event
from tests.integration.scene import Scene
from tests.integration.stand import Stand, make_stand, simulated
from tests.integration.traffic import append_all, traffic

CREATED, COMPLETED, REDACTED, APPROVED = (
    event(word, second, reference_id="user-7")
    for second, word in enumerate(("created", "completed", "redacted", "approved"))
)


@pytest.fixture
def stand(scene: Scene) -> Stand:
    """A ledger with nothing in it, and a topic for its decisions."""
    return make_stand(scene)


def plain(row: Any) -> dict[str, Any]:
    return {name: format_time(value) if isinstance(value, datetime) else value for name, value in row.items()}


def test_every_revision_is_published_once_in_order_and_as_the_ledger_has_it(stand: Stand) -> None:
    stand.write(simulated(21, 1_500))
    meter = stand.publish(page_rows=100)
    told, revisions = stand.read(), stand.revisions()
    stand.check()
    assert meter.revisions == len(told) == len(revisions) > 500
    known = {row["inquiry_id"]: plain(row) for row in stand.scene.rows()["current_decision"]}
    for record in told:
        expected = {**known[record.key], **plain(revisions[record.place])}
        assert record.value == {name: expected[name] for name in FIELDS}
        assert record.key == record.value["inquiry_id"]


def test_what_a_reset_and_a_new_projection_make_again_is_not_published_again(stand: Stand) -> None:
    stand.write([CREATED, COMPLETED])
    assert stand.publish().revisions == 2
    reset(stand.scene.url)
    assert stand.publish().revisions == 0
    stand.write([CREATED])
    assert stand.publish().revisions == 0
    stand.write([COMPLETED, APPROVED])
    assert stand.publish().revisions == 1
    assert [told.value["revision"] for told in stand.read()] == [1, 2, 3]


def test_every_record_has_the_schema_that_its_header_names(stand: Stand) -> None:
    append_all(stand.scene.bootstrap, stand.scene.topic, traffic(23, 400))
    stand.scene.project()
    stand.publish()
    value, headers = Draft7Validator(value_schema()), Draft7Validator(headers_schema())
    for record in stand.read():
        value.validate(record.value)
        headers.validate(record.headers)
        assert record.headers["ce_dataschema"] == value_schema()["$id"]
        assert record.headers["ce_id"] == f"{record.key}:{record.value['revision']}"
        assert record.headers["ce_source"] == f"/inquiry-ledger/{stand.scene.topic}"
        assert (record.headers["ce_subject"], record.headers["ce_time"]) == (record.key, record.value["known_at"])
        assert record.partition == record.value["partition"]  # murmur2, as the edge's


def test_a_redaction_and_what_comes_after_it_have_no_reference_id(stand: Stand) -> None:
    stand.write([CREATED, COMPLETED])
    stand.publish()
    stand.write([REDACTED, APPROVED])
    stand.publish()
    seen = [(told.value["decision"], told.value["reference_id"], told.value["redacted_at"]) for told in stand.read()]
    redacted_at = format_time(REDACTED.occurred_at)
    assert seen == [
        ("undecided", "user-7", None),
        ("undecided", "user-7", None),
        ("undecided", None, redacted_at),
        ("approved", None, redacted_at),
    ]


def test_what_was_redacted_before_it_is_published_never_has_a_reference_id(stand: Stand) -> None:
    stand.write([CREATED, COMPLETED, REDACTED])
    stand.publish()
    assert [told.value["reference_id"] for told in stand.read()] == [None, None, None]


def test_a_deleted_position_publishes_all_of_it_again(stand: Stand) -> None:
    stand.write([CREATED, APPROVED])
    stand.publish()
    stand.forget()
    assert stand.publish().revisions == 2
    assert [told.value["revision"] for told in stand.read()] == [1, 2, 1, 2]


def test_of_a_recreated_topic_everything_is_published(stand: Stand) -> None:
    """Its offsets are others: where the old one was published to says nothing of it."""
    stand.write([CREATED] * 9)
    stand.publish()
    reset(stand.scene.url)
    stand.write([CREATED._replace(reference_id="user-8"), APPROVED._replace(reference_id="user-8")], "another topic")
    assert stand.publish().revisions == 2
    assert [told.value["reference_id"] for told in stand.read()] == ["user-7", "user-8", "user-8"]


def test_of_an_inquiry_in_two_partitions_the_newest_revision_comes_last(stand: Stand) -> None:
    """Its first record lies behind others in its partition, its second one is the first of another."""
    others = [event("created", 0, inquiry_id=f"inq_other_{number}") for number in range(9)]
    stand.write([*others, CREATED], partition=0)
    stand.write([APPROVED], partition=1)
    stand.publish(page_rows=4)
    assert [told.value["revision"] for told in stand.read() if told.key == CREATED.inquiry_id] == [2, 1, 2]


def test_the_topic_is_made_for_compaction_and_keeps_no_old_record_for_long(stand: Stand) -> None:
    with open_topic(stand.scene.bootstrap, name=stand.decisions) as topic:
        assert topic.problems(0) == []
        assert not topic.create(1)
    with open_topic(stand.scene.bootstrap, name=stand.scene.topic) as other:
        assert other.problems(0) == [
            f"topic {other.name}: cleanup.policy is delete, not compact",
            f"topic {other.name}: max.compaction.lag.ms is 9223372036854775807, not 86400000",
        ]


def test_without_its_topic_nothing_is_published(scene: Scene) -> None:
    stand = Stand(scene, "nowhere")
    stand.write([CREATED])
    with pytest.raises(TopicError, match="topic nowhere does not exist: run `inquiry-ledger migrate`"):
        stand.publish()
    assert stand.position() == {}
