"""Answer-seizure ratio: IP2Call's clause, A >= 4 * C with A > 0, at and around its edges."""

from __future__ import annotations

import pytest

from enforcer.domain.decision import Level
from enforcer.domain.measure import Measure
from enforcer.domain.rules import Rule
from enforcer.domain.usage import Tally, recount
from tests.support.rules import NOON, record, rule, talked

FOUR = rule("asr", 4, 3)


def level(asr: Rule, tally: Tally) -> Level:
    judgement = asr.judge(tally, NOON, None)
    return Level.FINE if judgement is None else judgement.level


@pytest.mark.parametrize(("attempts", "completed", "reached"), [
    (0, 0, Level.FINE), (1, 0, Level.CRITICAL), (1, 1, Level.FINE), (2, 1, Level.FINE),
    (3, 1, Level.WARNING), (4, 1, Level.CRITICAL), (5, 1, Level.CRITICAL),
    (299, 100, Level.FINE), (300, 100, Level.WARNING), (399, 100, Level.WARNING), (400, 100, Level.CRITICAL),
])
def test_a_level_is_reached_at_so_many_attempts_a_completed_call(
    attempts: int, completed: int, reached: Level
) -> None:
    assert level(FOUR, Tally(attempts=attempts, completed=completed)) is reached


@pytest.mark.parametrize(("attempts", "completed", "reached"), [
    (6, 4, Level.FINE), (9, 4, Level.FINE), (10, 4, Level.CRITICAL), (5, 2, Level.CRITICAL),
    (4, 2, Level.FINE),
])
def test_a_factor_may_be_a_fraction(attempts: int, completed: int, reached: Level) -> None:
    assert level(rule("asr", "5/2"), Tally(attempts=attempts, completed=completed)) is reached


@pytest.mark.parametrize(("attempts", "reached"), [(19, Level.FINE), (20, Level.CRITICAL)])
def test_nothing_is_judged_below_the_minimum_sample(attempts: int, reached: Level) -> None:
    assert level(rule("asr", 4, min_attempts=20), Tally(attempts=attempts)) is reached


@pytest.mark.parametrize(("attempts", "ringing", "talking", "completed", "reached"), [
    (4, 1, 0, 1, Level.WARNING),        # the call in question rings, and is not held against itself
    (5, 1, 0, 1, Level.CRITICAL),
    (1, 1, 0, 0, Level.FINE),
    (9, 2, 1, 1, Level.WARNING),        # 7 attempts, 2 completed or still talking
    (9, 1, 1, 1, Level.CRITICAL),
    (100, 100, 0, 0, Level.FINE),
    (4, 0, 4, 0, Level.FINE),
])
def test_ringing_calls_are_left_out_and_talking_ones_count_as_completed(
    attempts: int, ringing: int, talking: int, completed: int, reached: Level
) -> None:
    tally = Tally(attempts=attempts, ringing=ringing, talking=talking, completed=completed)
    assert level(FOUR, tally) is reached


def test_four_calls_of_which_one_lasts_six_seconds_reach_the_factor() -> None:
    failed = [record(ended_at=NOON + 9, hangup_cause=17)] * 3
    assert level(FOUR, recount([*failed, talked(6.0)], Measure())) is Level.CRITICAL
    assert level(FOUR, recount([*failed[1:], talked(6.0)], Measure())) is Level.WARNING
    judgement = FOUR.judge(recount([*failed, talked(5.999)], Measure()), NOON, None)
    assert judgement is not None
    assert (judgement.value, judgement.limit) == ("4/0", "4")


def test_the_numbers_are_told_as_a_person_would_check_them() -> None:
    judgement = FOUR.judge(Tally(attempts=41, completed=10), NOON, None)
    assert judgement is not None
    assert (judgement.value, judgement.limit) == ("41/10 = 4.1", "4")
    assert FOUR.standing(Tally(attempts=41, ringing=1, completed=10), NOON) == ("40/10 = 4", "4")


@pytest.mark.parametrize(("tally", "least", "room"), [
    (Tally(), 0, 0), (Tally(), 100, 99), (Tally(attempts=10, completed=10), 0, 19),
    (Tally(attempts=29, completed=10), 0, 0), (Tally(attempts=10, talking=10), 0, 0),
    (Tally(attempts=10, talking=10), 50, 39), (Tally(attempts=400, completed=100), 0, 0),
])
def test_headroom_expects_the_worst_of_calls_in_progress(tally: Tally, least: int, room: int) -> None:
    assert rule("asr", 4, 3, min_attempts=least).headroom(tally, NOON) == room
