"""Attempts, minutes, concurrent calls and calls per second, at and around their limits."""

from __future__ import annotations

import pytest

from enforcer.domain.account import Account, AccountType
from enforcer.domain.call import Direction, NumberClass
from enforcer.domain.decision import Level, Verdict
from enforcer.domain.measure import Measure, Window
from enforcer.domain.rules import KINDS, Pace, Rule
from enforcer.domain.rules.pace import Pacer
from enforcer.domain.usage import Tally
from tests.support.rules import NOON, rule

MINUTE = 60_000


def level(one: Rule, tally: Tally, at: float = NOON) -> Level:
    judgement = one.judge(tally, at, None)
    return Level.FINE if judgement is None else judgement.level


@pytest.mark.parametrize(("attempts", "reached"), [
    (0, Level.FINE), (80, Level.FINE), (81, Level.WARNING), (100, Level.WARNING), (101, Level.CRITICAL),
])
def test_the_hundredth_attempt_of_a_hundred_is_fine(attempts: int, reached: Level) -> None:
    assert level(rule("attempts", 100, 80), Tally(attempts=attempts)) is reached


@pytest.mark.parametrize(("ringing", "talking", "reached"), [
    (0, 0, Level.FINE), (1, 2, Level.FINE), (2, 2, Level.WARNING), (1, 4, Level.WARNING),
    (3, 3, Level.CRITICAL),
])
def test_the_fifth_call_of_five_at_once_is_fine(ringing: int, talking: int, reached: Level) -> None:
    tally = Tally(attempts=ringing + talking, ringing=ringing, talking=talking)
    assert level(rule("concurrent_calls", 5, 3), tally) is reached


@pytest.mark.parametrize("kind", ["attempts", "concurrent_calls"])
def test_a_limit_of_none_lets_none_through(kind: str) -> None:
    assert level(rule(kind, 0), Tally(attempts=1, ringing=1)) is Level.CRITICAL


@pytest.mark.parametrize(("used", "reached", "left"), [
    (0, Level.FINE, 600), (8 * MINUTE - 1, Level.FINE, 120), (8 * MINUTE, Level.WARNING, 120),
    (10 * MINUTE - 1001, Level.WARNING, 1), (10 * MINUTE - 1, Level.WARNING, 1),
    (10 * MINUTE, Level.CRITICAL, None), (11 * MINUTE, Level.CRITICAL, None),
])
def test_minutes_are_over_when_they_are_used_up_and_cap_the_call_before(
    used: int, reached: Level, left: int | None
) -> None:
    judgement = rule("minutes", 10, 8).judge(Tally(msec=used), NOON, None)
    assert judgement is not None
    assert (judgement.level, judgement.max_duration) == (reached, left)


@pytest.mark.parametrize(("later", "reached"), [(59.999, Level.FINE), (60.0, Level.CRITICAL)])
def test_calls_in_progress_use_minutes_up(later: float, reached: Level) -> None:
    two_talking = Tally(attempts=2, talking=2, msec=8 * MINUTE, talking_since=2 * int(NOON) * 1000)
    assert level(rule("minutes", 10), two_talking, NOON + later) is reached


def test_minutes_that_do_not_block_cap_no_call() -> None:
    assert rule("minutes", 10, verdict=Verdict.THROTTLE).judge(Tally(), NOON, None) is None


@pytest.mark.parametrize(("kind", "tally", "room"), [
    ("attempts", Tally(attempts=70), 10), ("attempts", Tally(attempts=80), 0),
    ("attempts", Tally(attempts=500), 0),
    ("concurrent_calls", Tally(ringing=40, talking=39), 1), ("concurrent_calls", Tally(talking=80), 0),
    ("minutes", Tally(), 1), ("minutes", Tally(msec=20 * MINUTE - 1), 1),
    ("minutes", Tally(msec=20 * MINUTE), 0),
    ("minutes", Tally(ringing=1), 0), ("cps", Tally(), 0),
])
def test_headroom_ends_where_the_warning_begins(kind: str, tally: Tally, room: int) -> None:
    assert rule(kind, 100, 80).headroom(tally, NOON) == room


@pytest.mark.parametrize("kind", ["concurrent_calls", "cps"])
def test_rules_about_each_call_look_at_calls_in_progress_and_allow_no_lease(kind: str) -> None:
    one = rule(kind, 5, measure=Measure(window=Window.CYCLE))
    assert one.spec.measure.window is Window.LIVE
    assert one.per_call


@pytest.mark.parametrize(("limit", "pace"), [
    (5, Pace(5, 1.0)), (1, Pace(1, 1.0)), ("5/2", Pace(2, 1.0)), ("1/4", Pace(1, 4.0)),
    ("19/10", Pace(1, 1.0)),
])
def test_the_limit_of_a_rate_is_its_pace_rounded_to_what_no_second_exceeds(
    limit: str | int, pace: Pace
) -> None:
    assert rule("cps", limit).spec.pace == pace


@pytest.mark.parametrize("limit", [0, -1])
def test_a_rate_of_nothing_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match="no pace"):
        rule("cps", limit)


@pytest.mark.parametrize(("released", "reached", "value"), [
    (0, Level.FINE, ""), (2, Level.FINE, ""), (3, Level.WARNING, "4"), (4, Level.WARNING, "5"),
    (5, Level.CRITICAL, "6"),
])
def test_a_rate_is_judged_by_the_calls_let_through_in_the_last_second(
    released: int, reached: Level, value: str
) -> None:
    one = rule("cps", 5, 3, verdict=Verdict.THROTTLE)
    pacer = Pacer(one.spec.pace)
    for n in range(released):
        pacer.take(NOON + n * 0.01)
    judgement = one.judge(Tally(), NOON + 0.999, pacer)
    assert (reached, value) == (Level.FINE, "") if judgement is None else (judgement.level, judgement.value)
    assert one.judge(Tally(), NOON + 1.05, pacer) is None


def test_a_rate_under_one_is_told_per_second_too() -> None:
    one = rule("cps", "1/4")
    pacer = Pacer(one.spec.pace)
    pacer.take(NOON)
    judgement = one.judge(Tally(), NOON + 1, pacer)
    assert judgement is not None
    assert (judgement.value, judgement.limit) == ("0.5", "0.25")


@pytest.mark.parametrize(("selector", "covered"), [
    ({}, True), ({"types": frozenset({AccountType.TRUNK})}, True),
    ({"types": frozenset({AccountType.PBX})}, False),
    ({"plans": frozenset({"flat"})}, True), ({"plans": frozenset({"metered"})}, False),
    ({"customers": frozenset({"acme-ltd"})}, True), ({"customers": frozenset({"acme"})}, False),
    ({"accounts": frozenset({"acme"})}, True), ({"accounts": frozenset({"acme-ltd"})}, False),
    ({"accounts": frozenset({"acme"}), "plans": frozenset({"metered"})}, False),
])
def test_selectors_all_have_to_fit(selector: dict[str, frozenset[str]], covered: bool) -> None:
    account = Account("acme", "acme-ltd", AccountType.TRUNK, channels=4, plan="flat")
    assert rule("attempts", 1, **selector).spec.covers(account) is covered


@pytest.mark.parametrize("kind", KINDS)
def test_no_rule_is_about_emergency_calls(kind: str) -> None:
    measure = Measure(directions=frozenset(Direction), only=frozenset({NumberClass.EMERGENCY}))
    for one in (rule(kind, 5), rule(kind, 5, measure=measure)):
        assert all(number is not NumberClass.EMERGENCY for _, _, number in one.about)
