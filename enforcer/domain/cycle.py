"""Billing cycles: calendars with an anchor and a time zone, never "30 days".

In: an anchor day, a zone, an instant. Out: the cycle that the instant lies in.
Refuses to know: today.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo


class Period(StrEnum):
    """How often a cycle closes."""

    MONTH = "month"
    WEEK = "week"
    DAY = "day"


class Span(NamedTuple):
    """One cycle: from `start` up to but not including `end`, in Unix seconds.

    `label` names it for people and on the command line, by the local date it starts on:
    "2026-11" for months, "2026-W47" for weeks, "2026-11-22" for days.
    """

    start: float
    end: float
    label: str

    def holds(self, at: float) -> bool:
        """Whether the instant lies in this cycle."""
        return self.start <= at < self.end


@dataclass(frozen=True, slots=True)
class BillingCycle:
    """A calendar of cycles. An anchor of 29-31 clamps to the last day of shorter months.
    Raises ValueError for an anchor that no month or week has.

    `anchor` is the day of the month (1-31) for months, the ISO weekday (1 Monday) for weeks,
    and has no meaning for days. Cycles start at local midnight; where a change to summer
    time skips midnight, at the instant of the change; where midnight comes twice, at the first.
    """

    anchor: int = 1
    timezone: str = "UTC"
    period: Period = Period.MONTH

    def __post_init__(self) -> None:
        last = {Period.MONTH: 31, Period.WEEK: 7}.get(self.period)
        if last is not None and not 1 <= self.anchor <= last:
            raise ValueError(f"no {self.period} begins on day {self.anchor} (1 to {last})")

    def at(self, at: float) -> Span:
        """The cycle in which the instant `at` (Unix seconds) lies."""
        day = datetime.fromtimestamp(at, ZoneInfo(self.timezone)).date()
        span = _span(self, day)
        # Where clocks went back or forward over midnight itself (St. John's did, at 00:01, until
        # 2011), the local date of an instant may be a day off the cycle that holds it.
        if at >= span.end:
            return _span(self, day + timedelta(1))
        return _span(self, day - timedelta(1)) if at < span.start else span

    def named(self, label: str) -> Span:
        """The cycle that people call `label`. Raises ValueError where there is no such cycle."""
        try:
            if self.period is Period.MONTH:
                day = datetime.strptime(label, "%Y-%m").date()
                day = _anchor_in(day.year, day.month, self.anchor)
            elif self.period is Period.WEEK:
                day = datetime.strptime(label + "-1", "%G-W%V-%u").date() + timedelta(self.anchor - 1)
            else:
                day = datetime.strptime(label, "%Y-%m-%d").date()
            span = _span(self, day)
        except OverflowError:       # before the year 1, or after 9999
            raise ValueError(f"no cycle is called {label!r}") from None
        if span.label != label:     # such as week 53 of a year that has 52
            raise ValueError(f"no cycle is called {label!r}: is {span.label!r} meant?")
        return span


@lru_cache(maxsize=4096)
def _span(cycle: BillingCycle, day: date) -> Span:
    """The cycle that holds a local date."""
    if cycle.period is Period.DAY:
        first, last, label = day, day + timedelta(1), day.isoformat()
    elif cycle.period is Period.WEEK:
        first = day - timedelta((day.isoweekday() - cycle.anchor) % 7)
        last = first + timedelta(7)
        iso = (first - timedelta(cycle.anchor - 1)).isocalendar()
        label = f"{iso.year}-W{iso.week:02}"
    else:
        first = _anchor_in(day.year, day.month, cycle.anchor)
        if day < first:
            year, month = (day.year - 1, 12) if day.month == 1 else (day.year, day.month - 1)
            first = _anchor_in(year, month, cycle.anchor)
        year, month = (first.year + 1, 1) if first.month == 12 else (first.year, first.month + 1)
        last = _anchor_in(year, month, cycle.anchor)
        label = f"{first.year:04}-{first.month:02}"
    zone = ZoneInfo(cycle.timezone)
    return Span(_midnight(first, zone), _midnight(last, zone), label)


def _anchor_in(year: int, month: int, anchor: int) -> date:
    return date(year, month, min(anchor, monthrange(year, month)[1]))


def _midnight(day: date, zone: ZoneInfo) -> float:
    """Local midnight as Unix seconds. `fold=0` gives the first of two midnights, and for one that
    is skipped the offset of before the change, which is the instant of the change itself."""
    return datetime.combine(day, time(0), zone).timestamp()
