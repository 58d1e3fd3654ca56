"""The time of an event: RFC 3339 with a zone, cut to milliseconds, in years 1 to 9999 of UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.event import EPOCH, format_time, from_millis, parse_time
from tests.strategies import LAW

NOON = datetime(2024, 7, 8, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "millis"),
    [
        ("2024-07-08T12:00:00Z", 0),
        ("2024-07-08T12:00:00.0Z", 0),
        ("2024-07-08T12:00:00.2Z", 200),
        ("2024-07-08T12:00:00.29Z", 290),
        ("2024-07-08T12:00:00.297Z", 297),
        ("2024-07-08T12:00:00.007Z", 7),
        ("2024-07-08T12:00:00.2979Z", 297),
        ("2024-07-08T12:00:00.9999Z", 999),
        ("2024-07-08T12:00:00.999999Z", 999),
        ("2024-07-08T12:00:00.999999999Z", 999),
        ("2024-07-08T12:00:00.9999999999999999999Z", 999),
        ("2024-07-08T12:00:00.0009Z", 0),
    ],
)
def test_a_time_is_cut_to_milliseconds_not_rounded(text: str, millis: int) -> None:
    assert parse_time(text) == NOON + timedelta(milliseconds=millis)


@pytest.mark.parametrize(
    "text",
    [
        "2024-07-08T12:00:00z",
        "2024-07-08t12:00:00Z",
        "2024-07-08t12:00:00z",
        "2024-07-08T12:00:00+00:00",
        "2024-07-08T12:00:00-00:00",
        "2024-07-08T14:00:00+02:00",
        "2024-07-08T17:30:00+05:30",
        "2024-07-08T05:00:00-07:00",
        "2024-07-09T11:59:00+23:59",
        "2024-07-07T12:01:00-23:59",
    ],
)
def test_every_zone_is_read_as_utc(text: str) -> None:
    moment = parse_time(text)
    assert moment == NOON
    assert moment.tzinfo is UTC


def test_a_time_before_1970_is_cut_downwards_in_its_digits() -> None:
    assert parse_time("1969-12-31T23:59:59.9999Z") == EPOCH - timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("0001-01-01T00:00:00-00:01", datetime(1, 1, 1, 0, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59.999Z", datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)),
        ("9999-12-31T23:59:59+00:01", datetime(9999, 12, 31, 23, 58, 59, tzinfo=UTC)),
        ("2024-02-29T00:00:00Z", datetime(2024, 2, 29, tzinfo=UTC)),
    ],
)
def test_years_1_to_9999_are_read(text: str, expected: datetime) -> None:
    assert parse_time(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "0000-12-31T23:59:59Z",
        "10000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
    ],
)
def test_a_moment_outside_years_1_to_9999_in_utc_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        parse_time(text)


@pytest.mark.parametrize("text", ["2016-12-31T23:59:60Z", "2016-12-31T15:59:60-08:00", "2024-07-08T12:00:60.5Z"])
def test_a_leap_second_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        parse_time(text)


@pytest.mark.parametrize("text", ["2024-07-08T12:00:00", "2024-07-08T12:00:00.297", "2024-07-08", "2024-07-08 12:00"])
def test_a_time_without_a_zone_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        parse_time(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "1720440000",
        "20240708T120000Z",
        "2024-7-8T12:00:00Z",
        "2024-W28-1T12:00:00Z",
        "2024-190T12:00:00Z",
        "2024-07-08T12:00Z",
        "2024-07-08T12Z",
        "2024-07-08T12:00:00.Z",
        "2024-07-08T12:00:00,297Z",
        "2024-07-08T12:00:00+0200",
        "2024-07-08T12:00:00+02",
        "2024-07-08T12:00:00+2:00",
        "2024-07-08T12:00:00 Z",
        "2024-07-08T12:00:00UTC",
        "2024-07-08T12:00:00+02:00:30",
        " 2024-07-08T12:00:00Z",
        "2024-07-08T12:00:00Z ",
        "2024-07-08T12:00:00Z\n",
        "-2024-07-08T12:00:00Z",
        "+2024-07-08T12:00:00Z",
        "2024-00-08T12:00:00Z",
        "2024-13-08T12:00:00Z",
        "2024-07-32T12:00:00Z",
        "2023-02-29T12:00:00Z",
        "2024-07-08T24:00:00Z",
        "2024-07-08T12:60:00Z",
        "2024-07-08T12:00:00+24:00",
        "2024-07-08T12:00:00+01:60",
        "2024-07-08T12:00:00-01:75",
    ],
)
def test_what_rfc_3339_does_not_allow_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        parse_time(text)


@pytest.mark.parametrize("digit", ["２", "٢", "२", "²"])
def test_digits_of_other_scripts_are_a_value_error(digit: str) -> None:
    for text in (f"{digit}024-07-08T12:00:00Z", f"2024-07-08T12:00:00.{digit}Z", f"2024-07-08T12:00:00+0{digit}:00"):
        with pytest.raises(ValueError):
            parse_time(text)


@LAW
@given(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)))
def test_a_time_comes_back_as_it_was_written(naive: datetime) -> None:
    moment = naive.replace(microsecond=naive.microsecond // 1000 * 1000, tzinfo=UTC)
    text = format_time(moment)
    assert parse_time(text) == moment
    assert format_time(parse_time(text)) == text


@LAW
@given(
    st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31)),
    st.integers(-1439, 1439),
)
def test_one_moment_is_one_event_time_in_every_zone(naive: datetime, minutes: int) -> None:
    moment = naive.replace(tzinfo=UTC)
    elsewhere = moment.astimezone(timezone(timedelta(minutes=minutes)))
    assert parse_time(elsewhere.isoformat()) == parse_time(moment.isoformat())


def test_a_time_is_written_with_milliseconds_and_z() -> None:
    assert format_time(NOON) == "2024-07-08T12:00:00.000Z"
    assert format_time(NOON + timedelta(milliseconds=7)) == "2024-07-08T12:00:00.007Z"
    assert format_time(datetime(1, 2, 3, tzinfo=UTC)) == "0001-02-03T00:00:00.000Z"


def test_milliseconds_since_1970_are_read_as_utc() -> None:
    assert from_millis(0) == datetime(1970, 1, 1, tzinfo=UTC)
    assert from_millis(1720441764297) == parse_time("2024-07-08T12:29:24.297Z")
    assert from_millis(-1) == parse_time("1969-12-31T23:59:59.999Z")
