"""Windows: rolling ones move on step by step and are never longer than said; others follow a calendar."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from enforcer.domain.cycle import Period
from enforcer.domain.measure import Calendar, Measure, Window
from enforcer.domain.rules.base import window_words
from enforcer.domain.settle import settles
from enforcer.domain.usage import Rolling, contribute, recount
from tests.support.rules import NOON, record, rule
from tests.support.tables import calls, numbered


def rolling(seconds: int) -> Measure:
    return Measure(window=Window.ROLLING, seconds=seconds)


def at(text: str, zone: str = "UTC") -> float:
    """Unix seconds of a local time."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(("seconds", "step"), [
    (86_400, 720.0), (3600, 30.0), (60, 0.5), (1, 1 / 120), (90, 0.75), (2_592_000, 21_600.0), (7, 7 / 120),
])
def test_a_window_moves_on_by_a_hundred_and_twentieth_of_itself(seconds: int, step: float) -> None:
    assert rolling(seconds).step == step


# NOON is where a step of an hour's window begins: calls at :00 and :29.999 leave together.
@pytest.mark.parametrize(("started", "now", "counted"), [
    (0, 0, True), (0, 3569.999, True), (0, 3599.999, True), (0, 3600, False), (0, 3601, False),
    (15, 3599.999, True), (15, 3600, False), (29.999, 3599.999, True), (29.999, 3600, False),
    (30, 3600, True), (30, 3629.999, True), (30, 3630, False), (3600, 3600, True), (0, 999_999, False),
])
def test_a_call_leaves_with_its_step_and_no_later_than_its_window_ends(
    started: float, now: float, counted: bool
) -> None:
    tally = recount(calls(60.0, at=NOON + started), rolling(3600), NOON + now)
    assert (tally.attempts, tally.completed, tally.msec) == ((1, 1, 60_000) if counted else (0, 0, 0))


@pytest.mark.parametrize("seconds", [1, 7, 60, 90, 3600, 5400, 86_400, 604_800, 2_592_000])
@pytest.mark.parametrize("offset", [0.0, 0.001, 17.3, 1234.567])
def test_a_window_is_as_long_as_it_says_or_a_step_shorter(seconds: int, offset: float) -> None:
    measure, start = rolling(seconds), NOON + offset
    kept = seconds - measure.step - 1e-6
    assert recount([record(start)], measure, start + kept).attempts == 1
    assert recount([record(start)], measure, start + seconds).attempts == 0
    span = measure.rolling_span(start + seconds)
    assert start < span.start <= start + measure.step + 1e-6
    assert span.label == f"last {seconds} s"


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Australia/Lord_Howe"])
@pytest.mark.parametrize(("day", "hours"), [("2026-03-08", 23), ("2026-11-01", 25)])
def test_a_rolling_day_is_a_day_whatever_the_clocks_do_and_a_calendar_day_is_not(
    zone: str, day: str, hours: int
) -> None:
    measure = Measure(window=Window.ROLLING, seconds=86_400)
    started = at(f"{day}T00:00", "America/New_York")
    ((call,),) = [calls(60.0, at=started)]
    for later, counted in ((86_399 - 720, 1), (86_400, 0)):
        assert recount([call], measure, started + later).attempts == counted
    span = Calendar(Period.DAY, timezone="America/New_York").of(1, zone).at(started)
    assert (span.start, span.end - span.start) == (started, hours * 3600)


def test_a_late_event_of_a_step_that_has_passed_is_not_counted() -> None:
    measure = rolling(3600)
    tally = recount([], measure)
    assert isinstance(tally, Rolling)
    tally.move(NOON + 3600, measure)
    (late, early) = numbered(calls(60.0, at=NOON), calls(60.0, at=NOON - 999_999))
    for call in (late, early):
        contribute(tally, call, measure, 1)
    assert tally.figures == recount([], measure).figures
    (within,) = calls(60.0, at=NOON + 30)
    contribute(tally, within, measure, 1)
    assert (tally.attempts, tally.completed) == (1, 1)


def test_what_has_left_is_taken_back_by_nobody_a_second_time() -> None:
    measure = rolling(3600)
    (early, later) = numbered(calls(60.0), calls(60.0, at=NOON + 600))
    tally = recount([early, later], measure)
    assert isinstance(tally, Rolling)
    tally.move(NOON + 3700, measure)
    contribute(tally, early, measure, -1)           # its CDR comes, and would replace what was told
    contribute(tally, early, measure, 1)
    assert (tally.attempts, tally.completed, tally.msec) == (1, 1, 60_000)


def test_a_window_never_moves_back() -> None:
    measure = rolling(3600)
    tally = recount(calls(60.0), measure)
    assert isinstance(tally, Rolling)
    for moment, attempts in ((NOON + 3599, 1), (NOON + 3700, 0), (NOON, 0)):
        tally.move(moment, measure)
        assert tally.attempts == attempts
    assert tally.edge == measure.edge(NOON + 3700)


def test_a_window_that_moves_on_keeps_no_more_steps_than_it_has() -> None:
    measure = rolling(3600)
    tally = recount([], measure)
    assert isinstance(tally, Rolling)
    for nth in range(2000):
        moment = NOON + nth * 11.0
        contribute(tally, record(moment, call_id=f"pbx1/{nth}"), measure, 1)
        tally.move(moment, measure)
        assert tally.steps is not None
        assert len(tally.steps) <= 121
    assert 3570 / 11 - 1 <= tally.attempts <= 3600 / 11 + 1
    tally.move(NOON + 10**6, measure)
    assert (tally.figures, tally.steps) == (recount([], measure).figures, {})


def test_a_call_is_in_the_window_of_its_beginning_however_long_it_lasts() -> None:
    assert recount(calls(7200.0), rolling(3600), NOON + 7200).msec == 0
    talking = calls(talking=1)
    assert recount(talking, rolling(3600), NOON + 3599).msec_at(NOON + 3599) == 3_599_000
    assert recount(talking, rolling(3600), NOON + 3600).live == 0


@pytest.mark.parametrize(("calendar", "now", "first", "last"), [
    (Calendar(), "2026-11-22T12:00", "2026-11-15T05:00", "2026-12-15T05:00"),       # the account's own
    (Calendar(anchor=1), "2026-11-22T12:00", "2026-11-01T04:00", "2026-12-01T05:00"),
    (Calendar(timezone="UTC"), "2026-11-22T12:00", "2026-11-15", "2026-12-15"),
    (Calendar(anchor=1, timezone="UTC"), "2026-11-22T12:00", "2026-11-01", "2026-12-01"),
    (Calendar(anchor=31, timezone="UTC"), "2028-02-29T12:00", "2028-02-29", "2028-03-31"),
    (Calendar(Period.DAY), "2026-11-22T04:59", "2026-11-21T05:00", "2026-11-22T05:00"),
    (Calendar(Period.DAY), "2026-11-22T05:00", "2026-11-22T05:00", "2026-11-23T05:00"),
    (Calendar(Period.DAY, timezone="UTC"), "2026-11-22T04:59", "2026-11-22", "2026-11-23"),
    (Calendar(Period.WEEK), "2026-11-22T12:00", "2026-11-16T05:00", "2026-11-23T05:00"),
    (Calendar(Period.WEEK, 7), "2026-11-22T12:00", "2026-11-22T05:00", "2026-11-29T05:00"),
    (Calendar(Period.WEEK, 7, "UTC"), "2026-11-22T00:00", "2026-11-22", "2026-11-29"),
])
def test_a_calendar_that_says_nothing_of_its_own_is_the_accounts(
    calendar: Calendar, now: str, first: str, last: str
) -> None:
    """An account in New York whose cycle begins on the 15th."""
    span = calendar.of(15, "America/New_York").at(at(now))
    utc = [datetime.fromtimestamp(edge, UTC).replace(tzinfo=None) for edge in (span.start, span.end)]
    assert utc == [datetime.fromisoformat(first), datetime.fromisoformat(last)]


@pytest.mark.parametrize(("measure", "billing"), [
    (Measure(), True), (Measure(calendar=Calendar()), True), (Measure(calendar=Calendar(anchor=1)), False),
    (Measure(calendar=Calendar(timezone="UTC")), False), (Measure(calendar=Calendar(Period.DAY)), False),
    (Measure(calendar=Calendar(Period.WEEK)), False), (rolling(3600), False),
    (Measure(window=Window.LIVE), False),
])
def test_only_the_billing_cycle_itself_is_settled(measure: Measure, billing: bool) -> None:
    assert measure.billing is billing
    for kind in ("attempts", "minutes", "asr", "short_calls", "redials", "average_duration"):
        assert settles(rule(kind, 1, measure=measure)) is billing


@pytest.mark.parametrize(("measure", "words"), [
    (Measure(), "this cycle"), (Measure(calendar=Calendar(Period.DAY)), "today"),
    (Measure(calendar=Calendar(Period.WEEK)), "this week"), (rolling(86_400), "in 1 d"),
    (rolling(5400), "in 90 min"), (rolling(61), "in 61 s"), (rolling(7200), "in 2 h"),
])
def test_a_window_is_named_in_its_largest_whole_unit(measure: Measure, words: str) -> None:
    assert window_words(measure) == words
