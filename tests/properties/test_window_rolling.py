"""A rolling window of any length: never longer than it says, at most a step shorter, and recountable."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from enforcer.domain.call import CallRecord
from enforcer.domain.measure import STEPS, Detail, Measure, Window
from enforcer.domain.usage import Rolling, contribute, recount
from tests.support.rules import NOON, record

LENGTHS = st.integers(1, 400 * 86_400) | st.sampled_from([1, 60, 3600, 86_400, 604_800, 2_592_000])
OFFSETS = st.floats(0, 1) | st.sampled_from([0.0, 0.5, 1.0])


@given(LENGTHS, st.floats(0, 10**8), OFFSETS)
def test_a_window_is_never_longer_than_it_says_and_at_most_a_step_shorter(
    seconds: int, start: float, part: float
) -> None:
    measure = Measure(window=Window.ROLLING, seconds=seconds)
    began = NOON + start
    call = record(began)
    assert measure.step * STEPS == seconds or abs(measure.step * STEPS - seconds) < 1e-6
    assert recount([call], measure, began + seconds * part * (1 - 1 / STEPS) * 0.999).attempts == 1
    for later in (began + seconds, began + seconds * (1 + part)):
        assert recount([call], measure, later).attempts == 0


@given(LENGTHS, st.lists(st.tuples(st.floats(0, 3), st.floats(0, 3)), max_size=30))
def test_calls_told_as_they_come_and_calls_told_at_the_end_come_to_the_same(
    seconds: int, told: list[tuple[float, float]]
) -> None:
    """Each call began somewhere in three windows' time and is told at some moment, late or not."""
    measure = Measure(
        window=Window.ROLLING, seconds=seconds, details=frozenset(Detail), redial_seconds=seconds // 2 + 1
    )
    tally = recount([], measure)
    assert isinstance(tally, Rolling)
    calls: list[CallRecord] = []
    now = NOON
    for nth, (began, moment) in enumerate(told):
        now = max(now, NOON + moment * seconds)
        call = record(
            NOON + began * seconds, call_id=f"pbx1/{nth}", number=f"1212555010{nth % 5}", caller=str(nth % 3)
        )
        calls.append(call)
        tally.move(now, measure)
        contribute(tally, call, measure, 1)
        assert tally.figures == recount(calls, measure, now).figures
        assert len(tally.steps or ()) <= STEPS * 3 + 1
    tally.move(NOON + 10 * seconds, measure)
    assert tally.figures == recount([], measure).figures
    assert not tally.steps
    assert not tally.calls
