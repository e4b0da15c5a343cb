"""Cycles tile the line of time, in every zone and with every anchor, and their names find them."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import example, given
from hypothesis import strategies as st

from enforcer.domain.cycle import BillingCycle, Period

ZONES = st.sampled_from([
    "UTC", "America/New_York", "America/Havana", "Asia/Beirut", "America/Sao_Paulo", "Africa/Cairo",
    "America/St_Johns", "Pacific/Apia", "Pacific/Kwajalein", "Australia/Lord_Howe", "Asia/Gaza",
    "America/Toronto", "Asia/Kathmandu", "America/Asuncion", "Atlantic/Azores", "Africa/Casablanca",
])
EARLIEST, LATEST = (datetime(year, 1, 1, tzinfo=UTC).timestamp() for year in (1915, 2060))
QUARTERS = st.integers(int(EARLIEST) // 900, int(LATEST) // 900).map(lambda n: n * 900.0)
INSTANTS = st.floats(EARLIEST, LATEST) | QUARTERS


@st.composite
def cycles(draw: st.DrawFn) -> BillingCycle:
    period = draw(st.sampled_from(Period))
    return BillingCycle(draw(st.integers(1, 7 if period is Period.WEEK else 31)), draw(ZONES), period)


@given(cycles(), INSTANTS)
@example(BillingCycle(1, "America/St_Johns", Period.DAY), 1289098800.0)     # 23:30, for the second time
@example(BillingCycle(31, "America/Toronto", Period.DAY), -1601753400.0)     # 1919: 23:30 became 00:30
def test_every_instant_lies_in_its_cycle_and_the_next_begins_where_it_ends(
    cycle: BillingCycle, at: float
) -> None:
    span = cycle.at(at)
    assert span.holds(at)
    assert cycle.at(span.start) == span
    following = cycle.at(span.end)
    assert following.start == span.end
    assert following.label > span.label


@given(cycles(), INSTANTS)
def test_the_name_of_a_cycle_finds_it(cycle: BillingCycle, at: float) -> None:
    span = cycle.at(at)
    assert cycle.named(span.label) == span
