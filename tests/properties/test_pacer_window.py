"""The pace is exact: in no window more calls than it says, first in first out, nobody held in vain."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from enforcer.domain.account import Account
from enforcer.domain.call import NumberClass
from enforcer.domain.decide import decide
from enforcer.domain.decision import Decision, Verdict
from enforcer.domain.mode import Mode, Modes
from enforcer.domain.policy import Seat
from enforcer.domain.rules import Pace
from enforcer.domain.rules.pace import Pacer
from enforcer.domain.usage import Tally
from tests.support.rules import NOON, attempt, rule

# Instants on a grid of 1/64 s are exact in floating point, so that "exactly one second" is.
gaps = st.lists(st.integers(0, 96).map(lambda n: n / 64), min_size=1, max_size=60)
rates = st.sampled_from(["1/4", "1/2", "1", "3/2", "2", "5/2", "3", "7"])


def arrivals(between: list[float]) -> list[float]:
    at, found = NOON, []
    for gap in between:
        at += gap
        found.append(at)
    return found


def ask(seat: Seat, at: float, mode: Mode) -> Decision:
    modes = Modes(default=mode)
    return decide(attempt(at), NumberClass.ORDINARY, Account("acme", "acme"), [seat], modes, "d")


@given(rates, gaps, st.sampled_from([0.0, 0.25, 2.0]))
def test_no_second_sees_more_calls_than_the_limit(rate: str, between: list[float], max_hold: float) -> None:
    limit = Fraction(rate)
    seat = Seat(rule("cps", rate, verdict=Verdict.THROTTLE, pace=Pace(max_hold=max_hold)), Tally())
    released: list[float] = []
    for at in arrivals(between):
        decision = ask(seat, at, Mode.BLOCK)
        assert 0.0 <= decision.hold <= max_hold
        if not decision.refused:
            released.append(at + decision.hold)
    assert released == sorted(released)
    window = 1 if limit >= 1 else 1 / limit
    for n, first in enumerate(released):
        assert sum(1 for later in released[n:] if later < first + window) <= max(limit, 1)


@given(st.integers(1, 5), gaps)
def test_a_call_is_held_only_where_it_would_be_one_too_many(calls: int, between: list[float]) -> None:
    pacer, released = Pacer(Pace(calls, 1.0)), []
    for at in arrivals(between):
        hold = pacer.hold(at)
        if hold > 0:    # a moment sooner it would have been one too many
            assert sum(1 for r in released if r > at + hold - 1.0 - 1e-3) >= calls
        pacer.take(at + hold)
        released.append(at + hold)


@given(rates, gaps, st.sampled_from([Verdict.TAG, Verdict.THROTTLE, Verdict.BLOCK]),
       st.sampled_from([Mode.OFF, Mode.MONITOR, Mode.TAG]))
def test_a_milder_mode_finds_the_numbers_that_block_mode_would(
    rate: str, between: list[float], verdict: Verdict, mode: Mode
) -> None:
    strict, mild = (Seat(rule("cps", rate, "1/5", verdict=verdict), Tally()) for _ in range(2))
    for at in arrivals(between):
        acted, watched = ask(strict, at, Mode.BLOCK), ask(mild, at, mode)
        assert watched.would_be is acted.would_be is acted.verdict
        assert [(f.value, f.hold, f.shed) for f in watched.findings] == [
            (f.value, f.hold, f.shed) for f in acted.findings
        ]


@given(st.lists(st.tuples(gaps.map(lambda g: g[0]), st.integers(0, 64).map(lambda n: n / 64)), min_size=1))
def test_calls_held_longer_by_another_rule_keep_the_window_exact(drawn: list[tuple[float, float]]) -> None:
    pacer, released = Pacer(Pace(2, 1.0)), []
    at = NOON
    for gap, longer in drawn:
        at += gap
        release = at + max(pacer.hold(at), longer)
        pacer.take(release)
        released.append(release)
    released.sort()
    assert all(later - first >= 1.0 for first, later in zip(released, released[2:], strict=False))
