"""What a ledger counts, whichever adapter keeps it."""

from __future__ import annotations

from itertools import permutations

import pytest

from enforcer.domain.account import Account
from enforcer.domain.call import Direction, Refusal, Source
from enforcer.domain.measure import Measure, Scope
from enforcer.domain.policy import Policy
from enforcer.domain.usage import Usage
from enforcer.ledger import at_hand
from enforcer.ledger.port import Ledger
from tests.support.ledgers import CYCLE, DAY, POLICY, Call, Clock, derived, talked, tell, usage
from tests.support.rules import NOON, rule

DECEMBER = NOON + 9.5 * DAY     # 2026-12-02 00:00 UTC


def test_a_call_that_began_is_an_attempt_in_progress(ledger: Ledger) -> None:
    assert ledger.apply(Call().started()) is not None
    assert usage(ledger) == Usage(attempts=1, live=1)
    assert usage(ledger, "concurrent_calls") == Usage(attempts=1, live=1)
    assert [record.call_id for record in ledger.live("pbx1")] == ["pbx1/1"]
    assert ledger.live("pbx2") == []


@pytest.mark.parametrize(("seconds", "completed"), [(5.999, 0), (6.0, 1), (60.0, 1)])
def test_an_answered_call_is_completed_from_six_seconds_on(
    ledger: Ledger, seconds: float, completed: int
) -> None:
    tell(ledger, *talked(Call(), seconds))
    assert usage(ledger) == Usage(1, completed, 1 - completed, msec=round(seconds * 1000))
    assert usage(ledger, "concurrent_calls") == Usage()


def test_an_event_told_twice_tells_nothing_new(ledger: Ledger) -> None:
    for event in talked(Call(), 10):
        assert ledger.apply(event) is not None
        assert ledger.apply(event) is None
    assert usage(ledger) == Usage(1, 1, msec=10_000)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_events_in_any_order_count_alike(ledger: Ledger, order: tuple[int, ...]) -> None:
    events = talked(Call(), 10)
    tell(ledger, *(events[place] for place in order))
    assert usage(ledger) == Usage(1, 1, msec=10_000)


def test_an_end_without_a_beginning_is_a_whole_call(ledger: Ledger) -> None:
    tell(ledger, talked(Call(), 10)[-1])
    assert usage(ledger) == Usage(1, 1, msec=10_000)


def test_a_refused_call_leaves_every_ratio_and_sum(ledger: Ledger) -> None:
    blocked, shed = Call("1"), Call("2")
    tell(ledger, blocked.started(), shed.started())
    ledger.refuse(blocked.id, Refusal.BLOCKED)
    ledger.refuse(shed.id, Refusal.SHED)
    tell(ledger, blocked.ended(cause=21), shed.ended(cause=42))
    assert usage(ledger) == Usage(blocked=1, shed=1)
    assert usage(ledger, "concurrent_calls") == Usage()
    assert ledger.live() == []


def test_refusing_a_transfer_of_an_answered_call_leaves_it_counted(ledger: Ledger) -> None:
    call = Call()
    tell(ledger, call.started(), call.answered())
    ledger.refuse(call.id, Refusal.BLOCKED)
    assert usage(ledger) == Usage(attempts=1, live=1)


def test_an_unknown_call_cannot_be_refused(ledger: Ledger) -> None:
    ledger.refuse("pbx1/none", Refusal.BLOCKED)
    assert usage(ledger) == Usage()


def test_an_emergency_call_is_recorded_and_never_counted(ledger: Ledger) -> None:
    tell(ledger, *talked(Call(number="112"), 60))
    assert ledger.call("pbx1/1") is not None
    assert usage(ledger) == usage(ledger, "minutes") == usage(ledger, "asr") == Usage()


def test_a_call_of_no_account_is_recorded_and_counted_for_nobody(ledger: Ledger) -> None:
    tell(ledger, *talked(Call(account=""), 60))
    assert ledger.call("pbx1/1") is not None


def test_an_account_that_becomes_known_late_is_counted_from_then(ledger: Ledger) -> None:
    tell(ledger, Call(account="").started(), Call().answered())
    assert usage(ledger) == Usage(attempts=1, live=1)


def test_a_customer_has_the_sum_of_its_accounts(ledger: Ledger) -> None:
    ledger.put_accounts([Account("acme", "big"), Account("apex", "big"), Account("other", "small")])
    tell(
        ledger, *talked(Call("1"), 10), *talked(Call("2", "apex"), 20), *talked(Call("3", "other"), 40),
        *talked(Call("4", direction=Direction.INBOUND), 80),
    )
    assert usage(ledger, "minutes") == usage(ledger, "minutes", "apex") == Usage(3, 3, msec=110_000)
    assert usage(ledger, "asr") == Usage(2, 2, msec=30_000)
    assert usage(ledger) == Usage(1, 1, msec=10_000)


def test_a_late_event_about_a_forgotten_call_does_not_count_it_again(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(at_hand, "REMEMBER_CALLS", 2)
    calls = [Call(str(n), start=NOON + 100 * n) for n in range(6)]
    for call in calls:
        tell(ledger, *talked(call, 10))
    tell(ledger, calls[0].started(), calls[1].ended(10), calls[2].ended(12))
    assert usage(ledger) == Usage(6, 6, msec=62_000)


def test_a_cdr_in_whole_seconds_is_known_to_be_the_call_that_events_told(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(at_hand, "REMEMBER_CALLS", 1)
    for n in range(3):
        tell(ledger, Call(str(n), start=NOON + n + 0.7).cdr(10))
    for n in range(3):
        tell(ledger, *talked(Call(str(n), start=NOON + n + 0.7), 10.4))
    assert usage(ledger) == Usage(3, 3, msec=31_200)


def test_a_new_cycle_begins_at_nothing_and_calls_in_progress_stay(ledger: Ledger, clock: Clock) -> None:
    old = Call("old", start=DECEMBER - 2 * DAY)
    tell(ledger, *talked(Call("1"), 10), old.started())
    clock.now = DECEMBER
    new = Call("new", start=DECEMBER)
    tell(ledger, new.started())
    assert usage(ledger, at=DECEMBER) == Usage(attempts=1, live=1)
    assert usage(ledger, "concurrent_calls", at=DECEMBER) == Usage(attempts=2, live=2)


def test_a_late_end_belongs_to_the_cycle_its_call_began_in(ledger: Ledger, clock: Clock) -> None:
    old = Call("old", start=DECEMBER - 2 * DAY)
    tell(ledger, old.started(), old.answered())
    clock.now = DECEMBER
    tell(ledger, Call("new", start=DECEMBER).started(), old.ended(3600))
    assert usage(ledger, at=DECEMBER) == Usage(attempts=1, live=1)
    assert derived(ledger, "acme", CYCLE, NOON) == Usage(1, 1, msec=3_600_000)


def test_a_question_is_enough_to_begin_a_cycle(ledger: Ledger, clock: Clock) -> None:
    tell(ledger, *talked(Call(), 10))
    clock.now = DECEMBER
    assert usage(ledger, at=DECEMBER) == Usage()


@pytest.mark.parametrize("years", [1, 73])
def test_a_cdr_from_the_future_closes_no_cycle(ledger: Ledger, years: int) -> None:
    tell(ledger, *talked(Call("1"), 10), Call("2", start=NOON + years * 365 * DAY).cdr(10))
    tell(ledger, *talked(Call("3"), 10))
    assert usage(ledger, at=NOON + years * 365 * DAY) == usage(ledger) == Usage(2, 2, msec=20_000)


def test_a_switch_whose_clock_runs_ahead_loses_nothing_when_the_cycle_begins(
    ledger: Ledger, clock: Clock
) -> None:
    clock.now = DECEMBER - DAY - 600    # ten minutes before the month ends
    early = Call("early", start=DECEMBER - DAY + 1)
    tell(ledger, *talked(early, 10), *talked(Call("1"), 10))
    assert usage(ledger) == Usage(1, 1, msec=10_000)
    clock.now = DECEMBER - DAY
    tell(ledger, *talked(Call("2", start=clock.now), 10))
    assert usage(ledger, at=clock.now) == Usage(2, 2, msec=20_000)


def test_a_changed_calendar_counts_its_own_cycle(ledger: Ledger) -> None:
    tell(ledger, *talked(Call("1", start=NOON - 3 * DAY), 10), *talked(Call("2"), 20))
    ledger.put_accounts([Account("acme", "acme", anchor_day=21)])
    assert usage(ledger) == Usage(1, 1, msec=20_000)
    assert usage(ledger, "minutes") == Usage(1, 1, msec=20_000)
    ledger.put_accounts([Account("acme", "acme")])
    assert usage(ledger) == Usage(2, 2, msec=30_000)


def test_a_pace_outlasts_a_change_of_the_account(ledger: Ledger) -> None:
    (seat,) = [s for s in ledger.seats("acme", NOON) if s.rule.spec.id == "cps"]
    seat.pacing().take(NOON)
    ledger.put_accounts([Account("acme", "acme", plan="gold")])
    (seat,) = [s for s in ledger.seats("acme", NOON) if s.rule.spec.id == "cps"]
    assert seat.pacing().used(NOON) == 1


@pytest.mark.parametrize(("rate", "remembered"), [(100, 1), (5, 0)])
def test_a_new_policy_paces_anew_where_the_pace_changed(
    ledger: Ledger, rate: int, remembered: int
) -> None:
    (seat,) = [s for s in ledger.seats("acme", NOON) if s.rule.spec.id == "cps"]
    seat.pacing().take(NOON)
    ledger.use(Policy([rule("cps", rate)]))
    (seat,) = ledger.seats("acme", NOON)
    assert seat.pacing().used(NOON) == remembered
    assert seat.pacing().pace.calls == rate


def test_a_new_policy_counts_what_was_before_it_and_loses_no_call_in_progress(ledger: Ledger) -> None:
    short, live = Call("1"), Call("2")
    tell(ledger, *talked(short, 8), live.started(), live.answered())
    ledger.use(Policy([rule("minutes", 1000, measure=Measure(short_msec=10_000))]))
    assert usage(ledger, "minutes") == Usage(2, 0, 1, 1, 8_000)
    tell(ledger, live.ended(12))
    assert usage(ledger, "minutes") == Usage(2, 1, 1, 0, 20_000)
    ledger.use(POLICY)
    assert usage(ledger) == Usage(2, 2, msec=20_000)


def test_counters_that_were_tampered_with_are_found(ledger: Ledger) -> None:
    tell(ledger, *talked(Call(), 10))
    (seat,) = [s for s in ledger.seats("acme", NOON) if s.rule.spec.id == "attempts"]
    seat.tally.attempts += 1
    (mismatch,) = ledger.verify()
    assert (mismatch.scope, mismatch.key) == (Scope.ACCOUNT, "acme")
    assert (mismatch.counted.attempts, mismatch.derived.attempts) == (2, 1)
    seat.tally.attempts -= 1


def test_call_whose_end_nobody_saw_is_held_against_nobody_until_a_cdr_tells(ledger: Ledger) -> None:
    """It was rung when the switch was last heard, and may have been answered since."""
    ledger.use(Policy([rule("asr", 4)]))
    for number in range(4):
        tell(ledger, (call := Call(f"{number}")).started(), call.ended(source=Source.INFERRED))
    (seat,) = ledger.seats("acme", NOON)
    assert (seat.tally.attempts, seat.tally.unheard, seat.tally.live) == (4, 4, 0)
    assert seat.rule.judge(seat.tally, NOON, None) is None
    ledger.absorb([Call("0").cdr(), Call("1").cdr(), Call("2").cdr(), Call("3").cdr()])
    ledger.changed_elsewhere()
    (seat,) = ledger.seats("acme", NOON)
    assert (seat.tally.attempts, seat.tally.unheard) == (4, 0)
    assert seat.rule.judge(seat.tally, NOON, None) is not None
    assert ledger.verify() == []
