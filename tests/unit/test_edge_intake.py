"""A delivery → its record's key, and what is said to whoever writes the headers."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.web.intake import Arrival, parse_attempts, parse_unix_time
from tests.edges import INTAKE, delivery

BODY = delivery("inq_ä", "evt_1", "case.created")


def test_the_audit_says_how_and_when_it_came() -> None:
    accepted = INTAKE.accept(Arrival(BODY, "eu", "t=1,v1=2", "abcd1234", 1_720_449_000.25, b"3", b"1720448990"))
    said = dict(accepted.headers)
    assert accepted.key == "inq_ä".encode()
    assert said["delivery"].decode() == repr(
        INTAKE.make_audit(
            "t=1,v1=2",
            "abcd1234",
            datetime(2024, 7, 8, 14, 30, 0, 250_000, UTC),
            3,
            datetime(2024, 7, 8, 14, 29, 50, tzinfo=UTC),
            "webhook",
        )
    )


def test_the_event_has_the_source_of_its_path_and_the_payload_type_goes_along() -> None:
    accepted = INTAKE.accept(Arrival(BODY, "eu", None, "abcd1234", 0.0))
    assert accepted.event is not None
    assert accepted.event.source == "eu"
    assert dict(accepted.headers)["payload_type"] == b"inquiry"


@pytest.mark.parametrize(
    ("text", "attempts"),
    [
        (None, None),
        (b"", None),
        (b"1", 1),
        (b"0", 0),
        (b"007", 7),
        (b"1000000", 1_000_000),
        (b"1000001", None),
        (b"-1", None),
        (b"+1", None),
        (b"1.5", None),
        (b" 1", None),
        (b"one", None),
        ("٣".encode(), None),
        (b"9" * 10_000, None),
    ],
)
def test_an_absurd_number_of_attempts_is_none(text: bytes | None, attempts: int | None) -> None:
    assert parse_attempts(text) == attempts


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (None, None),
        (b"", None),
        (b"0", datetime(1970, 1, 1, tzinfo=UTC)),
        (b"1720448990", datetime(2024, 7, 8, 14, 29, 50, tzinfo=UTC)),
        (b"1720448990123", None),
        (b"1e9", None),
        (b"2024-07-08", None),
        (b"-1", None),
        (b"9" * 10_000, None),
    ],
)
def test_an_absurd_first_attempt_is_none(text: bytes | None, moment: datetime | None) -> None:
    assert parse_unix_time(text) == moment


@given(st.binary(max_size=40), st.binary(max_size=20), st.binary(max_size=20))
def test_every_signed_delivery_becomes_a_record(body: bytes, attempts: bytes, first: bytes) -> None:
    accepted = INTAKE.accept(Arrival(body, "eu", None, "abcd1234", 0.0, attempts, first))
    assert accepted.key
