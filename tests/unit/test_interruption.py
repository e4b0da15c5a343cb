"""Interruptions: how refused attempts, stopped accounts and ceilings make intervals."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enforcer.control.sheets import cell, sheet
from enforcer.domain.account import Standing
from enforcer.domain.call import Refusal
from enforcer.domain.cycle import Span
from enforcer.domain.decision import Decision, Finding, Level, Verdict
from enforcer.domain.interruption import (
    GAP,
    How,
    Interval,
    Kind,
    Stop,
    Touch,
    enforced,
    merged,
    stops,
    together,
    total,
    touch_by_switch,
    touch_of,
)
from enforcer.domain.journal import JournalEntry
from enforcer.domain.journal import Kind as Entries
from enforcer.domain.mode import Mode, ModeSetting
from tests.support.rules import NOON, record

CYCLE = Span(NOON - 1000, NOON + 10_000, "2026-11")
AFTER = NOON + 100_000


def touch(
    after: float, rule: str = "asr", how: How = How.BLOCKED, account: str = "acme", **more: object
) -> Touch:
    at = NOON + after
    return Touch(at, account, rule, "Clause", "block", how, f"d{after:g}", **more)  # type: ignore[arg-type]


def spans(intervals: list[Interval]) -> list[tuple[float, float]]:
    return [(one.start - NOON, one.end - NOON) for one in intervals]


def decided(verdict: Verdict, **more: object) -> Decision:
    finding = Finding("asr", "ASR", Level.CRITICAL, Verdict.BLOCK, verdict, "throttle", "m", "5", "4")
    return Decision(
        "d1", NOON, "pbx1/1", "pbx1", "acme", "1", "outbound", verdict, Verdict.BLOCK, "asr", "ASR",
        findings=(finding,), **more,    # type: ignore[arg-type]
    )


@pytest.mark.parametrize(("decision", "how"), [
    (decided(Verdict.BLOCK), How.BLOCKED),
    (decided(Verdict.THROTTLE, shed=True), How.SHED),
    (decided(Verdict.THROTTLE, hold=1.5), How.HELD),
    (decided(Verdict.THROTTLE), None),
    (decided(Verdict.TAG), None),
    (decided(Verdict.ALLOW, exempt="emergency call"), None),
])
def test_what_a_decision_did_to_its_call(decision: Decision, how: How | None) -> None:
    found = touch_of(decision)
    assert (found.how if found else None) is how
    if found is not None:
        assert (found.rule, found.clause, found.mode, found.decision) == ("asr", "ASR", "throttle", "d1")


@pytest.mark.parametrize(("refusal", "answered", "how"), [
    (Refusal.BLOCKED, None, How.BLOCKED), (Refusal.SHED, None, How.SHED), (Refusal.NONE, None, None),
    (Refusal.WENT, None, None), (Refusal.BLOCKED, NOON + 1, None),
])
def test_what_a_switch_refused_by_itself(refusal: Refusal, answered: float | None, how: How | None) -> None:
    found = touch_by_switch(record(refusal=refusal, answered_at=answered))
    assert (found.how if found else None) is how


@pytest.mark.parametrize(("times", "expected"), [
    ([0], [(0, 0)]),
    ([0, 900], [(0, 900)]),                         # the gap itself still joins
    ([0, 900.5], [(0, 0), (900.5, 900.5)]),
    ([0, 600, 1200, 3000], [(0, 1200), (3000, 3000)]),
    ([1200, 0, 600], [(0, 1200)]),                  # in whatever order they come
    ([], []),
])
def test_refused_calls_of_one_account_and_rule_are_one_interruption(
    times: list[float], expected: list[tuple[float, float]]
) -> None:
    assert spans(merged([touch(after) for after in times])) == expected


def test_rules_and_accounts_are_kept_apart() -> None:
    found = merged([touch(0), touch(1, "cps"), touch(2, account="apex"), touch(3)])
    assert [(one.account, one.rule, one.blocked) for one in found] == [
        ("acme", "asr", 2), ("acme", "cps", 1), ("apex", "asr", 1),
    ]


def test_an_interval_counts_what_happened_and_names_decisions_and_modes() -> None:
    (one,) = merged([
        touch(0), touch(5, how=How.SHED), touch(9, medium="message")._replace(mode="throttle"),
    ])
    assert (one.kind, one.blocked, one.shed, one.held, one.messages) == (Kind.REFUSED, 2, 1, 0, 1)
    assert (one.mode, one.decisions, one.clause) == ("block, throttle", ("d0", "d5", "d9"), "Clause")


def test_calls_that_were_held_are_slowed_and_no_interruption() -> None:
    found = merged([touch(0), touch(1, how=How.HELD, hold=0.5), touch(2, how=How.HELD, hold=2.0)])
    assert [(one.kind, one.held, one.longest_hold) for one in found] == [
        (Kind.REFUSED, 0, 0.0), (Kind.SLOWED, 2, 2.0),
    ]
    assert total(found) == 0


def entry(after: float, standing: str, account: str = "acme") -> JournalEntry:
    body = {"standing": standing, "standing_reason": f"why {standing}"}
    return JournalEntry(Entries.ACCOUNT, NOON + after, account, "big", account, body)


def test_an_account_is_stopped_from_its_suspension_until_it_is_resumed() -> None:
    found = stops([
        entry(0, "active"), entry(10, "suspended"), entry(20, "suspended"), entry(30, "terminated"),
        entry(40, "active"), entry(50, "suspended"), entry(15, "terminated", "apex"),
    ])
    assert [(s.account, s.standing.value, s.start - NOON, s.end and s.end - NOON) for s in found] == [
        ("acme", "suspended", 10, 30), ("apex", "terminated", 15, None), ("acme", "terminated", 30, 40),
        ("acme", "suspended", 50, None),
    ]
    assert found[0].reason == "why suspended"


@pytest.mark.parametrize(("stop", "now", "expected", "open_"), [
    ((10, 20), AFTER, [(10, 20)], False),
    ((-2000, 20), AFTER, [(-1000, 20)], False),             # it began before the cycle
    ((10, None), NOON + 500, [(10, 500)], True),            # it goes on
    ((10, None), AFTER, [(10, 10_000)], False),             # beyond the end of the cycle
    ((10_000, None), AFTER, [], False),
    ((-3000, -1000), AFTER, [], False),
])
def test_only_the_part_in_the_cycle_counts(
    stop: tuple[float, float | None], now: float, expected: list[tuple[float, float]], open_: bool
) -> None:
    start, end = stop
    one = Stop("acme", Standing.SUSPENDED, "why", NOON + start, None if end is None else NOON + end)
    found = list(enforced(one, CYCLE, now, []))
    assert spans(found) == expected
    assert any(interval.open for interval in found) is open_


def ceiling(after: float, mode: Mode, until: float | None = None) -> ModeSetting:
    return ModeSetting(mode, ceiling=True, at=NOON + after, until=None if until is None else NOON + until)


@pytest.mark.parametrize(("ceilings", "expected"), [
    ([ceiling(-50, Mode.BLOCK)], [(0, 100)]),
    ([ceiling(-50, Mode.MONITOR)], []),
    ([ceiling(40, Mode.MONITOR)], [(0, 40)]),
    ([ceiling(40, Mode.MONITOR, 60)], [(0, 40), (60, 100)]),
    ([ceiling(40, Mode.MONITOR), ceiling(60, Mode.BLOCK)], [(0, 40), (60, 100)]),
    ([ceiling(-50, Mode.MONITOR, 30)], [(30, 100)]),
    ([ceiling(40, Mode.BLOCK), ceiling(60, Mode.BLOCK)], [(0, 100)]),
    ([ceiling(200, Mode.OFF)], [(0, 100)]),
])
def test_while_the_ceiling_lets_calls_go_nothing_is_interrupted(
    ceilings: list[ModeSetting], expected: list[tuple[float, float]]
) -> None:
    stop = Stop("acme", Standing.SUSPENDED, "why", NOON, NOON + 100)
    assert spans(list(enforced(stop, CYCLE, AFTER, ceilings))) == expected


def test_calls_refused_while_an_account_was_stopped_are_counted_there() -> None:
    stopped = list(enforced(Stop("acme", Standing.SUSPENDED, "why", NOON, NOON + 100), CYCLE, AFTER, []))
    found = together(stopped, [
        touch(0, "standing"), touch(50, "standing"), touch(60, "asr"), touch(200, "standing"),
        touch(50, "standing", account="apex"),
    ])
    assert [(one.kind, one.account, one.rule, one.blocked) for one in found] == [
        (Kind.STOPPED, "acme", "standing", 2), (Kind.REFUSED, "apex", "standing", 1),
        (Kind.REFUSED, "acme", "asr", 1), (Kind.REFUSED, "acme", "standing", 1),
    ]


def test_time_that_overlaps_is_counted_once() -> None:
    found = merged([touch(0), touch(500), touch(100, "cps"), touch(300, "cps"), touch(2000), touch(2100)])
    assert total(found) == 600


@given(
    st.lists(st.tuples(st.integers(0, 20_000), st.sampled_from("ab"), st.sampled_from(list(How)))),
    st.integers(0, 5000),
)
def test_no_touch_is_lost_or_counted_twice_and_intervals_of_one_rule_lie_apart(
    told: list[tuple[int, str, How]], gap: int
) -> None:
    touches = [touch(float(after), rule, how) for after, rule, how in told]
    found = merged(touches, gap)
    assert sum(one.blocked + one.shed + one.held for one in found) == len(touches)
    for rule in "ab":
        for kind in (Kind.REFUSED, Kind.SLOWED):
            mine = [one for one in found if one.rule == rule and one.kind is kind]
            assert all(later.start - former.end > gap for former, later in pairwise(mine))
    assert total(found) <= sum(one.seconds for one in found)
    assert GAP == 900


@pytest.mark.parametrize(("value", "text"), [
    ("=1+1", "'=1+1"), ("+1202", "'+1202"), ("@SUM(A1)", "'@SUM(A1)"), ("-2+3", "'-2+3"), ("-", "'-"),
    ("\t=1", "\\x09=1"), ("a\r\n=1", "a\\x0d\\x0a=1"), ("x;=1", "x;'=1"), (" =1", "' =1"),
    ("\uff1d1", "'\uff1d1"), ("a|@b", "a|'@b"), ("-\u0661", "'-\u0661"), ("a=1;b-2", "a=1;b-2"),
    ("-20.005", "-20.005"), ("-7", "-7"), ("--1", "'--1"), ("-1.2.3", "'-1.2.3"),
    ("plain", "plain"), ("", ""), (None, ""), (1.5, "1.5"), (7, "7"), (False, "false"), (["a", "b"], "a b"),
])
def test_no_cell_is_a_formula(value: object, text: str) -> None:
    assert cell(value) == text


def test_a_sheet_quotes_what_csv_needs_quoted() -> None:
    rows = [{"a": 'say "x", y', "b": "two\nlines"}]
    assert sheet(("a", "b"), rows) == 'a,b\n"say ""x"", y",two\\x0alines\n'
