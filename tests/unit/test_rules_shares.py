"""Shares of calls: short, failed, costly and barely completed ones, at every edge."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from enforcer.domain.call import CallRecord, NumberClass
from enforcer.domain.charge import Charge, On, Per
from enforcer.domain.decision import Level
from enforcer.domain.measure import Measure
from enforcer.domain.rules import Rule
from enforcer.domain.settle import settle
from enforcer.domain.usage import recount
from tests.support.rules import NOON, rule
from tests.support.tables import calls, judged, numbered, reached

FINE, WARNING, CRITICAL = Level.FINE, Level.WARNING, Level.CRITICAL
COSTLY = Measure(marked=frozenset({NumberClass.PREMIUM, NumberClass.HIGH_RISK}))
CLIFF = Measure(near_msec=3000)
SHORT, LONG, JUST = 3.0, 60.0, 7.5


def costly(number: int) -> list[CallRecord]:
    return calls(*[LONG] * number, number_class=NumberClass.PREMIUM)


def window(kind: str, part: int, whole: int) -> list[CallRecord]:
    """So many calls of which so many are what the kind looks for."""
    rest = whole - part
    return {
        "short_calls": lambda: calls(*[SHORT] * part, *[LONG] * rest),
        "failed_calls": lambda: calls(*[LONG] * rest, failed=part),
        "class_share": lambda: numbered(costly(part), calls(*[LONG] * rest)),
        "duration_cliff": lambda: calls(*[JUST] * part, *[LONG] * rest),
    }[kind]()


def share(kind: str, at: int | str, warning: int | str | None = None, **more: Any) -> Rule:
    measure = {"class_share": COSTLY, "duration_cliff": CLIFF}.get(kind, Measure())
    return rule(kind, at, warning, measure=measure, **more)


KINDS = ["short_calls", "failed_calls", "class_share", "duration_cliff"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("part", "whole", "more_than", "or_more"), [
    (0, 0, FINE, FINE), (0, 100, FINE, FINE), (10, 100, FINE, WARNING), (11, 100, WARNING, WARNING),
    (14, 100, WARNING, WARNING), (15, 100, WARNING, CRITICAL), (16, 100, CRITICAL, CRITICAL),
    (3, 20, WARNING, CRITICAL), (1, 1, CRITICAL, CRITICAL), (149, 1000, WARNING, WARNING),
    (150, 1000, WARNING, CRITICAL), (151, 1000, CRITICAL, CRITICAL),
])
def test_a_share_is_passed_by_more_than_the_level_or_by_the_level_itself(
    kind: str, part: int, whole: int, more_than: Level, or_more: Level
) -> None:
    calls_made = window(kind, part, whole)
    assert reached(share(kind, 15, 10), calls_made) is more_than
    assert reached(share(kind, 15, 10, exceeds=True), calls_made) is more_than
    assert reached(share(kind, 15, 10, exceeds=False), calls_made) is or_more


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("at", "exceeds", "part", "level"), [
    (0, True, 0, FINE), (0, True, 1, CRITICAL), (0, False, 0, FINE), (0, False, 1, CRITICAL),
    (100, True, 10, FINE), (100, False, 10, CRITICAL), (100, False, 9, FINE),
])
def test_shares_of_nothing_and_of_all_are_shares_too(
    kind: str, at: int, exceeds: bool, part: int, level: Level
) -> None:
    assert reached(share(kind, at, exceeds=exceeds), window(kind, part, 10)) is level


@pytest.mark.parametrize(("kind", "value"), [
    ("short_calls", "1/3 = 33.333 %"), ("failed_calls", "1/3 = 33.333 %"), ("class_share", "1/3 = 33.333 %"),
    ("duration_cliff", "1/3 = 33.333 %"),
])
def test_a_share_is_told_as_a_person_would_check_it(kind: str, value: str) -> None:
    judgement = judged(share(kind, "12.5"), window(kind, 1, 3))
    assert judgement is not None
    assert (judgement.value, judgement.limit) == (value, "12.5 %")


@pytest.mark.parametrize(("kind", "of_attempts", "made", "value"), [
    # of answered calls: who rings or failed is in neither
    ("short_calls", False, calls(SHORT, LONG, failed=8, ringing=2), "1/2 = 50 %"),
    ("short_calls", False, calls(SHORT, LONG, talking=2), "1/4 = 25 %"),        # speaks for the account
    ("short_calls", False, calls(SHORT, LONG, lost=2), "1/4 = 25 %"),
    ("short_calls", True, calls(SHORT, LONG, failed=8, ringing=2), "1/10 = 10 %"),
    ("short_calls", True, calls(SHORT, talking=3), "1/4 = 25 %"),
    ("short_calls", False, calls(SHORT, 6.0), "1/2 = 50 %"),
    ("failed_calls", False, calls(SHORT, LONG, failed=2), "2/4 = 50 %"),
    ("failed_calls", False, calls(LONG, failed=1, ringing=5), "1/2 = 50 %"),
    ("failed_calls", False, calls(failed=1, talking=1), "1/2 = 50 %"),
    ("failed_calls", False, calls(LONG, failed=1, blocked=9, shed=9), "1/2 = 50 %"),
    ("failed_calls", False, calls(failed=1, lost=1), "1/2 = 50 %"),
    ("class_share", False, numbered(costly(1), calls(failed=1)), "1/2 = 50 %"),
    ("class_share", False, numbered(calls(ringing=1, number_class=NumberClass.HIGH_RISK), calls(LONG)),
     "1/2 = 50 %"),
    ("class_share", False, numbered(costly(1), calls(LONG, number_class=NumberClass.EMERGENCY)),
     "1/1 = 100 %"),
    ("class_share", False, numbered(calls(blocked=3, number_class=NumberClass.PREMIUM), costly(1),
                                    calls(LONG)), "1/2 = 50 %"),
    ("duration_cliff", False, calls(6.0, LONG), "1/2 = 50 %"),                   # just completed
    ("duration_cliff", False, calls(8.999, LONG), "1/2 = 50 %"),
    ("duration_cliff", False, calls(6.0, 9.0, LONG), "1/3 = 33.333 %"),          # 9 s are not near 6
    ("duration_cliff", False, calls(5.999, 6.0, LONG, failed=7), "1/2 = 50 %"),  # short is not completed
    ("duration_cliff", False, calls(JUST, talking=3), "1/4 = 25 %"),
    ("duration_cliff", False, calls(JUST, lost=1), "1/2 = 50 %"),
])
def test_what_a_share_is_of(kind: str, of_attempts: bool, made: list[CallRecord], value: str) -> None:
    judgement = judged(share(kind, 0, of_attempts=of_attempts), made)
    assert judgement is not None
    assert judgement.value == value


@pytest.mark.parametrize(("seconds", "near"), [(6.0, 0), (6.001, 1), (9.0, 0), (8.999, 1)])
def test_a_cliff_begins_where_completed_begins(seconds: float, near: int) -> None:
    """With `<=` six seconds are short, and not completed."""
    judgement = judged(
        rule("duration_cliff", 0, measure=Measure(near_msec=3000, short_includes_equal=True)),
        calls(seconds, LONG),
    )
    assert (judgement is not None) == bool(near)


@pytest.mark.parametrize(("kind", "least", "made", "level"), [
    ("short_calls", {"min_answered": 100}, calls(*[SHORT] * 99), FINE),
    ("short_calls", {"min_answered": 100}, calls(*[SHORT] * 99, failed=9, ringing=9), FINE),
    ("short_calls", {"min_answered": 100}, calls(*[SHORT] * 100), CRITICAL),
    ("short_calls", {"min_answered": 100}, calls(*[SHORT] * 99, talking=1), CRITICAL),
    ("short_calls", {"min_attempts": 100}, calls(*[SHORT] * 90, failed=9), FINE),
    ("short_calls", {"min_attempts": 100}, calls(*[SHORT] * 90, failed=10), CRITICAL),
    ("failed_calls", {"min_attempts": 200}, calls(failed=199), FINE),
    ("failed_calls", {"min_attempts": 200}, calls(failed=200), CRITICAL),
    ("failed_calls", {"min_attempts": 200}, calls(failed=199, ringing=50), FINE),   # who rings has not failed
    ("failed_calls", {"min_attempts": 200}, calls(failed=1, ringing=250), FINE),
    ("failed_calls", {"min_answered": 2}, calls(LONG, failed=200), FINE),
    ("failed_calls", {"min_answered": 2}, calls(LONG, LONG, failed=200), CRITICAL),
    ("class_share", {"min_attempts": 50}, costly(49), FINE),
    ("class_share", {"min_attempts": 50}, costly(50), CRITICAL),
    ("class_share", {"min_attempts": 50}, calls(ringing=50, number_class=NumberClass.PREMIUM), CRITICAL),
    ("duration_cliff", {"min_answered": 100}, calls(*[JUST] * 99), FINE),
    ("duration_cliff", {"min_answered": 100}, calls(*[JUST] * 100), CRITICAL),
])
def test_a_smaller_sample_is_not_judged(
    kind: str, least: dict[str, int], made: list[CallRecord], level: Level
) -> None:
    assert reached(share(kind, 50, **least), made) is level


@pytest.mark.parametrize("kind", KINDS)
def test_a_share_to_a_sample_is_settled_to_a_sample(kind: str) -> None:
    """The clause that names a minimum speaks of no smaller cycle."""
    one = share(kind, 10, min_answered=100, exceeds=False)
    for made, breached in ((window(kind, 90, 99), False), (calls(*[LONG] * 300), False)):
        settled = settle(one, recount(made, one.spec.measure))
        assert settled is not None
        assert settled.breached is breached


@pytest.mark.parametrize(("kind", "made", "room"), [
    ("short_calls", calls(*[LONG] * 85), 15),               # 15 of 100 are fine, 16 of 101 are not
    ("short_calls", calls(*[SHORT] * 15, *[LONG] * 85), 0),
    ("short_calls", calls(*[LONG] * 80, talking=5), 9),     # who talks may be short as well
    ("failed_calls", calls(*[LONG] * 85), 15), ("class_share", calls(*[LONG] * 85), 15),
    ("duration_cliff", calls(*[LONG] * 85), 15), ("failed_calls", calls(), 0),
])
def test_room_is_what_may_all_be_of_the_part(kind: str, made: list[CallRecord], room: int) -> None:
    one = share(kind, 15)
    assert one.headroom(recount(made, one.spec.measure), NOON) == room


@pytest.mark.parametrize("kind", KINDS)
def test_of_no_share_can_be_more_than_all_but_all_may_be_too_many(kind: str) -> None:
    one = share(kind, 100, exceeds=True)
    assert one.headroom(recount([], one.spec.measure), NOON) == 1 << 30
    whole = share(kind, 100, exceeds=False)
    assert whole.headroom(recount([], whole.spec.measure), NOON) == 0
    assert reached(whole, window(kind, 1, 1)) is CRITICAL


@pytest.mark.parametrize(("kind", "exceeds", "made", "least", "room"), [
    ("failed_calls", False, calls(*[LONG] * 85), {}, 14),       # 15 of 100 are too many, 14 of 99 are not
    ("failed_calls", False, calls(*[LONG] * 84), {}, 14),       # 14.8: 15 of 99 are too many
    ("failed_calls", True, calls(*[LONG] * 84), {}, 14),
    ("failed_calls", None, calls(failed=5), {"min_attempts": 20}, 14),
    ("failed_calls", None, calls(LONG, failed=5), {"min_answered": 20}, 18),
    ("failed_calls", None, calls(LONG, failed=5, ringing=3), {"min_answered": 20}, 15),
    ("failed_calls", None, calls(LONG, failed=5), {"min_attempts": 10, "min_answered": 20}, 18),
    ("failed_calls", None, calls(LONG, failed=5), {"min_attempts": 30, "min_answered": 10}, 23),
    ("class_share", False, calls(*[LONG] * 85, ringing=3), {}, 15),
    ("class_share", None, costly(5), {"min_attempts": 20}, 14),
])
def test_room_ends_where_the_share_or_the_sample_is_too_large(
    kind: str, exceeds: bool | None, made: list[CallRecord], least: dict[str, int], room: int
) -> None:
    one = share(kind, 15, exceeds=exceeds, **least)
    assert one.headroom(recount(made, one.spec.measure), NOON) == room


@pytest.mark.parametrize(("exceeds", "made", "owed"), [
    (None, calls(*[SHORT] * 15, *[LONG] * 85), "0"), (None, calls(*[SHORT] * 16, *[LONG] * 84), "0.01"),
    (False, calls(*[SHORT] * 15, *[LONG] * 85), "0.01"),        # the fifteenth is one too many
    (False, calls(*[SHORT] * 20, *[LONG] * 80), "0.06"), (None, calls(*[SHORT] * 20, *[LONG] * 80), "0.05"),
    (None, calls(*[SHORT] * 20, *[LONG] * 79), "0.06"),         # 14.85 of 99: fourteen are fine
    (False, calls(*[SHORT] * 20, *[LONG] * 79), "0.06"), (False, calls(), "0"), (False, calls(SHORT), "0.01"),
])
def test_the_excess_of_a_share_is_what_is_too_many_of_its_own_calls(
    exceeds: bool | None, made: list[CallRecord], owed: str
) -> None:
    one = share("short_calls", 15, exceeds=exceeds, charge=Charge(Decimal("0.01"), Per.CALL, On.EXCESS))
    settled = settle(one, recount(made, one.spec.measure))
    assert settled is not None
    assert settled.owed == Decimal(owed)


def test_a_call_still_talked_on_counts_as_completed_when_a_share_is_settled() -> None:
    one = share("short_calls", 10)
    settled = settle(one, recount(calls(SHORT, LONG, talking=2), one.spec.measure))
    assert settled is not None
    assert (settled.completed, settled.attempts, settled.value) == (3, 4, 25)


@pytest.mark.parametrize(("kind", "told"), [
    ("short_calls", "1/3 = 33.333 %"), ("failed_calls", "0/3 = 0 %"), ("class_share", "0/4 = 0 %"),
])
def test_a_report_counts_what_a_decision_counts(kind: str, told: str) -> None:
    one = share(kind, 10)
    tally = recount(calls(SHORT, LONG, talking=1, ringing=1), one.spec.measure)
    assert one.standing(tally, NOON) == (told, "10 %")
    assert one.standing(recount([], one.spec.measure), NOON) == ("0/0", "10 %")


def test_a_share_of_costly_calls_says_which_numbers_those_are() -> None:
    assert share("class_share", 10).metric == "calls to high risk and premium numbers this cycle"
    assert rule("class_share", 10).metric == "calls to such numbers this cycle"
