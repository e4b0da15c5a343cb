"""Numbers, callers, runs of numbers and redials: counted and forgotten call by call, in any order."""

from __future__ import annotations

from itertools import permutations

import pytest

from enforcer.domain import trail as trails
from enforcer.domain.call import CallRecord, Medium, NumberClass
from enforcer.domain.decision import Level
from enforcer.domain.measure import Detail, Measure, Window
from enforcer.domain.rules import Rule
from enforcer.domain.settle import settle
from enforcer.domain.trail import Trail
from enforcer.domain.usage import Rolling, contribute, recount
from tests.support.rules import NOON, record, rule
from tests.support.tables import calls, judged, messages, numbered, reached

MINUTE_REDIALS = Measure(redial_seconds=60)


def dialled(*numbers: str, every: float = 10.0, caller: str = "100") -> list[CallRecord]:
    """Calls to these numbers, one after the other."""
    return numbered([
        record(NOON + nth * every, number=number, caller=caller) for nth, number in enumerate(numbers)
    ])


def shown(*callers: str) -> list[CallRecord]:
    """Calls in the name of these."""
    return numbered([record(caller=caller) for caller in callers])


def value(kind: str, window: list[CallRecord], at: float = NOON, measure: Measure | None = None) -> int:
    judgement = judged(rule(kind, 0, measure=measure or MINUTE_REDIALS), window, at)
    return 0 if judgement is None else int(judgement.value)


A, B, C, D = "12125550101", "12125550102", "12125550103", "12125550104"
FAR = "12125559999"


@pytest.mark.parametrize(("window", "number"), [
    ([], 0), (dialled(A), 1), (dialled(A, A, A), 1), (dialled(A, B, C), 3), (dialled(A, B, A, C, A), 3),
    (dialled("+" + A, A), 1),                                   # a plus sign makes no other number
    (numbered(dialled(A), calls(blocked=5, shed=5, number=B)), 1),
    (numbered(dialled(A), calls(failed=1, number=B)), 2),       # tried is tried
    (numbered(dialled(A), calls(ringing=1, number="112", number_class=NumberClass.EMERGENCY)), 1),
    (numbered(dialled(A), messages(1, number=B)), 1),
])
def test_distinct_numbers_are_those_that_were_tried(window: list[CallRecord], number: int) -> None:
    assert value("distinct_numbers", window) == number


def test_messages_count_among_numbers_where_the_policy_says_so() -> None:
    measure = Measure(mediums=frozenset(Medium))
    assert value("distinct_numbers", numbered(dialled(A), messages(1, number=B)), measure=measure) == 2


@pytest.mark.parametrize(("window", "number"), [
    ([], 0), (dialled(A, B, C), 1), (dialled(A, B, A), 2), (dialled(A, A, A, B, B), 3),
    (dialled(A, A, B, B), 2),
])
def test_one_number_again_and_again_is_the_one_that_was_tried_most(
    window: list[CallRecord], number: int
) -> None:
    assert value("same_number", window) == number


@pytest.mark.parametrize(("window", "number"), [
    ([], 0), (shown("100"), 1), (shown("100", "100"), 1), (shown("100", "101", "+100"), 2),
    (shown("", "100"), 2),
])
def test_callers_are_told_apart_by_the_number_they_show(window: list[CallRecord], number: int) -> None:
    assert value("distinct_callers", window) == number


@pytest.mark.parametrize(("window", "pairs"), [
    ([], 0), (dialled(A), 0), (dialled(A, C), 0), (dialled(A, B), 1), (dialled(B, A), 1),
    (dialled(A, B, C, D), 3), (dialled(D, A, C, B), 3),         # in whatever order they were dialled
    (dialled(A, C, B), 2),                                      # one number may have two neighbours
    (dialled(A, A, B, B), 1), (dialled(A, B, FAR), 1),
    (dialled("100", "101", "102"), 0), (dialled("555010", "555011"), 0),    # extensions are always in a row
    (dialled("5550100", "5550101"), 1), (dialled("sales", "support"), 0),
    (dialled("0612345699", "0612345700"), 1),                   # the next ten begins where one ends
    (dialled("1" * 18, "1" * 17 + "2"), 1), (dialled("1" * 19, "1" * 18 + "2"), 0),
])
def test_numbers_in_a_row_are_pairs_of_neighbours(window: list[CallRecord], pairs: int) -> None:
    assert value("sequential_numbers", window) == pairs


@pytest.mark.parametrize(("seconds", "chained"), [
    ([], 0), ([0], 0), ([0, 60], 1), ([0, 60.001], 0), ([0, 60, 120], 2), ([0, 30, 60], 2), ([0, 0], 1),
    ([0, 61, 122], 0), ([0, 100, 50], 2),                       # a late CDR may stand between two calls
    ([0, 200, 210], 1), ([0, 60, 30], 2),
])
def test_a_redial_begins_within_a_minute_of_the_call_before_it(seconds: list[float], chained: int) -> None:
    window = numbered([record(NOON + second, number=A) for second in seconds])
    assert value("redials", window) == chained


def test_a_call_to_another_number_in_between_breaks_no_chain() -> None:
    assert value("redials", dialled(A, B, A, B, every=20.0)) == 2
    assert value("redials", dialled(A, B, A, B, every=31.0)) == 0


LIMITS = {
    "distinct_numbers": dialled(A, C, FAR), "same_number": dialled(A, A, A),
    "distinct_callers": shown("1", "2", "3"), "sequential_numbers": dialled(A, B, C, D),
    "redials": dialled(A, A, A, A),
}


@pytest.mark.parametrize("kind", LIMITS)
def test_a_number_of_three_is_past_two_and_not_past_three(kind: str) -> None:
    def at(limit: int, warning: int | None = None) -> Level:
        return reached(rule(kind, limit, warning, measure=MINUTE_REDIALS), LIMITS[kind])

    assert (at(3), at(2), at(3, 2), at(4, 3)) == (
        Level.FINE, Level.CRITICAL, Level.WARNING, Level.FINE,
    )


@pytest.mark.parametrize("kind", LIMITS)
def test_a_number_of_a_cycle_is_settled_past_its_limit(kind: str) -> None:
    for limit, breached in ((2, True), (3, False)):
        one = rule(kind, limit, measure=MINUTE_REDIALS)
        settled = settle(one, recount(LIMITS[kind], one.spec.measure))
        assert settled is not None
        assert settled.breached is breached


DETAILS = [Detail.NUMBERS, Detail.CALLERS, Detail.SEQUENCE, Detail.REDIALS]
MIXED = numbered([
    record(NOON, number=A, caller="1"), record(NOON + 50, number=B, caller="2"),
    record(NOON + 60, number=A, caller="1"), record(NOON + 61, number=C, caller="3"),
])


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_calls_may_come_and_go_in_any_order(order: tuple[int, ...]) -> None:
    """Each step says what a trail says that saw only the calls that are left."""
    trail = Trail(DETAILS, 60)
    for nth in order:
        trail.add(MIXED[nth])
    assert trail.figures == (3, 2, 3, 2, 1)
    left = list(range(4))
    for nth in reversed(order[:2] + order[2:][::-1]):
        trail.remove(MIXED[nth].call_id)
        left.remove(nth)
        fresh = Trail(DETAILS, 60)
        for other in left:
            fresh.add(MIXED[other])
        assert trail.figures == fresh.figures
    assert trail.figures == (0, 0, 0, 0, 0)
    assert len(trail) == 0


def test_a_call_that_is_told_again_counts_once() -> None:
    trail = Trail(DETAILS, 60)
    for _ in range(3):
        trail.add(MIXED[0])
    assert trail.figures == (1, 1, 1, 0, 0)
    trail.add(MIXED[0]._replace(number=B))          # its number was corrected
    assert (trail.figures, trail.started(MIXED[0].call_id)) == ((1, 1, 1, 0, 0), NOON)
    trail.remove(MIXED[0].call_id)
    assert trail.figures == (0, 0, 0, 0, 0)


def test_a_call_that_never_came_takes_nothing_with_it() -> None:
    trail = Trail(DETAILS, 60)
    trail.add(MIXED[0])
    trail.remove("pbx1/unknown")
    assert trail.figures == (1, 1, 1, 0, 0)
    assert trail.started("pbx1/unknown") is None


def test_a_full_trail_undercounts_and_says_so_and_has_room_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trails, "MOST_CALLS", 3)
    trail = Trail(DETAILS, 60)
    for call in MIXED:
        trail.add(call)
    assert (trail.full, len(trail), trail.figures[0]) == (True, 3, 2)
    trail.remove(MIXED[3].call_id)                  # it found no room, so it leaves none
    assert (len(trail), trail.figures[0]) == (3, 2)
    trail.remove(MIXED[0].call_id)
    trail.add(MIXED[3])
    assert (len(trail), trail.figures[0]) == (3, 3)


HOUR = Measure(window=Window.ROLLING, seconds=3600, redial_seconds=60)


@pytest.mark.parametrize(("kind", "before", "after"), [
    ("distinct_numbers", 2, 1), ("same_number", 2, 1), ("redials", 1, 0), ("sequential_numbers", 1, 0),
    ("distinct_callers", 2, 1),
])
def test_a_window_that_moves_on_forgets_its_first_calls(kind: str, before: int, after: int) -> None:
    """Two calls a minute apart at first, and one of them to a number that was tried before."""
    first = [record(NOON, number=A, caller="1"), record(NOON + 40, number=A, caller="1")]
    second = [record(NOON + 80, number=B, caller="2")]
    window = numbered(first, second)
    one = rule(kind, 0, measure=HOUR)
    tally = recount(window, one.spec.measure, NOON + 80)
    assert isinstance(tally, Rolling)

    def now(at: float) -> int:
        tally.move(at, one.spec.measure)
        found = one.judge(tally, at, None)
        return 0 if found is None else int(found.value)

    assert now(NOON + 3599) == before
    assert now(NOON + 3659) == after
    assert now(NOON + 3700) == 0


def test_a_call_whose_start_was_corrected_leaves_with_its_corrected_step() -> None:
    one = rule("distinct_numbers", 0, measure=HOUR)
    (call,) = dialled(A)
    tally = recount([call], one.spec.measure, NOON)
    assert isinstance(tally, Rolling)
    corrected = call._replace(started_at=NOON + 300)
    contribute(tally, call, one.spec.measure, -1)
    contribute(tally, corrected, one.spec.measure, 1)
    tally.move(NOON + 3700, one.spec.measure)
    assert one.judge(tally, NOON + 3700, None) is not None
    tally.move(NOON + 3960, one.spec.measure)
    assert one.judge(tally, NOON + 3960, None) is None
    assert tally.figures == recount([], one.spec.measure).figures


@pytest.mark.parametrize(("kind", "room"), [
    ("distinct_numbers", 7), ("same_number", 7), ("distinct_callers", 7), ("sequential_numbers", 3),
    ("redials", 3),
])
def test_room_is_what_may_come_at_once(kind: str, room: int) -> None:
    one: Rule = rule(kind, 10, measure=MINUTE_REDIALS)
    assert one.headroom(recount(LIMITS[kind], one.spec.measure), NOON) == room


@pytest.mark.parametrize(("kind", "number"), [("same_number", 4), ("distinct_numbers", 1), ("redials", 3)])
def test_another_way_to_dial_a_number_hides_nothing(kind: str, number: int) -> None:
    ways = dialled("2025550123", "12025550123", "+12025550123", "01112025550123")
    assert value(kind, ways) == number
