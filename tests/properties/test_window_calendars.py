"""Windows that follow a calendar of their own tile the line of time, whosever calls they count."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import example, given
from hypothesis import strategies as st

from enforcer.domain.cycle import Period, Span
from enforcer.domain.measure import Calendar

# Zones whose clocks change at midnight, by half an hour, both ways within a year, or once lost a whole day.
ZONES = st.sampled_from([
    "UTC", "America/New_York", "Europe/London", "America/Havana", "Asia/Beirut", "Africa/Cairo",
    "America/Sao_Paulo", "America/St_Johns", "Pacific/Apia", "Australia/Lord_Howe", "Asia/Gaza",
    "Africa/Casablanca", "Asia/Kathmandu",
])
OWN = st.just("")
INSTANTS = st.integers(
    int(datetime(1990, 1, 1, tzinfo=UTC).timestamp()), int(datetime(2050, 1, 1, tzinfo=UTC).timestamp())
).map(float)


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    period = draw(st.sampled_from(Period))
    most = {Period.MONTH: 31, Period.WEEK: 7, Period.DAY: 0}[period]
    return Calendar(period, draw(st.integers(0, most)), draw(OWN | ZONES))


ANCHORS = st.integers(1, 31)


@given(calendars(), ANCHORS, ZONES, INSTANTS)
@example(Calendar(Period.MONTH, 31), 1, "UTC", datetime(2028, 2, 29, tzinfo=UTC).timestamp())
@example(Calendar(Period.DAY), 1, "Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC).timestamp())
def test_every_instant_lies_in_exactly_one_window(
    calendar: Calendar, anchor: int, zone: str, at: float
) -> None:
    cycle = calendar.of(anchor, zone)
    span = cycle.at(at)
    before, after = cycle.at(span.start - 1), cycle.at(span.end)
    assert [one.holds(at) for one in (before, span, after)] == [False, True, False]
    assert before.end <= span.start         # Samoa's 30th of December 2011 has no instant
    assert before.end == span.start or cycle.at(before.end) == span
    assert span.end == after.start
    assert len({before.label, span.label, after.label}) == 3
    assert cycle.named(span.label) == span


@given(calendars(), ANCHORS, ZONES, st.integers(1990, 2049))
def test_the_windows_of_a_year_follow_one_another_without_a_gap(
    calendar: Calendar, anchor: int, zone: str, year: int
) -> None:
    cycle = calendar.of(anchor, zone)
    first, last = (datetime(y, 1, 1, tzinfo=UTC).timestamp() for y in (year, year + 1))
    spans: list[Span] = [cycle.at(first)]
    while spans[-1].end <= last:
        spans.append(cycle.at(spans[-1].end))
    assert all(one.end == other.start for one, other in pairwise(spans))
    assert len({span.label for span in spans}) == len(spans)
    number = {Period.MONTH: (13, 14), Period.WEEK: (53, 54), Period.DAY: (365, 368)}[calendar.period]
    assert number[0] <= len(spans) <= number[1]
    shortest, longest = {
        Period.MONTH: (27, 32), Period.WEEK: (5, 8), Period.DAY: (0, 2),
    }[calendar.period]
    assert all(shortest * 86_400 < span.end - span.start < longest * 86_400 for span in spans)


@given(calendars(), ANCHORS, ZONES, INSTANTS)
def test_what_a_calendar_says_of_itself_stands_and_the_rest_is_the_subjects(
    calendar: Calendar, anchor: int, zone: str, at: float
) -> None:
    span = calendar.of(anchor, zone).at(at)
    name = calendar.timezone or zone
    # A window begins at local midnight, or, where there is none, at the first moment after it.
    local = datetime.fromtimestamp(span.start, ZoneInfo(name))
    eve = datetime.fromtimestamp(span.start - 1, ZoneInfo(name))
    assert eve.date() != local.date() or local.hour == 0
    if calendar.period is Period.WEEK:
        assert local.isoweekday() == (calendar.anchor or 1)
    if calendar.period is Period.MONTH:
        wanted = calendar.anchor or anchor
        month_ends = (local + timedelta(1)).day == 1
        assert local.day == wanted or (month_ends and local.day < wanted) or name == "Pacific/Apia"


@given(calendars(), ANCHORS, ANCHORS, ZONES, ZONES, INSTANTS)
def test_a_calendar_with_anchor_and_zone_is_the_same_for_everybody(
    calendar: Calendar, anchor: int, other: int, zone: str, elsewhere: str, at: float
) -> None:
    if calendar.timezone and (calendar.anchor or calendar.period is not Period.MONTH):
        assert calendar.of(anchor, zone).at(at) == calendar.of(other, elsewhere).at(at)
