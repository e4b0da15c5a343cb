"""What two hands know of one call comes together alike, whoever joins it to whom, and however often."""

from __future__ import annotations

from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from enforcer.domain.call import CallEvent, CallRecord, Direction, Refusal, Source
from enforcer.domain.joining import joined
from enforcer.domain.usage import Tally
from enforcer.ledger.books import Books
from tests.support.ledgers import Call, classify
from tests.support.rules import NOON

BOOKS = Books(classify, lambda call_id: None, lambda: NOON, lambda *_: Tally())


@st.composite
def facts(draw: st.DrawFn) -> CallEvent:
    """Something told of one call by somebody who may not know everything."""
    call = Call(
        account=draw(st.sampled_from(("", "acme"))), number=draw(st.sampled_from(("", "12125550100"))),
        start=NOON + draw(st.sampled_from((0.0, 0.25, 0.5))), direction=Direction.OUTBOUND,
    )
    call.answer = draw(st.sampled_from((None, call.start + 1.5)))
    after = draw(st.sampled_from((0.0, 5.5, 7.25)))
    event = draw(st.sampled_from((
        call.started(), call.ended(after), call.cdr(int(after)), call.ended(after, source=Source.INFERRED),
    )))
    refusal = draw(st.sampled_from(Refusal))
    return CallEvent(
        event.phase, event.attempt, event.at, event.answered_at, event.billsec, event.hangup_cause,
        refusal=refusal, source=event.source,
    )


def told(events: list[CallEvent]) -> CallRecord:
    """What one hand knows that was told these."""
    record = None
    for event in events:
        record = BOOKS.told(record, event)
    assert record is not None
    return record


some_facts = st.lists(facts(), min_size=1, max_size=4)


@given(some_facts, some_facts, some_facts)
def test_joining_knows_no_order_and_no_number_of_times(
    one: list[CallEvent], two: list[CallEvent], three: list[CallEvent]
) -> None:
    a, b, c = told(one), told(two), told(three)
    assert joined(a, a) == a
    assert joined(a, b) == joined(b, a)
    assert reduce(joined, (a, b, c)) == joined(a, joined(b, c)) == reduce(joined, (c, b, a, b))


@given(some_facts, some_facts)
def test_a_later_version_of_a_record_holds_all_of_an_earlier_one(
    before: list[CallEvent], after: list[CallEvent]
) -> None:
    earlier, later = told(before), told([*before, *after])
    assert joined(later, earlier) == joined(earlier, later) == later


@given(some_facts, some_facts)
def test_joining_two_hands_is_telling_one_hand_everything(
    one: list[CallEvent], two: list[CallEvent]
) -> None:
    assert joined(told(one), told(two)) == told([*one, *two])
