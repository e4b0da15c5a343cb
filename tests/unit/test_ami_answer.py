"""The answer line: what it says, that it is read back the same, and what it never carries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enforcer.domain.call import Refusal
from enforcer.domain.decision import Decision, Verdict
from enforcer.errors import WireError
from enforcer.wire.answer import CAUSE_OF_SIP_CODE, LONGEST_LINE, answer_line, parse_answer, parse_userfield


def decision(verdict: Verdict, decision_id: str = "d1-31", **fields: object) -> Decision:
    return Decision(
        decision_id, 0.0, "pbx1/1", "pbx1", "acme", "1000", "outbound", verdict, verdict, **fields  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("made", "line"),
    [
        (decision(Verdict.ALLOW), "allow:0:0:0::d1-31"),
        (decision(Verdict.ALLOW, max_duration=90), "allow:0:0:90::d1-31"),
        (decision(Verdict.TAG, tags=("asr.warning",)), "tag:0:0:0:asr.warning:d1-31"),
        (decision(Verdict.TAG, tags=("asr", "cps")), "tag:0:0:0:asr+cps:d1-31"),
        (decision(Verdict.THROTTLE, hold=0.35, tags=("cps",)), "throttle:0:0.350:0:cps:d1-31"),
        (decision(Verdict.THROTTLE, shed=True, sip_code=503), "throttle:42:0:0::d1-31"),
        (decision(Verdict.BLOCK, sip_code=403, tags=("minutes",)), "block:21:0:0:minutes:d1-31"),
        (decision(Verdict.BLOCK, sip_code=603), "block:16:0:0::d1-31"),
        # neither a pause nor a cap matters to a call that is refused
        (decision(Verdict.BLOCK, sip_code=603, hold=1.0, max_duration=5), "block:16:0:0::d1-31"),
        # a code that Asterisk cannot send must not let the call through
        (decision(Verdict.BLOCK, sip_code=0), "block:21:0:0::d1-31"),
        (decision(Verdict.THROTTLE, shed=True), "throttle:42:0:0::d1-31"),
        # an allowance that is used up is a second, never "no limit"
        (decision(Verdict.ALLOW, max_duration=0), "allow:0:0:1::d1-31"),
        (decision(Verdict.TAG, "d:1\r\n", tags=("a:b\r\nAction: x",)), "tag:0:0:0:a_b__Action__x:d-1--"),
    ],
)
def test_a_decision_is_one_line(made: Decision, line: str) -> None:
    assert answer_line(made) == line
    parse_answer(line)


@pytest.mark.parametrize(("code", "cause"), sorted(CAUSE_OF_SIP_CODE.items()))
def test_every_sip_code_that_a_policy_may_name_has_its_own_cause(code: int, cause: int) -> None:
    assert parse_answer(answer_line(decision(Verdict.BLOCK, sip_code=code))).cause == cause
    assert list(CAUSE_OF_SIP_CODE.values()).count(cause) == 1


@pytest.mark.parametrize(
    ("line", "refusal"),
    [
        ("block:21:0:0:minutes:d1", Refusal.BLOCKED),
        ("throttle:42:0:0:cps:d1", Refusal.SHED),
        ("throttle:0:0.350:0:cps:d1", Refusal.NONE),
        ("allow:0:0:0::d1", Refusal.NONE),
    ],
)
def test_an_answer_says_whether_it_refuses_the_call(line: str, refusal: Refusal) -> None:
    assert parse_answer(line).refusal is refusal


@pytest.mark.parametrize(
    "line",
    ["", "allow", "allow:0:0:0:", "ALLOW:0:0:0::d",
     "allow:-1:0:0::d", "allow:0:1e3:0::d", "allow:0:0:0:a b:d",
     "allow:0:0:0::d\n", "allow:0:0:0::d:e", "allow:٣:0:0::d", "block:21:0:0:" + "x" * LONGEST_LINE + ":d"],
)  # fmt: skip
def test_what_is_not_an_answer_is_refused(line: str) -> None:
    with pytest.raises(WireError):
        parse_answer(line)


def test_the_userfield_of_a_cdr_is_read_only_where_it_is_ours() -> None:
    answer = parse_userfield("word;block:21:0:0::d1-7")
    assert answer is not None
    assert answer.refusal is Refusal.BLOCKED
    assert parse_userfield("") is None
    assert parse_userfield("block:21:0:0::d1-7") is None
    assert parse_userfield("the operator's own; note") is None


@given(
    verdict=st.sampled_from(Verdict),
    decision_id=st.text(max_size=80),
    tags=st.lists(st.text(max_size=90), max_size=4),
    hold=st.floats(-1, 100_000, allow_nan=False),
    cap=st.none() | st.integers(-1, 10**8),
    shed=st.booleans(),
    code=st.integers(0, 699),
)
def test_whatever_a_decision_holds_its_line_is_one_line_and_is_read_back(
    verdict: Verdict, decision_id: str, tags: list[str], hold: float, cap: int | None, shed: bool, code: int
) -> None:
    made = decision(
        verdict, decision_id, tags=tuple(tags), hold=hold, max_duration=cap, shed=shed, sip_code=code
    )
    answer = parse_answer(answer_line(made))
    assert answer.verdict is verdict
    assert (answer.cause != 0) == made.refused
