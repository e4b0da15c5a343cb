"""Over random rules and calls: a rule that is not asked because of so few attempts had nothing to say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enforcer.domain.account import Account
from enforcer.domain.call import CallRecord, NumberClass
from enforcer.domain.decide import decide
from enforcer.domain.decision import Decision
from enforcer.domain.mode import Mode, Modes
from enforcer.domain.rules import KINDS, Rule
from enforcer.domain.rules.seat import Seat
from enforcer.domain.usage import Rolling, Tally, contribute, recount, succeed
from tests.properties.test_decide_ceiling import rule_lists, rules, tallies
from tests.properties.test_usage_cancels import instants, one_record, ringing
from tests.support.rules import NOON, attempt, rule, seated
from tests.support.tables import numbered

ACME = Account("acme", "acme")
# Many calls of one kind make numbers that pass levels; a few of any kind are what surprises.
many = st.builds(lambda call, times: [call] * times, one_record, st.integers(1, 25))
windows = st.lists(many, max_size=4).map(lambda groups: numbered(*groups))
apart = rules.map(lambda one: KINDS[one.spec.kind](replace(one.spec, measure=replace(
    one.spec.measure, marked=frozenset({NumberClass.ORDINARY, NumberClass.PREMIUM}), near_msec=3000,
))))
policies = st.lists(
    st.builds(lambda one, also: KINDS[one.spec.kind](replace(one.spec, also=tuple(also))),
              apart, st.lists(apart, max_size=1)),
    max_size=4, unique_by=lambda one: one.spec.id,
)


def asked_always(one: Rule) -> Rule:
    """The same rule, but no number of attempts is too few to ask it."""
    same = KINDS[one.spec.kind](one.spec)
    same.glance.quiet = 0
    return same


def outcome(seats: Sequence[Seat], mode: Mode) -> tuple[list[Decision], list[tuple[int, float]]]:
    """What three calls at once come to, and what is left of the pace after them."""
    said = [
        decide(attempt(), NumberClass.ORDINARY, ACME, seats, Modes(default=mode), "d") for _ in range(3)
    ]
    pacers = [seat.pacer for seat in seats if seat.pacer is not None]
    return said, [(pacer.used(NOON), pacer.hold(NOON)) for pacer in pacers if pacer.used(NOON)]


def filled(one: Rule, calls: list[CallRecord], at: float | None) -> Seat:
    """The rule's seat, its signals too, after these calls."""
    seat = seated(one, recount(calls, one.spec.measure, at))
    for signal in seat.also:
        signal.tally = recount(calls, signal.rule.spec.measure, at)
    return seat


@given(policies, windows, st.none() | instants, st.sampled_from(Mode))
def test_whether_quiet_rules_are_asked_changes_no_decision(
    policy: list[Rule], calls: list[CallRecord], at: float | None, mode: Mode
) -> None:
    assert outcome([filled(one, calls, at) for one in policy], mode) == outcome(
        [filled(asked_always(one), calls, at) for one in policy], mode
    )


@given(rule_lists, st.lists(tallies, min_size=4, max_size=4), st.sampled_from(Mode))
def test_nor_does_it_where_numbers_are_near_their_levels(
    policy: list[Rule], numbers: list[Tally], mode: Mode
) -> None:
    with_them, without = (
        [seated(one, tally) for one, tally in zip(some, numbers, strict=False)]
        for some in (map(asked_always, policy), policy)
    )
    assert outcome(with_them, mode) == outcome(without, mode)


@given(apart, windows, st.lists(instants, max_size=3).map(sorted), st.data())
def test_a_rule_below_its_bound_is_silent_whatever_became_of_its_calls(
    one: Rule, calls: list[CallRecord], moved: list[float], data: st.DataObject
) -> None:
    """Told as they began, then as they ended; some taken back, the window moved on in between."""
    measure = one.spec.measure
    seat = filled(one, [], None)
    for nth, call in enumerate(calls):
        if not measure.counts(call):
            continue
        begun = ringing(call)._replace(call_id=call.call_id, refusal=call.refusal)
        contribute(seat.tally, begun, measure, 1)
        if data.draw(st.booleans()):
            succeed(seat.tally, begun, call, measure)
        elif data.draw(st.booleans()):
            contribute(seat.tally, begun, measure, -1)
        if nth < len(moved) and isinstance(seat.tally, Rolling):
            seat.tally.move(moved[nth], measure)
        if seat.tally.attempts < one.glance.quiet:
            assert one.look(seat, NOON) is None


@pytest.mark.parametrize(("one", "tally"), [
    (rule("attempts", 6), Tally(attempts=7)),
    (rule("attempts", 60, 6), Tally(attempts=7)),
    (rule("concurrent_calls", 6), Tally(attempts=7, ringing=7)),
    (rule("asr", 4, min_attempts=7), Tally(attempts=7)),
    (rule("asr", 4), Tally(attempts=1)),
    (rule("short_calls", 10, min_answered=7), Tally(attempts=7, short=7)),
    (rule("failed_calls", 10, min_attempts=7), Tally(attempts=7)),
    (rule("failed_calls", 10), Tally(attempts=1)),
    (rule("average_duration", 10, min_answered=7), Tally(attempts=7, completed=7, msec=7000)),
    (rule("average_duration", 10), Tally(attempts=1, completed=1, msec=1000)),
])
def test_a_rule_is_asked_from_the_first_attempt_on_that_can_pass_a_level(one: Rule, tally: Tally) -> None:
    assert tally.attempts == one.glance.quiet
    assert [found.rule for found in outcome([seated(one, tally)], Mode.BLOCK)[0][0].findings] == [one.spec.id]
