"""Who waits how long, who is shed, and what uses up the pace."""

from __future__ import annotations

import pytest

from enforcer.domain.account import Account
from enforcer.domain.call import Direction, NumberClass
from enforcer.domain.decide import decide
from enforcer.domain.decision import Decision, Verdict
from enforcer.domain.measure import Measure
from enforcer.domain.mode import Mode, Modes, ModeSetting
from enforcer.domain.policy import Seat
from enforcer.domain.rules import Pace
from enforcer.domain.rules.pace import Pacer
from enforcer.domain.usage import Tally
from tests.support.rules import NOON, attempt, rule

ACME = Account("acme", "acme")


def ask(seats: list[Seat], after: float, mode: Mode = Mode.BLOCK, **more: Direction) -> Decision:
    modes = Modes(default=mode)
    return decide(attempt(NOON + after, **more), NumberClass.ORDINARY, ACME, seats, modes, "d")  # type: ignore[arg-type]


def paced(limit: int, max_hold: float = 2.0, **more: object) -> Seat:
    pace = Pace(max_hold=max_hold)
    return Seat(rule("cps", limit, verdict=Verdict.THROTTLE, pace=pace, **more), Tally())  # type: ignore[arg-type]


def test_a_burst_goes_out_at_the_pace_and_what_would_wait_too_long_is_shed() -> None:
    seat = paced(2, max_hold=1.0)
    told = [ask([seat], 0.0) for _ in range(6)]
    assert [(d.verdict.word, d.hold, d.shed, d.sip_code) for d in told] == [
        ("allow", 0.0, False, 0), ("allow", 0.0, False, 0),
        ("throttle", 1.0, False, 0), ("throttle", 1.0, False, 0),       # exactly max_hold
        ("throttle", 0.0, True, 503), ("throttle", 0.0, True, 503),
    ]


@pytest.mark.parametrize(("max_hold", "shed"), [(0.99, True), (1.0, False)])
def test_a_call_may_wait_for_max_hold_and_no_longer(max_hold: float, shed: bool) -> None:
    seat = paced(1, max_hold)
    ask([seat], 0.0)
    assert ask([seat], 0.0).shed is shed


def test_a_flood_is_held_to_its_rate_and_not_shut_out() -> None:
    seat = paced(5, max_hold=0.0)
    passed = [n for n in range(1000) if not ask([seat], n / 100).refused]
    assert len(passed) == 50        # ten seconds at five a second


def test_blocked_calls_use_nothing_up() -> None:
    seat = Seat(rule("cps", 5), Tally())
    passed = [n for n in range(1000) if not ask([seat], n / 100).refused]
    assert len(passed) == 50


def test_a_call_that_another_rule_sheds_uses_nothing_up() -> None:
    full = Seat(rule("concurrent_calls", 3, verdict=Verdict.THROTTLE), Tally(attempts=4, talking=4))
    rate = paced(1)
    assert ask([rate, full], 0.0).shed
    assert ask([rate], 0.1).verdict is Verdict.ALLOW


def test_a_rule_that_only_watches_does_not_keep_an_enforced_one_from_counting() -> None:
    full = Seat(rule("concurrent_calls", 3, name="watched"), Tally(attempts=4, talking=4))
    rate = Seat(rule("cps", 1, name="rate", verdict=Verdict.THROTTLE), Tally())
    modes = Modes(default=Mode.THROTTLE)
    modes.put(ModeSetting(Mode.MONITOR, rule="watched"))
    holds = [
        decide(attempt(NOON), NumberClass.ORDINARY, ACME, [full, rate], modes, "d").hold for _ in range(3)
    ]
    assert holds == [0.0, 1.0, 2.0]


def test_a_call_that_one_rule_holds_does_not_look_like_a_flood_to_another() -> None:
    outbound = Seat(rule("cps", 1, name="out", verdict=Verdict.THROTTLE), Tally())
    both = Seat(rule("cps", 10, name="all", measure=Measure(directions=frozenset(Direction))), Tally())
    ask([outbound, both], 0.0)
    assert ask([outbound, both], 0.0).hold == 1.0
    assert ask([outbound, both], 0.5, direction=Direction.INBOUND).verdict is Verdict.ALLOW


def test_calls_that_the_rate_does_not_count_take_no_turn() -> None:
    seat = paced(1)
    for _ in range(5):
        assert ask([seat], 0.0, direction=Direction.INBOUND).verdict is Verdict.ALLOW
    assert ask([seat], 0.0).verdict is Verdict.ALLOW


@pytest.mark.parametrize(("pace", "why"), [
    ((0, 1.0), "0 calls"), ((1, 0.0), "0.0 seconds"), ((-1, 1.0), "-1 calls"),
])
def test_a_pace_that_lets_nothing_through_is_refused(pace: tuple[int, float], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Pace(*pace)


def test_what_was_used_is_counted_to_the_instant() -> None:
    pacer = Pacer(Pace(3, 1.0))
    for after in (0.0, 0.25, 0.5):
        pacer.take(NOON + after)
    assert [pacer.used(NOON + after) for after in (0.5, 0.999, 1.0, 1.25, 1.5)] == [3, 3, 2, 1, 0]
    assert pacer.hold(NOON + 0.999) == pytest.approx(0.001, abs=1e-6)
    assert [pacer.busy(3, NOON + after) for after in (0.999, 1.0)] == [True, False]


def test_a_call_that_overtakes_one_held_by_another_rule_is_counted_too() -> None:
    pacer = Pacer(Pace(3, 1.0))
    pacer.take(NOON + 1.0)
    pacer.take(NOON + 0.5)
    assert pacer.used(NOON + 1.2) == 2
    assert pacer.used(NOON + 1.7) >= 1
