"""The calls told behind a number are those that the number counts: no more, no fewer, in every kind."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from enforcer.domain.behind import Behind, behind
from enforcer.domain.call import CallRecord, NumberClass, Refusal, Source
from enforcer.domain.measure import Measure, Window
from enforcer.domain.rules import KINDS
from enforcer.domain.usage import Detailed, recount
from tests.support.rules import NOON, record, rule

LASTS = 3600.0


def told(at: int, number: int, caller: int, fate: str, talk: int, premium: bool) -> CallRecord:
    one = record(NOON + at, number=f"1212555{number:04}", caller=f"{caller}",
                 number_class=NumberClass.PREMIUM if premium else NumberClass.ORDINARY)
    if fate in ("blocked", "shed"):
        return one._replace(refusal=Refusal(fate))
    if fate in ("talking", "answered", "unseen"):
        one = one._replace(answered_at=NOON + at, answered_by=Source.EVENT)
    if fate in ("answered", "failed"):
        one = one._replace(ended_at=NOON + at + (talk / 1000 if fate == "answered" else 0),
                           ended_by=Source.EVENT)
    if fate == "unseen":
        one = one._replace(ended_at=NOON + at, ended_by=Source.INFERRED)
    return one


records = st.lists(
    st.builds(
        told, st.integers(0, 3599), st.integers(0, 12), st.integers(0, 3),
        st.sampled_from(["blocked", "shed", "ringing", "talking", "answered", "failed", "unseen"]),
        st.integers(0, 12_000), st.booleans(),
    ),
    max_size=40,
).map(lambda some: [
    one._replace(call_id=f"pbx1/{n}") for n, one in enumerate(sorted(some, key=lambda r: r.started_at))
])
windows = st.sampled_from([
    Measure(), Measure(window=Window.ROLLING, seconds=1200), Measure(short_includes_equal=True),
])


def seen(kind: str, measure: Measure, calls: list[CallRecord]) -> tuple[Behind, Detailed, dict[str, int]]:
    measure = KINDS[kind].measured(measure)
    one = rule(kind, 4, measure=measure)
    tally = recount(calls, one.spec.measure, NOON + LASTS)
    found = behind([one], calls, NOON + LASTS, None)[kind]
    return found, tally, {part.words: part.number for part in found.counters()}     # type: ignore[return-value]


@given(st.sampled_from(["asr", "attempts", "short_calls", "concurrent_calls", "distinct_numbers"]), windows,
       records)
def test_each_counter_has_as_many_calls_as_it_counts(
    kind: str, measure: Measure, calls: list[CallRecord]
) -> None:
    found, tally, numbers = seen(kind, measure, calls)
    usage = tally.usage()
    assert numbers.get("completed", 0) == usage.completed
    assert numbers.get("short", 0) == usage.short
    assert numbers.get("in progress", 0) == usage.live
    assert numbers.get("blocked by enforcement", 0) == usage.blocked
    assert numbers.get("shed by enforcement", 0) == usage.shed
    unanswered = usage.attempts - usage.live - usage.completed - usage.short
    assert numbers.get("not answered", 0) == unanswered
    ids = [call_id for part in found.counters() for call_id in part.first]
    assert len(ids) == len(set(ids)) == usage.attempts + usage.blocked + usage.shed


def sizes(found: Behind) -> list[int]:
    evidence = found.evidence()
    return [] if evidence is None else [group.number for group in evidence.groups]


@given(windows, records)
def test_numbers_callers_runs_and_chains_are_what_the_trail_counts(
    measure: Measure, calls: list[CallRecord]
) -> None:
    found, tally, _ = seen("distinct_numbers", measure, calls)
    assert tally.trail is not None
    numbers = tally.trail.numbers
    assert numbers is not None
    assert len(sizes(found)) == numbers.distinct
    assert max(sizes(found), default=0) == numbers.most
    found, tally, _ = seen("distinct_callers", measure, calls)
    assert tally.trail is not None
    assert tally.trail.callers is not None
    assert len(sizes(found)) == tally.trail.callers.distinct
    found, tally, _ = seen("redials", Measure(measure.scope, measure.window, seconds=measure.seconds,
                                              redial_seconds=300), calls)
    assert tally.trail is not None
    assert tally.trail.redials is not None
    assert sum(size - 1 for size in sizes(found)) == tally.trail.redials.chained
    found, tally, _ = seen("sequential_numbers", measure, calls)
    evidence = found.evidence()
    runs = [] if evidence is None else [
        int(group.words.split(": ")[1].split()[0]) for group in evidence.groups
    ]
    assert tally.trail is not None
    assert tally.trail.sequence is not None
    assert sum(run - 1 for run in runs) == tally.trail.sequence.pairs


@given(records)
def test_marked_near_short_and_failed_calls_are_those_counted_apart(calls: list[CallRecord]) -> None:
    found, tally, _ = seen("class_share", Measure(marked=frozenset({NumberClass.PREMIUM})), calls)
    assert sum(sizes(found)) == tally.marked
    found, tally, _ = seen("duration_cliff", Measure(near_msec=3000), calls)
    assert sum(sizes(found)) == tally.near
    found, tally, _ = seen("short_calls", Measure(), calls)
    assert sum(sizes(found)) == tally.short
    found, tally, numbers = seen("failed_calls", Measure(), calls)
    assert sum(sizes(found)) == numbers.get("not answered", 0)
