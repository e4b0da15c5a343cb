"""Whatever a record adds to a tally, taking it back leaves no trace; and the parts make the whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from enforcer.domain.begun import begin, only_begun
from enforcer.domain.call import CallRecord, Direction, Medium, NumberClass, Refusal, Source
from enforcer.domain.measure import Detail, Measure, Window
from enforcer.domain.usage import Rolling, Tally, contribute, recount
from tests.support.rules import NOON, record

HOUR = 3600
instants = st.floats(NOON, NOON + 2 * HOUR)
numbers = st.integers(0, 5).map(lambda n: f"1212555010{n}")
one_record = st.builds(
    record, started_at=instants, direction=st.sampled_from(Direction), number=numbers, caller=numbers,
    number_class=st.sampled_from(NumberClass), legs=st.sampled_from(["", "PJSIP/a-1", "PJSIP/a-1 PJSIP/b-2"]),
    answered_at=st.none() | instants, answered_by=st.sampled_from([Source.CDR, Source.EVENT]),
    ended_at=st.none() | instants, ended_by=st.sampled_from(Source), told_msec=st.integers(0, 7_200_000),
    refusal=st.sampled_from(Refusal), medium=st.sampled_from(Medium), route=st.sampled_from(["", "a", "b"]),
).map(lambda call: call if call.ended_at is not None else call._replace(ended_by=None))
records = st.lists(one_record, max_size=8).map(
    lambda calls: [call._replace(call_id=f"pbx1/{n}") for n, call in enumerate(calls)]
)
directions = st.frozensets(st.sampled_from(Direction), min_size=1)
measures = st.builds(
    Measure, window=st.sampled_from(Window), seconds=st.just(HOUR), directions=directions,
    short_includes_equal=st.booleans(), without=st.frozensets(st.sampled_from(NumberClass), max_size=3),
    mediums=st.frozensets(st.sampled_from(Medium), min_size=1),
    routes=st.sampled_from([frozenset(), frozenset("a")]),
    per_leg=st.booleans(), marked=st.frozensets(st.sampled_from(NumberClass), max_size=2),
    near_msec=st.sampled_from([0, 3000]), details=st.frozensets(st.sampled_from(Detail)),
    redial_seconds=st.just(600),
)


@given(records, one_record, measures, st.none() | instants)
def test_taking_back_what_a_record_added_restores_the_tally(
    calls: list[CallRecord], one: CallRecord, measure: Measure, at: float | None
) -> None:
    tally = recount(calls, measure, at)
    before = tally.figures
    one = one._replace(call_id="pbx1/one")
    contribute(tally, one, measure, 1)
    contribute(tally, one, measure, -1)
    assert tally.figures == before


@given(records, directions, st.booleans())
def test_attempts_are_the_sum_of_what_became_of_them(
    calls: list[CallRecord], some: frozenset[Direction], live: bool
) -> None:
    measure = Measure(window=Window.LIVE if live else Window.CYCLE, directions=some)
    tally = recount(calls, measure)
    went = [c for c in calls if measure.counts(c) and not c.refused]
    went = [c for c in went if c.ended_at is not None and c.ended_by is not Source.INFERRED]
    unanswered = sum(1 for c in went if c.answered_at is None and not c.billmsec)
    over = 0 if live else unanswered
    assert tally.attempts == tally.ringing + tally.talking + tally.completed + tally.short + over
    assert min(tally.figures) >= 0


@given(
    records.flatmap(lambda rs: st.tuples(st.just(rs), st.permutations(rs))), measures, st.none() | instants,
)
def test_the_order_of_calls_does_not_matter(
    both: tuple[list[CallRecord], list[CallRecord]], measure: Measure, at: float | None
) -> None:
    assert recount(both[0], measure, at).figures == recount(both[1], measure, at).figures


@given(
    records, measures.filter(lambda m: m.window is Window.ROLLING), st.lists(instants, max_size=4), st.data(),
)
def test_a_window_that_rolled_on_says_what_one_says_that_began_there(
    calls: list[CallRecord], measure: Measure, moments: list[float], data: st.DataObject
) -> None:
    """However often it was moved, and whenever in between calls were told, changed or taken back."""
    tally = recount([], measure)
    assert isinstance(tally, Rolling)
    order = data.draw(st.permutations([*calls, *sorted(moments)]))
    latest = float("-inf")
    for one in order:
        if isinstance(one, float):
            tally.move(one, measure)
            latest = max(latest, one)
        elif measure.counts(one):
            contribute(tally, one._replace(refusal=Refusal.NONE), measure, 1)
            contribute(tally, one._replace(refusal=Refusal.NONE), measure, -1)
            contribute(tally, one, measure, 1)
    assert tally.figures == recount(calls, measure, latest if latest > 0 else None).figures


@given(records, st.data())
def test_a_call_that_is_taken_back_after_its_window_passed_takes_nothing_else(
    calls: list[CallRecord], data: st.DataObject
) -> None:
    measure = Measure(window=Window.ROLLING, seconds=HOUR, details=frozenset(Detail), redial_seconds=600)
    tally = recount(calls, measure)
    assert isinstance(tally, Rolling)
    at = data.draw(st.floats(NOON + HOUR, NOON + 4 * HOUR))
    tally.move(at, measure)
    for call in calls:
        if measure.counts(call) and int(call.started_at // measure.step) <= measure.edge(at):
            contribute(tally, call, measure, -1)
    assert tally.figures == recount(calls, measure, at).figures


def ringing(call: CallRecord) -> CallRecord:
    """The same call when nothing but its beginning was told."""
    return call._replace(
        call_id="pbx1/one", answered_at=None, answered_by=None, ended_at=None, ended_by=None, told_msec=0,
        refusal=Refusal.NONE, legs="",
    )


def nothing(measure: Measure) -> Tally:
    """What a measure starts from."""
    return recount([], measure)


@given(records, measures)
def test_all_calls_taken_back_leave_nothing(calls: list[CallRecord], measure: Measure) -> None:
    tally = recount(calls, measure)
    for call in calls:
        if measure.counts(call):
            contribute(tally, call, measure, -1)
    assert tally.figures == nothing(measure).figures


@given(records, one_record.map(ringing), measures, st.lists(instants, max_size=2), instants)
def test_what_a_call_adds_as_it_begins_is_what_its_record_adds(
    calls: list[CallRecord], one: CallRecord, measure: Measure, moved: list[float], later: float
) -> None:
    """Now, after its window has moved on, and after it is taken back."""
    tally, by_definition = (recount(calls, measure, max(moved, default=None)) for _ in range(2))
    assert only_begun(one)
    begin(tally, one, measure)
    contribute(by_definition, one, measure, 1)
    assert tally.figures == by_definition.figures
    if isinstance(tally, Rolling) and isinstance(by_definition, Rolling):
        assert (tally.first, tally.steps, tally.calls) == (
            by_definition.first, by_definition.steps, by_definition.calls
        )
        tally.move(later, measure)
        by_definition.move(later, measure)
        assert tally.figures == by_definition.figures
    contribute(tally, one, measure, -1)
    contribute(by_definition, one, measure, -1)
    assert tally.figures == by_definition.figures
