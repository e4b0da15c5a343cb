"""Any order, repeats and losses of what is told of one call give the same record."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from enforcer.domain.call import (
    CallEvent,
    CallRecord,
    Direction,
    Phase,
    Refusal,
    Source,
    milliseconds,
)
from enforcer.domain.joining import joined, merged
from tests.support.rules import NOON, attempt, record

ATTEMPT = attempt()
FROM_CDR = replace(ATTEMPT, at=NOON - 1, number="s", caller="", channel="PJSIP/other", route="carrier")


def told(first: CallEvent, *rest: CallEvent) -> CallRecord:
    """The record after these events, as a ledger keeps it: begun by the first of them."""
    known = first.attempt
    begun = record(
        known.at, started_by=first.source, account=known.account, customer="", number=known.number,
        caller=known.caller, route=known.route, channel=known.channel, direction=known.direction,
    )
    return reduce(merged, (first, *rest), begun)


def ended(at: float, source: Source = Source.EVENT, **more: object) -> CallEvent:
    seizure = FROM_CDR if source is Source.CDR else ATTEMPT
    return CallEvent(Phase.ENDED, seizure, at, source=source, **more)  # type: ignore[arg-type]


START = CallEvent(Phase.STARTED, ATTEMPT, NOON)
ANSWER = CallEvent(Phase.ANSWERED, ATTEMPT, NOON + 4.25)
END = ended(NOON + 64.5, answered_at=NOON + 4.25, hangup_cause=16)
CDR = ended(NOON + 64, Source.CDR, answered_at=NOON + 4, billsec=60.0, hangup_cause=16)

instants = st.integers(0, 50).map(lambda n: NOON + n / 4)
causes = st.sampled_from([None, 0, 16, 17, 127])


@st.composite
def events(draw: st.DrawFn) -> CallEvent:
    """Anything that either source, or nobody, may tell of one call."""
    source = draw(st.sampled_from(Source))
    nobody = replace(ATTEMPT, number="")
    seizure = {Source.EVENT: ATTEMPT, Source.CDR: FROM_CDR, Source.INFERRED: nobody}[source]
    return CallEvent(
        draw(st.sampled_from(Phase)), replace(seizure, at=draw(instants)), draw(instants),
        answered_at=draw(st.none() | instants), billsec=draw(st.sampled_from([None, 0.0, 5.0, 6.0])),
        hangup_cause=draw(causes), sip_code=draw(st.sampled_from([None, 0, 200, 486])),
        refusal=draw(st.sampled_from(Refusal)), source=source,
    )


@given(st.lists(events(), min_size=1, max_size=6).flatmap(lambda es: st.tuples(
    st.just(es), st.permutations(es), st.lists(st.sampled_from(es), max_size=4))))
def test_any_order_with_repeats_gives_the_same_record(
    drawn: tuple[list[CallEvent], list[CallEvent], list[CallEvent]],
) -> None:
    in_order, shuffled, repeats = drawn
    assert told(*shuffled, *repeats) == told(*in_order)


@given(st.lists(events(), min_size=1, max_size=4), st.lists(events(), min_size=1, max_size=4))
def test_two_hands_that_saw_parts_join_to_what_one_hand_saw(
    mine: list[CallEvent], theirs: list[CallEvent]
) -> None:
    together = told(*mine, *theirs)._replace(customer="")
    assert joined(told(*mine), told(*theirs))._replace(customer="") == together
    assert joined(told(*theirs), told(*mine))._replace(customer="") == together


@given(st.permutations([START, ANSWER, END]), st.sets(st.sampled_from([0, 1])))
@example([END], set())
def test_with_the_end_told_by_events_a_cdr_changes_no_time(seen: list[CallEvent], lost: set[int]) -> None:
    kept = [e for n, e in enumerate(seen) if n not in lost or e is END]
    final = told(*kept, CDR)
    assert (final.started_at, final.answered_at, final.ended_at) == (NOON, NOON + 4.25, NOON + 64.5)
    assert final.billmsec == 60_250
    assert final.number == ATTEMPT.number
    assert final.route == "carrier"     # which only the CDR knew


@pytest.mark.parametrize("seen", [[], [START], [START, ANSWER]])
def test_with_the_end_lost_the_cdr_tells_the_duration(seen: list[CallEvent]) -> None:
    assert told(*seen, CDR).billmsec == 60_000


def test_a_cdr_corrects_an_end_that_nobody_saw() -> None:
    gone = CallEvent(Phase.ENDED, ATTEMPT, NOON + 300, source=Source.INFERRED)
    assert told(START, ANSWER, gone).billmsec == 0
    assert told(START, ANSWER, gone, CDR).billmsec == told(START, CDR, ANSWER, gone).billmsec == 60_000


def test_the_earliest_start_and_answer_and_the_latest_end_stand() -> None:
    early, late = (
        CallEvent(Phase.ENDED, replace(ATTEMPT, at=NOON + n), NOON + 9 + n, answered_at=NOON + 4 + n)
        for n in (0, 1)
    )
    for final in (told(early, late), told(late, early)):
        assert (final.started_at, final.answered_at, final.ended_at) == (NOON, NOON + 4, NOON + 10)


@pytest.mark.parametrize("known", [
    {"hangup_cause": 0}, {"sip_code": 0}, {"hangup_cause": 17}, {"sip_code": 486},
])
def test_of_two_endings_at_one_instant_the_one_that_tells_more_stands(known: dict[str, int]) -> None:
    bare, telling = ended(NOON + 9), ended(NOON + 9, **known)
    assert told(bare, telling) == told(telling, bare) == told(telling)


def test_an_account_corrected_by_events_asks_for_its_customer_again() -> None:
    wrong = CDR._replace(attempt=replace(FROM_CDR, account="globex"))
    known = told(wrong)._replace(customer="globex")
    after = merged(known, START)
    assert (after.account, after.customer) == ("acme", "")


def test_blocked_stands_over_shed_whoever_comes_first() -> None:
    blocked = START._replace(refusal=Refusal.BLOCKED)
    shed = START._replace(refusal=Refusal.SHED)
    assert told(blocked, shed).refusal is told(shed, blocked).refusal is Refusal.BLOCKED


def test_a_call_the_switch_let_go_was_not_refused_whatever_was_decided_too_late() -> None:
    blocked, went = START._replace(refusal=Refusal.BLOCKED), START._replace(refusal=Refusal.WENT)
    assert told(blocked, went).refusal is told(went, blocked).refusal is Refusal.WENT
    assert told(blocked).refused
    assert not told(blocked, went).refused


@pytest.mark.parametrize(("ringing", "talking", "msec"), [
    (0.0, 5.9999994, 5999), (0.0, 5.9999996, 6000), (0.1, 6.0, 6000), (0.3, 5.999, 5999), (0.0, -1.0, 0),
])
def test_durations_are_whole_milliseconds_free_of_float_noise(
    ringing: float, talking: float, msec: int
) -> None:
    answered = NOON + ringing
    assert told(START, ended(answered + talking, answered_at=answered)).billmsec == msec


def test_a_negative_billsec_takes_no_minutes_back() -> None:
    assert told(CDR._replace(billsec=-5.0)).billmsec == 0


def test_milliseconds_are_truncated_as_switches_truncate_billsec() -> None:
    assert [milliseconds(s) for s in (0.0, 0.0009, 0.001, 1.79, 5.9999)] == [0, 0, 1, 1790, 5999]


INSIDE = CallEvent(Phase.STARTED, replace(ATTEMPT, direction=Direction.INTERNAL), NOON)


def test_a_call_stays_inside_as_soon_as_the_dialplan_says_so_whoever_is_heard_first() -> None:
    assert told(START, INSIDE, ANSWER, END).direction is Direction.INTERNAL
    assert told(INSIDE, START, ANSWER, END).direction is Direction.INTERNAL


def test_a_call_that_went_out_stays_one_when_it_is_sent_on_inside() -> None:
    """Else whoever forwards a call to a colleague had never called out."""
    assert told(START, ANSWER, INSIDE, END).direction is Direction.OUTBOUND


def test_a_call_that_came_in_stays_one_when_it_is_sent_on_outside() -> None:
    came = START._replace(attempt=replace(ATTEMPT, direction=Direction.INBOUND))
    assert told(came, START, ANSWER, END).direction is Direction.INBOUND
