"""Average call duration at and around its levels, and which calls have a duration at all."""

from __future__ import annotations

import pytest

from enforcer.domain.call import CallRecord, Source
from enforcer.domain.decision import Level
from enforcer.domain.settle import settle
from enforcer.domain.usage import recount
from tests.support.rules import NOON, rule
from tests.support.tables import calls, judged, reached

FINE, WARNING, CRITICAL = Level.FINE, Level.WARNING, Level.CRITICAL


@pytest.mark.parametrize(("made", "level", "value"), [
    (calls(), FINE, ""),
    (calls(10.0), FINE, ""), (calls(9.999), WARNING, "9.999 s"), (calls(5.0), WARNING, "5 s"),
    (calls(4.999), CRITICAL, "4.999 s"), (calls(0.0), CRITICAL, "0 s"),
    (calls(0.0, 19.998), WARNING, "9.999 s"), (calls(0.0, 20.0), FINE, ""),
    (calls(4.0, failed=50, ringing=50), CRITICAL, "4 s"),           # who never talked has no duration
    (calls(10.0, talking=50), FINE, ""),
    (calls(10.0, blocked=50), FINE, ""),
    (calls(10.0, lost=50), FINE, ""),                               # nobody knows how long those were
])
def test_calls_are_too_short_on_average_below_the_level(
    made: list[CallRecord], level: Level, value: str
) -> None:
    judgement = judged(rule("average_duration", 5, 10), made)
    found = (FINE, "") if judgement is None else (judgement.level, judgement.value)
    assert found == (level, value)


@pytest.mark.parametrize(("made", "level"), [
    (calls(*[1.0] * 49), FINE), (calls(*[1.0] * 50), CRITICAL), (calls(*[1.0] * 49, talking=9), FINE),
    (calls(*[1.0] * 49, failed=9), FINE), (calls(*[1.0] * 49, lost=9), FINE),
])
def test_an_average_of_few_calls_is_none(made: list[CallRecord], level: Level) -> None:
    assert reached(rule("average_duration", 5, min_answered=50), made) is level


@pytest.mark.parametrize(("made", "breached"), [
    (calls(5.0), False), (calls(4.999), True), (calls(), False),
    (calls(5.0, talking=9), False),         # not held against anybody until it has ended
    (calls(5.0, lost=9), False),
])
def test_an_average_duration_settles_what_is_over(made: list[CallRecord], breached: bool) -> None:
    one = rule("average_duration", 5)
    settled = settle(one, recount(made, one.spec.measure))
    assert settled is not None
    assert settled.breached is breached
    assert (settled.attempts, settled.completed + settled.short) == (len(made), len(made))


def test_a_call_that_was_lost_counts_as_soon_as_its_cdr_tells_its_length() -> None:
    (one,) = calls(lost=1)
    told = one._replace(ended_by=Source.CDR, told_msec=3000)
    assert reached(rule("average_duration", 5), [one]) is FINE
    assert reached(rule("average_duration", 5), [told]) is CRITICAL


@pytest.mark.parametrize(("made", "least", "room"), [
    (calls(100.0), 0, 9), (calls(105.0), 0, 9), (calls(99.999), 0, 8),
    (calls(100.0, ringing=3, talking=2), 0, 4), (calls(100.0), 50, 48),
    (calls(), 0, 0), (calls(), 50, 49), (calls(5.0), 0, 0),
])
def test_room_of_an_average_is_what_may_be_hung_up_at_once(
    made: list[CallRecord], least: int, room: int
) -> None:
    one = rule("average_duration", 5, 10, min_answered=least)
    assert one.headroom(recount(made, one.spec.measure), NOON) == room
