"""Room is sound: so many more calls, whatever becomes of them and of those in progress, never reach a level.

For every kind of rule, with everything that a pack can say about what it counts, and with signals.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enforcer.domain.account import Account
from enforcer.domain.call import CallAttempt, CallRecord, Direction, Medium, NumberClass, Source
from enforcer.domain.decision import Level
from enforcer.domain.load import Loads
from enforcer.domain.measure import Measure, Scope, Window
from enforcer.domain.registers import OptOut, Registers, Strike
from enforcer.domain.rules import KINDS, Rule
from enforcer.domain.rules.seat import File, Seat
from enforcer.domain.usage import contribute, recount
from enforcer.packs.kinds import NO_SIGNAL, SHARES
from tests.support.rules import NOON, record, rule

ACME = Account("acme", "acme")
START, NOW = NOON, NOON + 3600  # everything begins in one hour, and no call lasts longer than one
FEW = 40                        # calls that are made; where more is promised, so many are

NUMBERS = st.integers(0, 9).map(lambda n: f"1212555010{n}")
CLASSES = st.sampled_from([NumberClass.ORDINARY, NumberClass.PREMIUM, NumberClass.TOLL_FREE])
LEGS = st.sampled_from(["", "PJSIP/a-1", "PJSIP/a-1 PJSIP/b-2", " ".join(f"L-{n:02}" for n in range(64))])
MEDIUMS = st.sampled_from([Medium.CALL, Medium.CALL, Medium.CALL, Medium.MESSAGE])
made = st.builds(
    lambda second, **facts: record(START + second, **facts), st.integers(0, 3600), number=NUMBERS,
    caller=NUMBERS, number_class=CLASSES, legs=LEGS, route=st.sampled_from(["a", "b"]), medium=MEDIUMS,
)
# What becomes of a call: it rings or is talked on still, fails, or lasts so many milliseconds.
RINGING, TALKING, FAILED, LOST = -1, -2, -3, -4
fates = st.sampled_from([RINGING, TALKING, FAILED, LOST, 0, 0, 5999, 6000, 7000, 60_000, 3_590_000])
moods = st.sampled_from([RINGING, TALKING, FAILED, 0, 7000, 3_590_000])


def became(call: CallRecord, fate: int) -> CallRecord:
    at = call.started_at
    if call.medium is Medium.MESSAGE:       # it is over as it begins
        return call._replace(ended_at=at, ended_by=Source.EVENT)
    if fate == RINGING:
        return call
    if fate == FAILED:
        return call._replace(ended_at=at + 20, ended_by=Source.EVENT, hangup_cause=17)
    call = call._replace(answered_at=at, answered_by=Source.EVENT)
    if fate == TALKING:
        return call
    if fate == LOST:
        return call._replace(ended_at=at + 60, ended_by=Source.INFERRED)
    return call._replace(ended_at=at + fate / 1000, ended_by=Source.EVENT)


measures = st.builds(
    Measure, st.sampled_from(Scope), st.sampled_from([Window.CYCLE, Window.ROLLING]),
    seconds=st.just(86_400), routes=st.sampled_from([frozenset(), frozenset("a")]),
    per_leg=st.sampled_from([False, False, True]),
    without=st.sampled_from([frozenset(), frozenset({NumberClass.TOLL_FREE})]),
    mediums=st.sampled_from([frozenset({Medium.CALL}), frozenset(Medium)]),
    marked=st.just(frozenset({NumberClass.PREMIUM})), near_msec=st.just(3000), redial_seconds=st.just(60),
    short_includes_equal=st.booleans(),
)
options: dict[str, Any] = {
    "min_attempts": st.sampled_from([0, 0, 10, 60]), "min_answered": st.sampled_from([0, 0, 10, 60]),
    "exceeds": st.sampled_from([None, True, False]), "of_attempts": st.booleans(),
}


def some(kind: str) -> st.SearchStrategy[Rule]:
    """Rules of this kind whose levels are near what so few calls come to."""
    at = {
        "asr": st.fractions(1, 8, max_denominator=4), "average_duration": st.integers(1, 120).map(Fraction),
        "minutes": st.integers(1, 3000).map(Fraction), "strikes": st.integers(1, 4).map(Fraction),
        "fair_share": st.sampled_from([Fraction(1), Fraction(2)]), "cps": st.just(Fraction(5)),
    }.get(kind, st.sampled_from([0, 10, 50, 90, 100]).map(Fraction) | st.integers(0, 120).map(Fraction))
    if kind in SHARES:
        at = at.map(lambda percent: min(percent, Fraction(100)))
    first = {       # of durations the shorter are the worse
        "average_duration": [None, Fraction(2), Fraction(11, 10)], "opt_out": [None],
    }.get(kind, [None, Fraction(1, 2), Fraction(9, 10)])
    return st.builds(
        lambda at, part, measure, **others: rule(
            kind, at, None if part is None else at * part, measure=measure, **others
        ),
        at, st.sampled_from(first), measures, **options,
    )


def seat(one: Rule, window: list[CallRecord], file: File, at: float) -> Seat:
    also = tuple(Seat(s, recount(window, s.spec.measure, at), file=file) for s in one.spec.also)
    return Seat(one, recount(window, one.spec.measure, at), file=file, also=also)


def filed(window: list[CallRecord], channels: int, strikes: int, opted: bool) -> File:
    registers, loads = Registers(), Loads({"pbx1": channels})
    for nth in range(strikes):
        registers.strikes.put(Strike(f"s-{nth}", "spam", NOON - nth * 86_400, "acme", "acme"))
    if opted:
        registers.opt_outs.put(OptOut("+12125550105", "acme", "", NOON, "message"))
    for call in window:
        if call.ended_at is None:
            loads.of("pbx1").change("acme", 1)
    return File(ACME, registers, loads, lambda number: "+" + number)


Day = tuple[list[tuple[CallRecord, int, int]], list[tuple[CallRecord, int]]]


@st.composite
def days(draw: st.DrawFn) -> Day:
    """Calls so far, each with what has become of it by now and what becomes of it later; and more of them.

    Most days have a mood: many calls that are fine, some in progress, and then all that are in progress or
    still to come go one way, to the same number, through a row of numbers, or to any.
    """
    so_far = draw(st.lists(st.tuples(made, fates, fates), max_size=8))
    if draw(st.integers(0, 4)) == 0:
        further = draw(st.lists(st.tuples(made, fates), max_size=FEW))
    else:
        mood, like, row = draw(moods), draw(made), draw(st.booleans())
        usual = draw(st.sampled_from([60_000, 60_000, mood]))
        so_far = [] if draw(st.booleans()) else so_far
        number = draw(st.sampled_from([0, 1, 9, 20, 38]))
        so_far += [(_nth(like, 2 * n, row), usual, usual) for n in range(number)]
        live = st.sampled_from([RINGING, TALKING])
        so_far += [(like, draw(live), mood) for _ in range(draw(st.integers(0, 12)))]
        further = [(_nth(like, 2 * n + 1, row), mood) for n in range(FEW)]
    return (
        [(call._replace(call_id=f"pbx1/{nth}"), fate, then) for nth, (call, fate, then) in enumerate(so_far)],
        [(call._replace(call_id=f"pbx1/m{nth}"), fate) for nth, (call, fate) in enumerate(further)],
    )


def _nth(call: CallRecord, n: int, row: bool) -> CallRecord:
    """The n-th call like this one. Those with odd numbers stand between two with even ones: in time, and in
    a row of numbers by their number."""
    if row:
        return call._replace(number=f"121255502{n:02}", caller=str(n), started_at=START + n)
    return call._replace(started_at=START + 45 * n)


def reached(one: Rule, after: Seat, call: CallRecord) -> Level:
    """The level as the attempt that was `call` finds it."""
    attempt = CallAttempt(
        call.call_id, "pbx1", "acme", Direction.OUTBOUND, call.number, call.caller, NOW, "", call.route,
    )
    judgement = one.weigh(after, attempt)
    return Level.FINE if judgement is None else judgement.level


def check(one: Rule, day: Day, channels: int, strikes: int, opted: bool) -> None:
    so_far, further = day
    before = [became(call, fate) for call, fate, _ in so_far]
    now = seat(one, before, filed(before, channels, strikes, opted), NOW)
    room = one.room(now, NOW, "pbx1")
    assert room >= 0
    after = [became(call, _ends(fate, then)) for call, fate, then in so_far]
    file = filed(after, channels, strikes, opted)
    later = seat(one, after, file, NOW)
    for call, fate in further[:room]:
        told = became(call, fate)
        if told.ended_at is None:
            file.loads.of("pbx1").change("acme", 1)
        for its in (later, *later.also):
            if its.rule.spec.measure.counts(told):
                contribute(its.tally, told, its.rule.spec.measure, 1)
        assert reached(one, later, call) is Level.FINE


def _ends(fate: int, then: int) -> int:
    """What becomes of a call in progress later; who talks can neither ring again nor fail."""
    if fate == RINGING or (fate == TALKING and then not in (RINGING, FAILED)):
        return then
    return fate


@pytest.mark.parametrize("kind", KINDS)
@given(st.data())
def test_calls_within_the_room_reach_no_level(kind: str, data: st.DataObject) -> None:
    one = data.draw(some(kind))
    check(one, data.draw(days()), data.draw(st.sampled_from([0, 10, 60])), data.draw(st.integers(0, 4)),
          data.draw(st.booleans()))


@given(st.data())
def test_calls_within_the_room_of_several_signals_reach_no_level(data: st.DataObject) -> None:
    kinds = st.sampled_from(sorted(set(KINDS) - NO_SIGNAL))
    also = tuple(data.draw(some(kind)) for kind in data.draw(st.lists(kinds, min_size=1, max_size=2)))
    leader = data.draw(some(data.draw(kinds)))
    one = KINDS[leader.spec.kind](replace(leader.spec, also=also))
    check(one, data.draw(days()), 0, 0, False)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"average_minutes", "diluted_average"}))
def test_there_are_windows_without_room(kind: str) -> None:
    """So that the promise above is one: each kind has windows in which it promises nothing."""
    busy = [became(record(NOON, call_id=f"pbx1/{n}"), FAILED) for n in range(50)]
    live = [record(NOON, call_id=f"pbx1/r{n}") for n in range(50)]
    busy += [record(NOON, call_id=f"pbx1/m{n}", medium=Medium.MESSAGE, ended_at=NOON) for n in range(5)]
    measure = Measure(mediums=frozenset(Medium), marked=frozenset(NumberClass), redial_seconds=60)
    one = rule(kind, 1, measure=measure)
    assert one.room(seat(one, busy + live, filed(live, 10, 1, True), NOON), NOON, "pbx1") == 0
