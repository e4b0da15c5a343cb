"""The fault matrix finds what is wrong: a judge that would pass anything proves nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.faults.calls import EMERGENCY, Seen
from tests.faults.faults import Frozen, None_
from tests.faults.house import HELP
from tests.faults.matrix import Row, Times, _judge

TIMES = Times(frozen=100.0, began=100.2, struck=100.3, ended=109.3)
FOUND = {
    "well": {"sent_at": 95.0}, "before": {"sent_at": 101.0}, "question": {"sent_at": 100.1},
    "answer": {"sent_at": 99.0, "ringing_at": 99.1, "final_at": 101.1},
    "mid-call": {"sent_at": 98.0, "bye_at": 112.0}, "hang-up": {"sent_at": 98.0, "bye_at": 104.0},
    "after": {"sent_at": 111.0},
}  # fmt: skip
ANSWERED = {"well", "answer", "mid-call", "hang-up", "after"}
COUNTED = {"open: attempts": 7}


def call(phase: str, account: str = "open", **other: Any) -> Seen:
    """A call as it should go while the enforcer is frozen."""
    about: dict[str, Any] = {"code": 200, "ended": True, "source": "live", **FOUND[phase]}
    if phase not in ANSWERED:
        about |= {"source": "default", "final_at": about["sent_at"] + 0.33}
    return Seen("13032001210", account, phase, **({"final_at": about["sent_at"] + 0.01} | about | other))


def judged(*changed: Seen, counted: dict[str, int] = COUNTED, code: int = 200) -> Row:
    """The calls of one account, one a phase, some of them changed, and one for help."""
    calls = {phase: call(phase) for phase in FOUND} | {one.phase: one for one in changed}
    helped = Seen(EMERGENCY, HELP, "emergency", 101.0, final_at=101.01, code=code)
    return _judge(Frozen(), [*calls.values(), helped], TIMES, COUNTED, counted)


def wrong(row: Row) -> list[str]:
    """All problems but that the other policies placed no calls here."""
    return [problem for problem in row.problems if "the fault found no call there" not in problem]


def test_calls_that_go_as_they_should_are_no_problem() -> None:
    row = judged()
    assert wrong(row) == []
    assert all(cells["open"].placed == 1 for cells in row.cells.values())


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (call("before", code=503), "503 is neither of its two"),
        (call("before", source="live"), "live decided"),
        (call("before", "known-over", code=603, source="live"), "live decided"),
        (call("before", "closed", code=200, source="word"), "200 though word decided"),
        (call("before", "open-over", code=403), "403 though default decided"),
        (call("before", final_at=None, code=0), "no answer at all"),
        (call("before", final_at=103.0), "a caller waited 1.99 s longer than usual"),
        (call("before", sent_at=108.0, final_at=108.33), "though the heartbeat was stale"),
        (call("mid-call", cut_off=True), "cut off"),
        (call("hang-up", ended=False), "never ended"),
        (call("after", source="default"), "default decided"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_call_that_does_not_is_named(changed: Seen, words: str) -> None:
    assert any(words in problem for problem in wrong(judged(changed)))


def test_a_counter_that_differs_is_named() -> None:
    (problem,) = wrong(judged(counted={"open: attempts": 8}))
    assert problem == "counters differ from the CDRs: open: attempts 8 not 7"


def test_an_emergency_call_that_did_not_pass_is_a_problem() -> None:
    assert wrong(judged(code=503)) == ["1 emergency calls did not pass"]


@pytest.mark.parametrize("phase", ["question", "answer", "mid-call", "hang-up"])
def test_a_call_that_the_fault_missed_proves_nothing_and_is_not_counted(phase: str) -> None:
    missed = replace(call(phase), sent_at=109.2, final_at=109.25, ringing_at=109.24, bye_at=None)
    assert judged(missed).cells[phase]["open"].placed == 0


def test_a_row_that_only_missed_a_phase_is_worth_another_try() -> None:
    assert judged().missed
    assert not judged(code=503).missed
    assert None_().early == {"live"}
