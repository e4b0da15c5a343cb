"""The answer-seizure ratio from calls: what an attempt is, what completed, and where a level begins."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from enforcer.domain.call import CallRecord, Direction, NumberClass, Source
from enforcer.domain.charge import Charge, On, Per
from enforcer.domain.decision import Level
from enforcer.domain.measure import Calendar, Measure, Scope, Window
from enforcer.domain.rules import Rule
from enforcer.domain.settle import settle
from enforcer.domain.usage import recount
from tests.support.rules import NOON, rule
from tests.support.tables import calls, judged, numbered, reached

FINE, WARNING, CRITICAL = Level.FINE, Level.WARNING, Level.CRITICAL


def ratio(at: int | str = 4, warning: int | None = None, measure: Measure | None = None, **more: Any) -> Rule:
    """The clause, for a customer."""
    return rule("asr", at, warning, measure=measure or Measure(Scope.CUSTOMER), **more)


# Three calls that nobody answered and one of so many seconds: A = 4, and C = 1 or 0.
@pytest.mark.parametrize(("seconds", "less", "at_most"), [
    (0.0, "4/0", "4/0"), (5.999, "4/0", "4/0"), (5.9999, "4/0", "4/0"),     # whole milliseconds, truncated
    (6.0, "4/1 = 4", "4/0"), (6.0009, "4/1 = 4", "4/0"), (6.001, "4/1 = 4", "4/1 = 4"),
    (7.0, "4/1 = 4", "4/1 = 4"),
])
def test_a_call_completes_at_the_cut_off_or_past_it_as_the_policy_says(
    seconds: float, less: str, at_most: str
) -> None:
    window = calls(seconds, failed=3)
    for inclusive, value in ((False, less), (True, at_most)):
        judgement = judged(ratio(measure=Measure(short_includes_equal=inclusive)), window)
        assert judgement is not None
        assert (judgement.value, judgement.level) == (value, CRITICAL)


@pytest.mark.parametrize(("cut_off", "seconds", "completed"), [
    (0, 0.0, 1), (1000, 0.999, 0), (1000, 1.0, 1), (5500, 5.499, 0), (5500, 5.5, 1), (10_000, 9.999, 0),
])
def test_the_cut_off_is_the_policys_own(cut_off: int, seconds: float, completed: int) -> None:
    tally = recount(calls(seconds), Measure(short_msec=cut_off))
    assert (tally.completed, tally.short) == (completed, 1 - completed)


@pytest.mark.parametrize("completed", [1, 2, 25, 1000])
def test_a_ratio_is_fine_at_one_attempt_less_than_four_times_the_completed_calls(completed: int) -> None:
    lengths = [6.0] * completed
    assert reached(ratio(), calls(*lengths, failed=3 * completed - 1)) is FINE           # A = 4C - 1
    assert reached(ratio(), calls(*lengths, failed=3 * completed)) is CRITICAL           # A = 4C
    assert reached(ratio(), calls(*lengths, failed=3 * completed + 1)) is CRITICAL
    assert reached(ratio(exceeds=True), calls(*lengths, failed=3 * completed)) is FINE
    assert reached(ratio(exceeds=True), calls(*lengths, failed=3 * completed + 1)) is CRITICAL


@pytest.mark.parametrize(("failed", "exceeds", "level"), [
    (0, None, FINE), (1, None, CRITICAL), (0, True, FINE), (1, True, CRITICAL), (0, False, FINE),
])
def test_no_completed_call_and_one_attempt_reach_every_ratio_and_no_attempt_none(
    failed: int, exceeds: bool | None, level: Level
) -> None:
    one = ratio(10**6, exceeds=exceeds)
    assert reached(one, calls(failed=failed)) is level
    settled = settle(one, recount(calls(failed=failed), one.spec.measure))
    assert settled is not None
    assert settled.breached is (level is CRITICAL)


@pytest.mark.parametrize(("failed", "ringing", "level"), [
    (0, 0, FINE), (98, 0, FINE), (99, 0, FINE), (100, 0, CRITICAL), (99, 1, FINE), (99, 500, FINE),
    (100, 1, CRITICAL),
])
def test_the_sample_is_of_attempts_whose_end_is_known(failed: int, ringing: int, level: Level) -> None:
    assert reached(ratio(min_attempts=100), calls(failed=failed, ringing=ringing)) is level


def test_the_close_of_a_cycle_asks_for_no_sample() -> None:
    one = ratio(min_attempts=100)
    settled = settle(one, recount(calls(6.0, failed=3), one.spec.measure))
    assert settled is not None
    assert settled.breached


REFUSED = {"blocked": 50, "shed": 50}


@pytest.mark.parametrize(("more", "value"), [
    (calls(**REFUSED), "4/1 = 4"),                                      # blocking does not feed itself
    (calls(failed=9, number_class=NumberClass.EMERGENCY), "4/1 = 4"),
    (calls(failed=9, direction=Direction.INBOUND), "4/1 = 4"),
    (calls(failed=2, number_class=NumberClass.DIRECTORY_ASSISTANCE), "6/1 = 6"),
    (calls(failed=2, number_class=NumberClass.TOLL_FREE), "6/1 = 6"),
    (calls(ringing=3), "4/1 = 4"),
    (calls(talking=1, failed=4), "9/2 = 4.5"),
    (calls(lost=1, failed=4), "9/2 = 4.5"),                             # not held against anybody
    (calls(5.999, failed=1), "6/1 = 6"),
    (calls(3.0, ended_by=Source.CDR, told_msec=3000), "5/1 = 5"),
])
def test_what_counts_in_a_ratio(more: list[CallRecord], value: str) -> None:
    judgement = judged(ratio(), numbered(calls(6.0, failed=3), more))
    assert judgement is not None
    assert judgement.value == value


def test_with_attempts_a_leg_each_carrier_that_was_tried_is_one() -> None:
    failover = calls(60.0, legs="PJSIP/a-1 PJSIP/b-2 PJSIP/c-3")
    by_call, by_leg = Measure(), Measure(per_leg=True)
    tally = recount(failover, by_leg)
    assert (tally.attempts, tally.completed) == (3, 1)
    window = numbered(failover, calls(failed=1, legs="PJSIP/a-1"))
    assert reached(ratio(measure=by_call), window) is FINE             # 2 attempts
    assert reached(ratio(measure=by_leg), window) is CRITICAL          # 4 attempts


@pytest.mark.parametrize(("measure", "words"), [
    (Measure(), "attempts per completed call"),
    (Measure(window=Window.ROLLING, seconds=3600), "attempts per completed call in 1 h"),
    (Measure(window=Window.ROLLING, seconds=90), "attempts per completed call in 90 s"),
    (Measure(window=Window.ROLLING, seconds=172_800), "attempts per completed call in 2 d"),
    (Measure(calendar=Calendar(anchor=5)), "attempts per completed call"),
])
def test_a_ratio_names_its_window_where_that_is_not_its_cycle(measure: Measure, words: str) -> None:
    assert ratio(measure=measure).metric == words


@pytest.mark.parametrize(("window", "least", "exceeds", "room"), [
    (calls(*[6.0] * 10), 0, None, 29), (calls(*[6.0] * 10), 0, True, 30), (calls(failed=9), 10, None, 0),
    (calls(failed=5), 10, None, 4), (calls(), 10, None, 9), (calls(talking=10), 0, None, 0),
    (calls(*[6.0] * 10, ringing=5, talking=5), 0, None, 19),
])
def test_room_is_what_may_fail_until_the_ratio_is_reached_or_the_sample_large_enough(
    window: list[CallRecord], least: int, exceeds: bool | None, room: int
) -> None:
    one = ratio(min_attempts=least, exceeds=exceeds)
    assert one.headroom(recount(window, one.spec.measure), NOON) == room


@pytest.mark.parametrize(("exceeds", "room"), [(None, 4), (True, 4)])
def test_room_ends_between_whole_attempts_where_the_factor_is_no_whole_number(
    exceeds: bool | None, room: int
) -> None:
    """Three completed calls, and two and a half times as many are 7.5: seven are fine, eight are not."""
    one = ratio("5/2", exceeds=exceeds)
    assert one.headroom(recount(calls(*[6.0] * 3), one.spec.measure), NOON) == room
    assert reached(one, calls(*[6.0] * 3, failed=room)) is FINE
    assert reached(one, calls(*[6.0] * 3, failed=room + 1)) is CRITICAL


def test_a_report_counts_what_a_decision_counts() -> None:
    tally = recount(calls(6.0, failed=3, ringing=2, talking=1), Measure())
    assert ratio().standing(tally, NOON) == ("5/2 = 2.5", "4")


@pytest.mark.parametrize(("exceeds", "units"), [(None, 1), (True, 1)])
def test_the_excess_of_a_ratio_begins_past_the_last_attempt_that_was_fine(
    exceeds: bool | None, units: int
) -> None:
    one = ratio("5/2", exceeds=exceeds, charge=Charge(Decimal(1), Per.ATTEMPT, On.EXCESS))
    settled = settle(one, recount(calls(*[6.0] * 3, failed=5), one.spec.measure))
    assert settled is not None
    assert (settled.breached, settled.units) == (True, units)
