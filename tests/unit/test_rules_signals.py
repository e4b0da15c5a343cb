"""Signals: a rule with `and` speaks where all of them are there, and gives room until the last one is."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from enforcer.domain.account import Account
from enforcer.domain.call import CallRecord, NumberClass
from enforcer.domain.decide import decide
from enforcer.domain.decision import Level, Verdict
from enforcer.domain.measure import Measure, Window
from enforcer.domain.mode import Mode, Modes
from enforcer.domain.policy import Policy
from enforcer.domain.rules import KINDS, Rule
from enforcer.domain.settle import settle
from enforcer.domain.usage import recount
from enforcer.packs.kinds import NO_SIGNAL
from tests.support.rules import NOON, attempt, rule
from tests.support.tables import calls, judged, messages, numbered, reached, sat


def signal(kind: str, at: int | str, **more: Any) -> Rule:
    return rule(kind, at, verdict=Verdict.ALLOW, name=f"plan+{kind}", **more)


def plan(*signals: Rule, at: int = 10, warning: int | None = 8, **more: Any) -> Rule:
    """So many minutes, where all signals are there as well."""
    return rule("minutes", at, warning, name="plan", also=signals, verdict=Verdict.TAG, **more)


MANY = signal("distinct_numbers", 2)
SHORT = signal("short_calls", 25)


def usage(minutes: bool, many: bool, short: bool) -> list[CallRecord]:
    """A window in which these are there, and the others are not."""
    lengths = [200.0 if minutes else 50.0] * 3 + [3.0] * (2 if short else 1)
    names = ["12125550101", "12125550102", "12125550103"] if many else ["12125550101", "12125550102"]
    return numbered([
        calls(length)[0]._replace(number=names[nth % len(names)]) for nth, length in enumerate(lengths)
    ])


@pytest.mark.parametrize(("minutes", "many", "short"), list(product([False, True], repeat=3)))
def test_all_signals_have_to_be_there(minutes: bool, many: bool, short: bool) -> None:
    window = usage(minutes, many, short)
    assert (reached(plan(), window) is Level.CRITICAL) is minutes
    assert (reached(MANY, window) is Level.CRITICAL) is many
    assert (reached(SHORT, window) is Level.CRITICAL) is short
    for signals in ((MANY, SHORT), (SHORT, MANY)):
        found = reached(plan(*signals), window)
        assert found is (Level.CRITICAL if minutes and many and short else Level.FINE)
    assert reached(plan(MANY), window) is (Level.CRITICAL if minutes and many else Level.FINE)


@pytest.mark.parametrize(("minutes", "level"), [
    (7.9, Level.FINE), (8.0, Level.WARNING), (9.9, Level.WARNING), (10.0, Level.CRITICAL),
])
def test_the_level_is_that_of_the_rule_itself(minutes: float, level: Level) -> None:
    window = numbered(calls(minutes * 60), calls(failed=1, number="1"), calls(failed=1, number="2"))
    assert reached(plan(MANY), window) is level


def test_what_else_was_there_is_told() -> None:
    one = plan(MANY, SHORT)
    seat = sat(one, usage(True, True, True))
    decision = decide(
        attempt(), NumberClass.ORDINARY, Account("acme", "acme"), [seat], Modes(default=Mode.BLOCK), "d",
    )
    assert decision.reason == (
        "plan: minutes this cycle 10.1, limit 10, with distinct numbers this cycle 3, limit 2; "
        "short calls this cycle 2/5 = 40 %, limit 25 % (clause of minutes)"
    )


def test_where_a_signal_is_missing_no_call_is_cut_short() -> None:
    """What is left of a limit that blocks is the longest that a call may last, but only where it may act."""
    blocking = rule("minutes", 10, name="plan", also=(MANY,))
    assert judged(blocking, usage(False, False, False)) is None
    found = judged(blocking, usage(False, True, False))
    assert found is not None
    assert (found.level, found.max_duration) == (Level.FINE, 447)


CALLED = {"number_class": NumberClass.PREMIUM}
# For each kind that can be a signal: its level, what reaches it, and what is one call short of it.
REACHED: dict[str, tuple[int | str, dict[str, Any], list[CallRecord], list[CallRecord]]] = {
    "asr": (4, {}, calls(6.0, failed=3), calls(6.0, failed=2)),
    "attempts": (3, {}, calls(failed=4), calls(failed=3)),
    "average_duration": (10, {"min_answered": 2}, calls(9.0, 10.0), calls(10.0, 10.0)),
    "class_share": (50, {"measure": Measure(marked=frozenset({NumberClass.PREMIUM}))},
                    numbered(calls(9.0, 9.0, **CALLED), calls(9.0)),
                    numbered(calls(9.0, **CALLED), calls(9.0))),
    "distinct_callers": (1, {}, numbered(calls(9.0), calls(9.0, caller="2")), calls(9.0, 9.0)),
    "distinct_numbers": (1, {}, numbered(calls(9.0), calls(9.0, number="2")), calls(9.0, 9.0)),
    "duration_cliff": (50, {"measure": Measure(near_msec=3000)}, calls(7.0, 7.0, 60.0), calls(7.0, 60.0)),
    "failed_calls": (50, {}, calls(9.0, failed=2), calls(9.0, failed=1)),
    "messages": (2, {}, messages(3), messages(2)),
    "minutes": (1, {}, calls(60.0), calls(59.999)),
    "redials": (1, {"measure": Measure(redial_seconds=60)}, calls(1.0, 1.0, 1.0), calls(1.0, 1.0)),
    "same_number": (2, {}, calls(1.0, 1.0, 1.0), calls(1.0, 1.0)),
    "sequential_numbers": (0, {}, numbered(calls(1.0, number="5550100"), calls(1.0, number="5550101")),
                           numbered(calls(1.0, number="5550100"), calls(1.0, number="5550102"))),
    "short_calls": (50, {}, calls(3.0, 3.0, 9.0), calls(3.0, 9.0)),
}


def test_every_kind_that_can_be_a_signal_is_tried() -> None:
    assert set(REACHED) == set(KINDS) - NO_SIGNAL


@pytest.mark.parametrize("kind", REACHED)
def test_each_kind_is_a_signal_at_its_own_level(kind: str) -> None:
    at, more, there, not_yet = REACHED[kind]
    always = numbered(messages(1), calls(failed=1, number="999", number_class=NumberClass.TOLL_FREE))
    leads = rule("attempts", 0, measure=Measure(only=frozenset({NumberClass.TOLL_FREE})), verdict=Verdict.TAG,
                 also=(signal(kind, at, **_without_toll_free(more)),))
    for window, level in ((there, Level.CRITICAL), (not_yet, Level.FINE)):
        extra = always[1:] if kind == "messages" else always
        assert reached(leads, numbered(window, extra)) is level


def _without_toll_free(more: dict[str, Any]) -> dict[str, Any]:
    measure: Measure = more.get("measure", Measure())
    apart = Measure(
        without=frozenset({NumberClass.TOLL_FREE}), marked=measure.marked, near_msec=measure.near_msec,
        redial_seconds=measure.redial_seconds,
    )
    return {**more, "measure": apart}


@pytest.mark.parametrize(("later", "level"), [
    (0.0, Level.CRITICAL), (3599.0, Level.CRITICAL), (3600.0, Level.FINE),
])
def test_a_signal_may_have_a_window_of_its_own(later: float, level: Level) -> None:
    hour = signal("attempts", 2, measure=Measure(window=Window.ROLLING, seconds=3600))
    window = calls(*[300.0] * 3)
    assert reached(plan(hour), window, NOON + later) is level


@pytest.mark.parametrize(("first", "second", "room"), [(10, 100, 99), (100, 10, 99), (10, 10, 9), (1, 1, 0)])
def test_there_is_room_until_the_last_signal_is_there(first: int, second: int, room: int) -> None:
    one = rule("attempts", first, also=(signal("distinct_numbers", second),))
    assert one.room(sat(one, calls(9.0)), NOON, "pbx1") == room


def test_a_rule_with_signals_looks_at_its_seat_and_signals_are_counted_with_it() -> None:
    one = rule("attempts", 10, also=(signal("minutes", 5), signal("distinct_numbers", 3)))
    assert not one.summed
    assert len(Policy([one]).measures[one.spec.measure.scope]) == 1         # all of the same calls


@pytest.mark.parametrize(("minutes", "many", "short"), list(product([False, True], repeat=3)))
def test_a_cycle_is_breached_where_it_closes_with_all_signals(minutes: bool, many: bool, short: bool) -> None:
    window = usage(minutes, many, short)
    one = plan(MANY, SHORT)
    tallies = [recount(window, s.spec.measure) for s in one.spec.also]
    settled = settle(one, recount(window, one.spec.measure), 1, tallies)
    assert settled is not None
    assert settled.breached is (minutes and many and short)
