"""What one call adds to which counter."""

from __future__ import annotations

import pytest

from enforcer.domain.call import CallRecord, Direction, NumberClass, Refusal, Source
from enforcer.domain.measure import Measure, Window
from enforcer.domain.usage import Tally, Usage, recount
from tests.support.rules import NOON, record, talked

TALKING = record(answered_at=NOON, answered_by=Source.EVENT)
UNANSWERED = record(ended_at=NOON + 20, ended_by=Source.EVENT, hangup_cause=17)
LOST = TALKING._replace(ended_at=NOON + 300, ended_by=Source.INFERRED)


@pytest.mark.parametrize(("call", "tally"), [
    (record(), Tally(attempts=1, ringing=1)),
    (TALKING, Tally(attempts=1, talking=1, talking_since=int(NOON) * 1000)),
    (UNANSWERED, Tally(attempts=1)),
    (talked(0.0), Tally(attempts=1, short=1)),
    (talked(5.999), Tally(attempts=1, short=1, msec=5999)),
    (talked(6.0), Tally(attempts=1, completed=1, msec=6000)),
    (LOST, Tally(attempts=1, completed=1)),         # held against nobody until a CDR tells
    (record()._replace(refusal=Refusal.BLOCKED), Tally(blocked=1)),
    (UNANSWERED._replace(refusal=Refusal.SHED), Tally(shed=1)),
    # decided too late: it was answered, or the switch says that it let it go
    (talked(60)._replace(refusal=Refusal.BLOCKED), Tally(attempts=1, completed=1, msec=60_000)),
    (UNANSWERED._replace(refusal=Refusal.WENT), Tally(attempts=1)),
    (talked(60)._replace(number_class=NumberClass.EMERGENCY), Tally()),
    (talked(60)._replace(direction=Direction.INBOUND), Tally()),
    (
        talked(9)._replace(number_class=NumberClass.DIRECTORY_ASSISTANCE),
        Tally(attempts=1, completed=1, msec=9000),
    ),
])
def test_a_call_adds_to_its_counters_only(call: CallRecord, tally: Tally) -> None:
    assert recount([call], Measure()) == tally


@pytest.mark.parametrize(("seconds", "less", "less_or_equal"), [
    (5.999, "short", "short"), (6.0, "completed", "short"), (6.001, "completed", "completed"),
])
def test_whether_six_seconds_are_short_is_a_matter_of_the_policy(
    seconds: float, less: str, less_or_equal: str
) -> None:
    for inclusive, expected in ((False, less), (True, less_or_equal)):
        tally = recount([talked(seconds)], Measure(short_includes_equal=inclusive))
        assert getattr(tally, expected) == 1
        assert tally.short + tally.completed == 1


@pytest.mark.parametrize(("call", "attempts"), [
    (record(), 1), (TALKING, 1), (UNANSWERED, 0), (talked(60), 0),
    (record()._replace(refusal=Refusal.SHED), 0),
])
def test_only_calls_in_progress_count_as_live(call: CallRecord, attempts: int) -> None:
    tally = recount([call], Measure(window=Window.LIVE))
    assert (tally.attempts, tally.live, tally.shed) == (attempts, attempts, 0)


@pytest.mark.parametrize(("only", "without", "kind", "counted"), [
    ((), (), NumberClass.TOLL_FREE, True),
    ((), (NumberClass.TOLL_FREE,), NumberClass.TOLL_FREE, False),
    ((), (NumberClass.TOLL_FREE,), NumberClass.ORDINARY, True),
    ((NumberClass.PREMIUM,), (), NumberClass.ORDINARY, False),
    ((NumberClass.PREMIUM,), (), NumberClass.PREMIUM, True),
    ((NumberClass.EMERGENCY,), (), NumberClass.EMERGENCY, False),
])
def test_a_measure_filters_classes_of_numbers(
    only: tuple[NumberClass, ...], without: tuple[NumberClass, ...], kind: NumberClass, counted: bool
) -> None:
    measure = Measure(only=frozenset(only), without=frozenset(without))
    assert measure.counts(record()._replace(number_class=kind)) is counted


def test_calls_in_progress_use_up_time_as_it_passes() -> None:
    tally = recount([talked(60), TALKING, TALKING._replace(answered_at=NOON + 30)], Measure())
    assert tally.msec_at(NOON + 90) == 60_000 + 90_000 + 60_000
    assert Tally(talking=1, talking_since=int(NOON + 5) * 1000).msec_at(NOON) == 0     # a clock that lags


def test_a_snapshot_does_not_change_with_the_tally() -> None:
    tally = recount([record(), talked(3)], Measure())
    snapshot = tally.usage()
    tally.attempts += 1
    assert snapshot == Usage(attempts=2, short=1, live=1, msec=3000)
    assert snapshot.words == "2 attempts, 0 completed, 1 short, 1 in progress, 0.1 min"
