"""How far off a level is, when it comes, and what brings the account back: exact, at and around the edges."""

from __future__ import annotations

from fractions import Fraction

import pytest

from enforcer.domain.averages import average, crossed_at, fewest, left
from enforcer.domain.decision import Level
from enforcer.domain.forecast import Course, Crossing, ahead, crossings, first, lapses, looks_ahead, restores
from enforcer.domain.measure import Measure, Window
from enforcer.domain.rules.average_minutes import Share
from enforcer.domain.usage import Detailed, Tally, recount
from tests.support.rules import NOON, record, rule

DAY = 86_400.0
END = NOON + 10 * DAY


@pytest.mark.parametrize(
    ("attempts", "completed", "calls"),
    [
        (399, 100, None),       # A = 4C - 1: fine
        (400, 100, 1),          # A = 4C: one completed call is enough, 401 < 404
        (403, 100, 2),          # 404 = 4 * 101 still reaches it; 405 < 408
        (640, 100, 81),         # A + n < 4 * (C + n): n > 80
        (1, 0, 1),              # C = 0: 2 < 4
        (3, 0, 2),              # 4 >= 4 * 1, but 5 < 8
        (4000, 0, 1334),
    ],
)
def test_completed_calls_that_restore_a_ratio_are_just_enough(
    attempts: int, completed: int, calls: int | None
) -> None:
    one = rule("asr", 4)
    tally = Tally(attempts=attempts, completed=completed)
    found = restores(one, tally, Level.CRITICAL, NOON)
    assert found == (0 if calls is None else calls)


def test_a_ratio_that_may_be_reached_is_restored_by_one_call_less() -> None:
    tally = Tally(attempts=403, completed=100)
    assert restores(rule("asr", 4, exceeds=True), tally, Level.CRITICAL, NOON) == 1


def test_no_number_of_calls_restores_a_ratio_of_one() -> None:
    assert restores(rule("asr", 1), Tally(attempts=10, completed=10), Level.CRITICAL, NOON) is None


@pytest.mark.parametrize(
    ("kind", "at", "tally", "calls"),
    [
        ("short_calls", 20, Detailed(attempts=100, completed=70, short=30), 50),        # 30/150 = 20 %
        ("failed_calls", 50, Detailed(attempts=100, completed=30), 40),                 # 70/140
        ("class_share", 20, Detailed(attempts=100, marked=25), 25),                     # 25/125
        ("duration_cliff", 50, Detailed(attempts=80, completed=80, near=60), 40),       # 60/120
        ("average_duration", 60, Detailed(attempts=10, completed=10, msec=300_000), 5), # (300+5*120)/15 = 60
    ],
)
def test_good_calls_that_restore_a_share_are_just_enough(
    kind: str, at: int, tally: Detailed, calls: int
) -> None:
    assert restores(rule(kind, at), tally, Level.CRITICAL, NOON) == calls


def test_a_count_is_crossed_when_the_pace_so_far_says_so() -> None:
    """100 in ten days: the 151st comes 5.1 days from now."""
    one = rule("attempts", 200, 150)
    tally = Tally(attempts=100)
    warning, critical = crossings(one, tally, Course(tally, 10 * DAY), NOON, END)
    assert warning == Crossing(Level.WARNING, Fraction(150), 51, "attempts", NOON + 5.1 * DAY)
    assert critical == Crossing(Level.CRITICAL, Fraction(200), 101, "attempts", None)    # just too late


@pytest.mark.parametrize(("until", "comes"), [(5.1, False), (5.1001, True)])
def test_what_comes_at_the_end_of_the_window_comes_in_the_next(until: float, comes: bool) -> None:
    tally = Tally(attempts=100)
    (found,) = crossings(rule("attempts", 150), tally, Course(tally, 10 * DAY), NOON, NOON + until * DAY)
    assert (found.at is not None) is comes
    assert found.more == 51


def test_minutes_are_told_in_talk() -> None:
    """3,000 minutes in ten days; 600 are left, and are used up two days from now, to the millisecond."""
    tally = Tally(attempts=50, completed=50, msec=3000 * 60_000)
    (found,) = crossings(rule("minutes", 3600), tally, Course(tally, 10 * DAY), NOON, END)
    assert found == Crossing(Level.CRITICAL, Fraction(3600), 600 * 60_000, "msec", NOON + 2 * DAY)


def test_a_ratio_is_crossed_by_the_course_of_the_last_day() -> None:
    """400 of 1,000 completed; lately 240 attempts a day, one in six of them. The 1,792nd from now makes it
    2,792 attempts to 698 calls: exactly four to one."""
    tally = Tally(attempts=1000, completed=400)
    lately = Course(Tally(attempts=240, completed=40), DAY)
    (found,) = crossings(rule("asr", 4), tally, lately, NOON, END)
    assert found.more == 1792
    assert found.at == NOON + 1792 * 360


def test_a_ratio_that_gets_better_is_not_crossed() -> None:
    tally = Tally(attempts=1000, completed=300)
    lately = Course(Tally(attempts=240, completed=200), DAY)
    assert crossings(rule("asr", 4), tally, lately, NOON, END)[0][2:] == (None, "attempts", None)


def test_a_bad_ratio_is_crossed_when_its_sample_is_judged() -> None:
    tally = Tally(attempts=40, completed=5)
    (found,) = crossings(rule("asr", 4, min_attempts=100), tally, Course(tally, DAY), NOON, END)
    assert found.more == 60


def test_what_is_reached_is_reached_now() -> None:
    (found,) = crossings(rule("attempts", 5), Tally(attempts=6), Course(Tally(), DAY), NOON, END)
    assert found == Crossing(Level.CRITICAL, Fraction(5), 0, "attempts", NOON)


@pytest.mark.parametrize("kind", ["asr", "attempts", "minutes", "messages", "failed_calls"])
def test_nothing_goes_on_where_nothing_was_added(kind: str) -> None:
    one = rule(kind, 50)
    tally = Detailed(attempts=30, completed=20, msec=60_000)
    (found,) = crossings(one, tally, Course(Tally(), DAY), NOON, END)
    assert found.at is None


def test_steps_keep_the_mixture() -> None:
    added = Detailed(attempts=10, completed=4, short=1, talking=1, msec=600, marked=3, near=2)
    after = ahead(Detailed(attempts=100), added, 20, "attempts")
    assert (after.attempts, after.completed, after.short, after.msec) == (120, 10, 2, 1200)
    assert isinstance(after, Detailed)
    assert (after.marked, after.near) == (6, 4)


def test_the_first_of_many_steps_is_found_whatever_their_number() -> None:
    for edge in range(1, 70):
        assert first(lambda steps, edge=edge: steps >= edge, 64) == (edge if edge <= 64 else None)


def test_only_what_adds_up_has_a_forecast() -> None:
    assert looks_ahead(rule("attempts", 5))
    assert not looks_ahead(rule("attempts", 5, measure=Measure(window=Window.ROLLING, seconds=3600)))
    assert not looks_ahead(rule("concurrent_calls", 5))
    assert not looks_ahead(rule("strikes", 5))


def test_a_rolling_window_lapses_when_enough_calls_have_left_it() -> None:
    """Five calls, a minute apart; three are fine. The second leaves an hour after it began, with its step."""
    one = rule("attempts", 3, measure=Measure(window=Window.ROLLING, seconds=3600))
    measure = one.spec.measure
    calls = [record(NOON + 60 * n, call_id=f"pbx1/{n}") for n in range(5)]

    def holds(at: float) -> bool:
        return one.judge(recount(calls, measure, at), at, None) is not None

    when = lapses([call.started_at for call in calls], measure, holds, NOON + 300)
    assert when is not None
    assert when == pytest.approx(NOON + 60 + 3600, abs=0.1)
    assert holds(when - 1)
    assert not holds(when)


ALL = [Share("a", 90_000_000, 1), Share("b", 70_000_000, 1), Share("c", 1_200_000, 1), Share("d", 0, 1)]


def test_an_average_exactly_at_its_limit_is_within_it() -> None:
    shares = [Share("a", 90_000_000, 1), Share("b", 30_000_000, 1)]     # 1,500 and 500 minutes
    assert average(shares) == 1000
    assert left(shares, Fraction(1000)) == 0
    assert fewest(shares, Fraction(1000)) == []
    assert [s.account for s in fewest([*shares[:1], Share("b", 30_000_001, 1)], Fraction(1000))] == ["a"]


@pytest.mark.parametrize(("limit", "accounts"), [(700, []), (600, ["a"]), (500, ["a"]), (300, ["a", "b"])])
def test_the_fewest_accounts_to_act_on_are_those_furthest_beyond(limit: int, accounts: list[str]) -> None:
    assert [share.account for share in fewest(ALL, Fraction(limit))] == accounts


def test_a_trunk_stands_for_its_channels() -> None:
    trunks = [Share("big", 100 * 60_000, 10), Share("small", 60 * 60_000, 1)]
    assert average(trunks) == Fraction(160, 11)
    assert [share.account for share in fewest(trunks, Fraction(12))] == ["small"]
    assert average([Share("none", 60_000, 0)]) is None


def test_an_average_is_crossed_at_the_pace_of_the_cycle_so_far() -> None:
    shares = [Share("a", 60_000_000, 1)]                # 1,000 minutes in ten days, 100 a day
    start = NOON - 10 * DAY
    assert crossed_at(shares, Fraction(1500), start, NOON, END) == pytest.approx(NOON + 5 * DAY, abs=1)
    assert crossed_at(shares, Fraction(2500), start, NOON, END) is None
    assert crossed_at(shares, Fraction(999), start, NOON, END) == NOON
    assert crossed_at([Share("a", 0, 1)], Fraction(1), start, NOON, END) is None


def test_calls_that_only_rang_bring_no_minutes() -> None:
    """What went on was attempts; of talk there was none to go on with."""
    lately = Course(Tally(attempts=7, ringing=1), DAY)
    (found,) = crossings(rule("minutes", 3600), Tally(), lately, NOON, END)
    assert (found.more, found.at) == (None, None)
