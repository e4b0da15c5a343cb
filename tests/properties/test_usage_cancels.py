"""Whatever a record adds to a tally, taking it back leaves no trace; and the parts make the whole."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from enforcer.domain.call import CallRecord, Direction, NumberClass, Refusal, Source
from enforcer.domain.usage import Measure, Tally, Window, contribute, recount
from tests.support.rules import NOON, record

instants = st.floats(NOON, NOON + 7200)
records = st.builds(
    record, started_at=instants, direction=st.sampled_from(Direction),
    number_class=st.sampled_from(NumberClass),
    answered_at=st.none() | instants, answered_by=st.sampled_from([Source.CDR, Source.EVENT]),
    ended_at=st.none() | instants, ended_by=st.sampled_from(Source), told_msec=st.integers(0, 7_200_000),
    refusal=st.sampled_from(Refusal),
).map(lambda call: call if call.ended_at is not None else call._replace(ended_by=None))
measures = st.builds(
    Measure, window=st.sampled_from(Window), directions=st.frozensets(st.sampled_from(Direction), min_size=1),
    short_includes_equal=st.booleans(), without=st.frozensets(st.sampled_from(NumberClass), max_size=3),
)


@given(st.lists(records, max_size=8), records, measures)
def test_taking_back_what_a_record_added_restores_the_tally(
    calls: list[CallRecord], one: CallRecord, measure: Measure
) -> None:
    tally = recount(calls, measure)
    before = replace(tally)
    contribute(tally, one, measure, 1)
    contribute(tally, one, measure, -1)
    assert tally == before


@given(st.lists(records, max_size=8), measures)
def test_attempts_are_the_sum_of_what_became_of_them(calls: list[CallRecord], measure: Measure) -> None:
    tally = recount(calls, measure)
    went = [c for c in calls if measure.counts(c) and not c.refused]
    unanswered = sum(1 for c in went if c.ended_at is not None and c.answered_at is None and not c.billmsec)
    if measure.window is Window.LIVE:
        unanswered = 0
    assert tally.attempts == tally.ringing + tally.talking + tally.completed + tally.short + unanswered
    assert min(vars_of(tally)) >= 0


@given(
    st.lists(records, max_size=8).flatmap(lambda rs: st.tuples(st.just(rs), st.permutations(rs))), measures,
)
def test_the_order_of_calls_does_not_matter(
    both: tuple[list[CallRecord], list[CallRecord]], measure: Measure
) -> None:
    assert recount(both[0], measure) == recount(both[1], measure)


def vars_of(tally: Tally) -> tuple[int, ...]:
    """All its counters."""
    return tuple(getattr(tally, name) for name in Tally.__slots__)
