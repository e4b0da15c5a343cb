"""Attempts by call and by leg, messages, minutes, calls in progress and calls per second, from calls."""

from __future__ import annotations

import pytest

from enforcer.domain.account import Account
from enforcer.domain.call import CallRecord, Direction, NumberClass, Source
from enforcer.domain.decide import decide
from enforcer.domain.decision import Level, Verdict
from enforcer.domain.joining import MOST_LEGS
from enforcer.domain.measure import Measure, Window
from enforcer.domain.mode import Mode, Modes
from enforcer.domain.rules import Pace, Rule
from enforcer.domain.rules.pace import Pacer
from enforcer.domain.settle import settle
from enforcer.domain.usage import Tally, recount
from tests.support.rules import NOON, attempt, rule
from tests.support.tables import calls, judged, messages, numbered, reached, sat

FINE, WARNING, CRITICAL = Level.FINE, Level.WARNING, Level.CRITICAL
ACME = Account("acme", "acme")
LEGS = Measure(per_leg=True)
TWO_LEGS = "PJSIP/a-1 PJSIP/b-2"
DAY = Measure(window=Window.ROLLING, seconds=86_400)


def breached(one: Rule, window: list[CallRecord]) -> bool:
    settled = settle(one, recount(window, one.spec.measure))
    assert settled is not None
    return settled.breached


@pytest.mark.parametrize(("window", "number"), [
    (calls(), 0), (calls(60.0), 1), (calls(3.0, 0.0, failed=1, ringing=1, talking=1, lost=1), 6),
    (calls(60.0, blocked=9, shed=9), 1),                                # refused calls were not made
    (calls(60.0, number_class=NumberClass.EMERGENCY), 0),
    (calls(60.0, number_class=NumberClass.DIRECTORY_ASSISTANCE), 1),
    (calls(60.0, direction=Direction.INBOUND), 0), (messages(5), 0),
    (calls(60.0, legs=TWO_LEGS), 1),                                    # a fork or a failover is one call
])
def test_an_attempt_is_a_call_however_it_ends(window: list[CallRecord], number: int) -> None:
    one = rule("attempts", number)
    assert reached(one, window) is FINE
    assert number == 0 or reached(rule("attempts", number - 1), window) is CRITICAL
    assert not breached(one, window)
    assert number == 0 or breached(rule("attempts", number - 1), window)


@pytest.mark.parametrize(("window", "number"), [
    (calls(60.0), 1), (calls(60.0, legs="PJSIP/a-1"), 1), (calls(60.0, legs=TWO_LEGS), 2),
    (calls(ringing=1, legs=TWO_LEGS), 2), (calls(talking=1, legs=TWO_LEGS), 2),
    (calls(failed=2, legs=TWO_LEGS), 4), (calls(blocked=1, legs=TWO_LEGS), 0), (calls(failed=1), 1),
])
def test_with_attempts_a_leg_each_leg_is_one_and_a_call_without_any_is_one(
    window: list[CallRecord], number: int
) -> None:
    judgement = judged(rule("attempts", 0, measure=LEGS), window)
    assert (0 if judgement is None else int(judgement.value)) == number


def test_of_a_call_that_was_answered_the_other_legs_failed() -> None:
    judgement = judged(rule("failed_calls", 0, measure=LEGS), calls(60.0, legs=TWO_LEGS))
    assert judgement is not None
    assert judgement.value == "1/2 = 50 %"


@pytest.mark.parametrize(("kind", "at", "window", "room"), [
    ("attempts", 100, calls(), 1), ("attempts", 63, calls(), 0), ("attempts", 64, calls(), 1),
    ("attempts", 1000, calls(failed=40), 15), ("attempts", 1000, calls(failed=41), 14),
    ("attempts", 1000, calls(ringing=1, failed=38), 14),    # the one that rings may fork on
    ("asr", 4, calls(*[60.0] * 100), 4), ("failed_calls", 50, calls(*[60.0] * 64), 1),
])
def test_a_call_may_have_as_many_legs_as_there_can_be(
    kind: str, at: int, window: list[CallRecord], room: int
) -> None:
    one = rule(kind, at, measure=LEGS)
    assert one.room(sat(one, window), NOON, "pbx1") == room
    assert MOST_LEGS == 64


@pytest.mark.parametrize(("window", "level"), [
    (messages(8), FINE), (messages(9), WARNING), (messages(10), WARNING), (messages(11), CRITICAL),
    (calls(*[60.0] * 50), FINE), (numbered(messages(10), calls(60.0)), WARNING),
    (messages(50, direction=Direction.INBOUND), FINE),
    (messages(50, number_class=NumberClass.EMERGENCY), FINE),
])
def test_messages_are_counted_and_calls_are_not(window: list[CallRecord], level: Level) -> None:
    one = rule("messages", 10, 8)
    assert reached(one, window) is level
    assert breached(one, window) is (level is CRITICAL)


def test_a_message_is_no_attempt_no_failed_call_and_no_part_of_a_ratio() -> None:
    assert reached(rule("attempts", 0), messages(9)) is FINE
    assert reached(rule("asr", 1), messages(9)) is FINE
    assert reached(rule("failed_calls", 0), messages(9)) is FINE


@pytest.mark.parametrize(("window", "level", "left"), [
    (calls(), FINE, 60), (calls(47.999), FINE, 12), (calls(48.0), WARNING, 12),
    (calls(59.0), WARNING, 1), (calls(59.999), WARNING, 1),     # the last millisecond is one to talk in
    (calls(60.0), CRITICAL, None), (calls(60.001), CRITICAL, None),
    (calls(*[0.001] * 60), FINE, 59), (calls(20.0, 20.0, 19.999), WARNING, 1),
    (calls(60.0, blocked=1, direction=Direction.INBOUND), FINE, 60), (calls(lost=5), FINE, 60),
])
def test_a_minute_is_used_up_with_its_last_millisecond(
    window: list[CallRecord], level: Level, left: int | None
) -> None:
    judgement = judged(rule("minutes", 1, "0.8"), window)
    assert judgement is not None
    assert (judgement.level, judgement.max_duration) == (level, left)


@pytest.mark.parametrize(("seconds", "over"), [(59.999, False), (60.0, False), (60.001, True)])
def test_exactly_the_minutes_of_a_cycle_are_fine_when_it_is_settled(seconds: float, over: bool) -> None:
    assert breached(rule("minutes", 1), calls(seconds)) is over


@pytest.mark.parametrize(("later", "level"), [(29.999, FINE), (30.0, CRITICAL)])
def test_two_calls_use_a_minute_up_in_half_of_one(later: float, level: Level) -> None:
    assert reached(rule("minutes", 1), calls(talking=2), NOON + later) is level


def test_what_a_rolling_window_has_forgotten_may_be_talked_again() -> None:
    one = rule("minutes", 1, measure=DAY)
    assert reached(one, calls(60.0), NOON + 86_399) is CRITICAL
    assert reached(one, calls(60.0), NOON + 86_401) is FINE


@pytest.mark.parametrize(("window", "level"), [
    (calls(*[60.0] * 9, failed=9), FINE), (calls(ringing=2, talking=1), FINE),
    (calls(ringing=1, talking=3), WARNING), (calls(talking=5), WARNING), (calls(ringing=6), CRITICAL),
    (calls(ringing=6, number_class=NumberClass.EMERGENCY), FINE), (calls(lost=9), FINE),
    (calls(ringing=9, answered_by=Source.EVENT, direction=Direction.INBOUND), FINE),
    (calls(ringing=3, legs=TWO_LEGS), FINE),                # three calls, six phones that ring
])
def test_calls_in_progress_are_those_that_ring_or_talk(window: list[CallRecord], level: Level) -> None:
    assert reached(rule("concurrent_calls", 5, 3), window) is level


def asked(one: Rule, moments: list[float], mode: Mode = Mode.BLOCK, **facts: object) -> list[str]:
    """What calls at these moments get, in order: "go", "tag", "hold" with the seconds, "shed" or "block"."""
    seat = sat(one, [])
    said = []
    for nth, moment in enumerate(moments):
        seizure = attempt(NOON + moment, call_id=f"pbx1/{nth}")
        decision = decide(seizure, NumberClass.ORDINARY, ACME, [seat], Modes(default=mode), "d")
        said.append(
            "shed" if decision.shed
            else f"hold {decision.hold:g}" if decision.hold
            else {Verdict.ALLOW: "go", Verdict.THROTTLE: "go"}.get(decision.verdict, decision.verdict.word)
        )
    return said


@pytest.mark.parametrize(("rate", "moments", "said"), [
    (2, [0, 0, 1, 1], ["go", "go", "go", "go"]),                # a full second later both turns are free
    (2, [0, 0, 0.999], ["go", "go", "block"]), (2, [0, 0.5, 1.0, 1.25], ["go", "go", "go", "block"]),
    (2, [0, 0, 0, 0, 1], ["go", "go", "block", "block", "go"]),     # what was blocked used nothing up
    (1, [0, 0.9, 1.8], ["go", "block", "go"]), ("1/4", [0, 3.9, 4.0], ["go", "block", "go"]),
    ("5/2", [0, 0, 0], ["go", "go", "block"]),
])
def test_no_second_ever_holds_more_calls_than_the_rate(
    rate: int | str, moments: list[float], said: list[str]
) -> None:
    assert asked(rule("cps", rate), moments) == said


@pytest.mark.parametrize(("rate", "max_hold", "moments", "said"), [
    (1, 2.0, [0, 0, 0, 0], ["go", "hold 1", "hold 2", "shed"]),
    (2, 0.5, [0, 0, 0.5, 0.5, 0.5], ["go", "go", "hold 0.5", "hold 0.5", "shed"]),
    (1, 0.0, [0, 0.5, 1], ["go", "shed", "go"]),
])
def test_a_rate_that_throttles_holds_each_call_to_its_turn(
    rate: int, max_hold: float, moments: list[float], said: list[str]
) -> None:
    assert asked(rule("cps", rate, verdict=Verdict.THROTTLE, pace=Pace(max_hold=max_hold)), moments) == said


def test_a_warning_of_a_rate_tags_what_still_goes() -> None:
    assert asked(rule("cps", 3, 1), [0, 0, 0, 0]) == ["go", "tag", "tag", "block"]


def test_a_rate_has_no_room_to_give_away_and_a_tally_says_nothing_of_it() -> None:
    one = rule("cps", 1000)
    assert one.room(sat(one, []), NOON, "pbx1") == 0
    assert one.judge(Tally(attempts=10**6, ringing=10**6), NOON, Pacer(one.spec.pace)) is None


@pytest.mark.parametrize(("verdict", "warn", "acts"), [
    (Verdict.ALLOW, None, False), (Verdict.TAG, None, False), (Verdict.TAG, Verdict.TAG, False),
    (Verdict.THROTTLE, None, True), (Verdict.THROTTLE, Verdict.TAG, True), (Verdict.BLOCK, Verdict.TAG, True),
    (Verdict.BLOCK, Verdict.THROTTLE, True),
])
def test_a_rule_acts_where_any_of_its_levels_holds_or_refuses_calls(
    verdict: Verdict, warn: Verdict | None, acts: bool
) -> None:
    one = rule("attempts", 10, None if warn is None else 5, verdict=verdict, warn=warn or Verdict.TAG)
    assert one.acts is acts


def test_a_level_between_whole_calls_is_passed_by_the_next_whole_one() -> None:
    one = rule("attempts", "5/2")
    assert [reached(one, calls(failed=number)) for number in (2, 3)] == [FINE, CRITICAL]
    assert one.headroom(recount(calls(failed=1), one.spec.measure), NOON) == 1
    closed = one.close(recount(calls(failed=5), one.spec.measure), 1)
    assert closed is not None
    assert (closed.breached, closed.beyond) == (True, 3)        # two were fine


@pytest.mark.parametrize(("seconds", "level"), [
    (4.285, FINE), (4.286, WARNING), (8.571, WARNING), (8.572, CRITICAL),
])
def test_a_limit_between_milliseconds_is_used_up_with_the_next_whole_one(
    seconds: float, level: Level
) -> None:
    """A seventh of a minute are 8571.43 milliseconds."""
    assert reached(rule("minutes", "1/7", "1/14"), calls(seconds)) is level


@pytest.mark.parametrize(("used", "left"), [(0.0, None), (0.001, 86_399), (1.0, 86_399)])
def test_a_day_and_more_of_minutes_limit_no_call(used: float, left: int | None) -> None:
    judgement = judged(rule("minutes", 1440), calls(used))
    assert (None if judgement is None else judgement.max_duration) == left
