"""The calls behind a number: each kind shows what it looks for, and the output stays small."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from enforcer.domain.behind import Behind, behind
from enforcer.domain.call import CallRecord, Medium, NumberClass, Refusal, Source
from enforcer.domain.measure import Measure, Window
from enforcer.domain.rules import Rule
from tests.support.rules import NOON, record, rule


def call(n: int, talked: float | None = None, *, live: bool = False, **facts: Any) -> CallRecord:
    """The n-th call, ten seconds after the one before; over unless it is live."""
    at = NOON + 10 * n
    one = record(at, call_id=f"pbx1/{n}", hangup_cause=17)
    if talked is not None:
        one = one._replace(answered_at=at, answered_by=Source.EVENT, hangup_cause=16)
    if not live:
        one = one._replace(ended_at=at + (talked or 0), ended_by=Source.EVENT)
    return one._replace(**facts)


def seen(one: Rule, calls: list[CallRecord], most: int | None = 3) -> Behind:
    return behind([one], calls, NOON + 3600, most)[one.spec.id]


def groups(one: Rule, calls: list[CallRecord]) -> list[str]:
    found = seen(one, calls).evidence()
    return [] if found is None else [found.words, *(group.words for group in found.groups)]


def test_each_counter_has_its_calls() -> None:
    calls = [
        call(1, 60), call(2, 5.999), call(3), call(4, live=True), call(5, refusal=Refusal.BLOCKED),
        call(6, refusal=Refusal.SHED), call(7, 6), call(8, 3, ended_by=Source.INFERRED, told_msec=0),
    ]
    told = {found.words: found.first for found in seen(rule("asr", 4), calls).counters()}
    assert told == {
        "completed": ("pbx1/1", "pbx1/7", "pbx1/8"), "short": ("pbx1/2",), "not answered": ("pbx1/3",),
        "in progress": ("pbx1/4",), "blocked by enforcement": ("pbx1/5",), "shed by enforcement": ("pbx1/6",),
    }


def test_of_many_calls_the_first_and_the_last_are_told() -> None:
    (found,) = seen(rule("attempts", 5), [call(n) for n in range(100)]).counters()
    assert found.number == 100
    assert (found.first, found.last) == (("pbx1/0", "pbx1/1", "pbx1/2"), ("pbx1/97", "pbx1/98", "pbx1/99"))
    assert found.left_out == 94


def test_all_are_told_to_who_asks_for_all() -> None:
    (found,) = seen(rule("attempts", 5), [call(n) for n in range(100)], None).counters()
    assert (len(found.first), found.left_out) == (100, 0)


def test_four_calls_leave_none_out() -> None:
    (found,) = seen(rule("attempts", 5), [call(n) for n in range(4)]).counters()
    assert (found.first, found.last, found.left_out) == (("pbx1/0", "pbx1/1", "pbx1/2"), ("pbx1/3",), 0)


def to(number: str, n: int = 0, **facts: Any) -> CallRecord:
    return call(n, number=number, **facts)


PATTERNS: list[tuple[str, Measure, list[CallRecord], list[str]]] = [
    ("asr", Measure(), [call(1, 60), call(2, 5), call(3), call(4)],
     ["2 ways not to be completed", "not answered, cause 17 (busy): 2 times", "answered for 5 s: once"]),
    ("failed_calls", Measure(), [call(1), call(2, hangup_cause=None), call(3, 2)],
     ["2 ways to fail", "not answered: once", "not answered, cause 17 (busy): once"]),
    ("short_calls", Measure(), [call(1, 1.5), call(2, 1.2), call(3, 60), call(4)],
     ["1 length of short calls", "answered for 1 s: 2 times"]),
    ("duration_cliff", Measure(near_msec=3000), [call(1, 5.999), call(2, 6), call(3, 8.999), call(4, 9)],
     ["2 lengths just above the cut-off", "answered for 6 s: once", "answered for 8 s: once"]),
    ("average_duration", Measure(), [call(1, 3), call(2, 30), call(3, 31), call(4)],
     ["2 lengths", "10 to 59 s: 2 times", "under 10 s: once"]),
    ("attempts", Measure(), [to("12125550101"), to("+12125550101"), to("12125550102")],
     ["2 different numbers", "12125550101: 2 times", "12125550102: once"]),
    ("distinct_numbers", Measure(), [to("1"), to("2")], ["2 different numbers", "1: once", "2: once"]),
    ("same_number", Measure(), [to("1", 1), to("2", 2), to("2", 3)],
     ["2 different numbers", "2: 2 times", "1: once"]),
    ("messages", Measure(), [to("1", medium=Medium.MESSAGE), to("2")], ["1 different number", "1: once"]),
    ("class_share", Measure(marked=frozenset({NumberClass.PREMIUM})),
     [to("19005550100", number_class=NumberClass.PREMIUM), to("12125550100", 1)],
     ["1 such number", "19005550100 (premium): once"]),
    ("distinct_callers", Measure(), [call(1, caller="+100"), call(2, caller="100"), call(3, caller="")],
     ["2 different callers", "100: 2 times", "no caller number: once"]),
    ("sequential_numbers", Measure(),
     [to(f"1212555010{n}", n) for n in (5, 1, 2, 3, 8, 9)] + [to("101", 1), to("102", 2)],
     ["2 runs of numbers", "12125550101 to 12125550103: 3 numbers in a row",
      "12125550108 to 12125550109: 2 numbers in a row"]),
    ("redials", Measure(redial_seconds=10), [to("1", 1), to("1", 2), to("1", 3), to("2", 3), to("1", 5)],
     ["1 chain of calls to one number, each within 10 s of the one before", "1: 3 calls in a chain"]),
    ("minutes", Measure(), [to("1", 1, answered_at=NOON, ended_at=NOON + 90), to("2", 2)],
     ["talk with 1 number", "1: once, 1.5 min"]),
    ("cps", Measure(),
     [call(0, started_at=NOON + at, live=True) for at in (0, 0.5, 0.9, 1.0, 3.0)],
     ["the busiest second so far", "3 within one second"]),
]


@pytest.mark.parametrize(("kind", "measure", "calls", "told"), PATTERNS, ids=[one[0] for one in PATTERNS])
def test_a_kind_shows_what_it_looks_for(
    kind: str, measure: Measure, calls: list[CallRecord], told: list[str]
) -> None:
    calls = [one._replace(answered_by=Source.EVENT) if one.answered_at else one for one in calls]
    assert groups(rule(kind, 4, measure=measure), calls) == told


def test_of_many_numbers_a_few_are_told_and_how_many_are_not() -> None:
    found = seen(rule("distinct_numbers", 4), [to(f"{n}", n) for n in range(40)]).evidence()
    assert found is not None
    assert (found.words, len(found.groups), found.left_out) == ("40 different numbers", 5, 35)


def test_refused_calls_are_no_evidence() -> None:
    assert groups(rule("distinct_numbers", 4), [to("1", refusal=Refusal.BLOCKED)]) == []


def test_only_calls_of_the_rolling_window_are_behind_it() -> None:
    one = rule("attempts", 4, measure=Measure(window=Window.ROLLING, seconds=600))
    calls = [call(0), call(1, started_at=NOON + 3100), call(2, started_at=NOON + 3590)]
    (found,) = seen(one, calls).counters()
    assert found.first == ("pbx1/1", "pbx1/2")


def test_a_rule_about_calls_in_progress_shows_those() -> None:
    (found,) = seen(rule("concurrent_calls", 4), [call(1), call(2, live=True)]).counters()
    assert (found.words, found.first) == ("in progress", ("pbx1/2",))


def test_calls_that_a_rule_does_not_count_are_not_behind_it() -> None:
    one = rule("attempts", 4, measure=replace(Measure(), only=frozenset({NumberClass.PREMIUM})))
    assert seen(one, [call(1)]).counters() == []
