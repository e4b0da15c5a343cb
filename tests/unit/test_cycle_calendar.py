"""Billing cycles on the calendar: anchors, leap years, changes of the clock, names."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from enforcer.domain.cycle import BillingCycle, Period


def at(text: str) -> float:
    """Unix seconds of a UTC time."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(("anchor", "instant", "first", "last", "label"), [
    (1, "2026-11-22", "2026-11-01", "2026-12-01", "2026-11"),
    (22, "2026-11-22", "2026-11-22", "2026-12-22", "2026-11"),
    (23, "2026-11-22", "2026-10-23", "2026-11-23", "2026-10"),
    (31, "2026-11-22", "2026-10-31", "2026-11-30", "2026-10"),
    (31, "2026-11-30", "2026-11-30", "2026-12-31", "2026-11"),
    (30, "2026-02-28", "2026-02-28", "2026-03-30", "2026-02"),
    (29, "2026-02-27", "2026-01-29", "2026-02-28", "2026-01"),
    (29, "2028-02-28", "2028-01-29", "2028-02-29", "2028-01"),
    (29, "2028-02-29", "2028-02-29", "2028-03-29", "2028-02"),
    (31, "2100-02-28", "2100-02-28", "2100-03-31", "2100-02"),
    (15, "2027-01-14", "2026-12-15", "2027-01-15", "2026-12"),
    (31, "2026-12-31", "2026-12-31", "2027-01-31", "2026-12"),
])
def test_an_anchor_clamps_to_the_last_day_of_shorter_months(
    anchor: int, instant: str, first: str, last: str, label: str
) -> None:
    assert BillingCycle(anchor).at(at(instant)) == (at(first), at(last), label)


@pytest.mark.parametrize(("zone", "month", "hours"), [
    ("UTC", "2026-03", 744), ("America/New_York", "2026-03", 743), ("America/New_York", "2026-11", 721),
    ("Australia/Lord_Howe", "2026-04", 720.5), ("Asia/Kolkata", "2026-03", 744),
    ("Pacific/Apia", "2011-12", 720),       # it left out a whole day
])
def test_a_month_has_the_hours_that_its_clocks_have(zone: str, month: str, hours: float) -> None:
    span = BillingCycle(1, zone).named(month)
    assert (span.end - span.start) / 3600 == hours


@pytest.mark.parametrize(("zone", "day", "starts", "hours"), [
    ("America/Havana", "2026-03-08", "2026-03-08T05:00", 23),       # midnight is skipped
    ("America/Havana", "2026-11-01", "2026-11-01T04:00", 25),       # midnight comes twice: the first
    ("Asia/Beirut", "2026-03-29", "2026-03-28T22:00", 23),
    ("Asia/Beirut", "2026-10-24", "2026-10-23T21:00", 25),          # 24:00 goes back to 23:00
    ("Africa/Cairo", "2026-04-24", "2026-04-23T22:00", 23),
    ("Africa/Cairo", "2026-10-29", "2026-10-28T21:00", 25),
    ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00", 23),
    ("America/Sao_Paulo", "2018-02-17", "2018-02-17T02:00", 25),
    ("America/St_Johns", "2010-11-06", "2010-11-06T02:30", 24),     # 00:01 goes back to 23:01
    ("America/St_Johns", "2010-11-07", "2010-11-07T02:30", 25),
    ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00", 0),          # there was no such day
])
def test_a_day_begins_at_its_first_midnight_or_where_that_is_skipped(
    zone: str, day: str, starts: str, hours: float
) -> None:
    span = BillingCycle(1, zone, Period.DAY).named(day)
    assert (span.start, (span.end - span.start) / 3600) == (at(starts), hours)


def test_the_second_run_of_an_hour_before_midnight_belongs_to_the_day_that_had_begun() -> None:
    days = BillingCycle(1, "America/St_Johns", Period.DAY)
    assert days.at(at("2010-11-07T02:30")).label == "2010-11-07"       # 00:00, for the first time
    assert days.at(at("2010-11-07T03:00")).label == "2010-11-07"       # 23:30 of the 6th, once more


@pytest.mark.parametrize(("weekday", "instant", "label", "starts"), [
    (1, "2026-11-22", "2026-W47", "2026-11-16"), (7, "2026-11-22", "2026-W47", "2026-11-22"),
    (3, "2026-11-22", "2026-W47", "2026-11-18"), (1, "2027-01-01", "2026-W53", "2026-12-28"),
    (5, "2027-01-01", "2026-W53", "2027-01-01"), (1, "2024-12-30", "2025-W01", "2024-12-30"),
])
def test_weeks_are_named_by_the_iso_week_they_begin_in(
    weekday: int, instant: str, label: str, starts: str
) -> None:
    weeks = BillingCycle(weekday, period=Period.WEEK)
    span = weeks.at(at(instant))
    assert (span.label, span.start, span.end) == (label, at(starts), at(starts) + 7 * 86400)
    assert weeks.named(label) == span


@pytest.mark.parametrize(("period", "label"), [
    (Period.MONTH, "2026-13"), (Period.MONTH, "2026-11-22"), (Period.MONTH, ""), (Period.MONTH, "9999-12"),
    (Period.WEEK, "2025-W53"), (Period.WEEK, "2026-47"), (Period.DAY, "2026-02-29"),
    (Period.DAY, "9999-12-31"),
])
def test_a_name_that_no_cycle_has_is_refused(period: Period, label: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        BillingCycle(1, period=period).named(label)


@pytest.mark.parametrize(("anchor", "period"), [
    (0, Period.MONTH), (32, Period.MONTH), (-1, Period.MONTH), (0, Period.WEEK), (8, Period.WEEK),
])
def test_an_anchor_that_no_month_or_week_has_is_refused(anchor: int, period: Period) -> None:
    with pytest.raises(ValueError, match=f"day {anchor}"):
        BillingCycle(anchor, period=period)
