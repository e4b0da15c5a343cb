"""What `check` points out: odd, and no error."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from enforcer.checkup import Grade
from enforcer.control.review import review
from enforcer.domain.account import Account, AccountType
from enforcer.domain.call import Direction, NumberClass
from enforcer.domain.charge import Charge, Per
from enforcer.domain.decision import Verdict
from enforcer.domain.measure import Measure
from enforcer.domain.mode import Mode
from enforcer.domain.notice import NoticeTerms
from enforcer.domain.policy import Policy
from enforcer.domain.rules import Rule, Step
from enforcer.packs import load
from enforcer.wire.answer import SIP_CODES
from tests.support.rules import rule

ROOT = Path(__file__).parents[2]
ACME = Account("acme", "acme-inc", AccountType.PBX)


def found(*rules: Rule, default: Mode = Mode.BLOCK, accounts: list[Account] | None = None) -> list[str]:
    findings = review(Policy(rules), default, [ACME] if accounts is None else accounts)
    assert all(finding.grade is Grade.WARNING for finding in findings)
    return [f"{finding.subject} {finding.words}" for finding in findings]


def tagging(kind: str, at: int, **more: Any) -> Rule:
    return rule(kind, at, verdict=Verdict.TAG, **more)


def test_nothing_is_said_of_a_rule_that_is_in_order() -> None:
    assert found(tagging("attempts", 10), rule("minutes", 10, 5, notice=NoticeTerms())) == []


@pytest.mark.parametrize("kind", ["attempts", "minutes", "strikes", "messages"])
def test_a_rule_that_blocks_without_notice_is_pointed_out(kind: str) -> None:
    assert found(rule(kind, 10)) == [f"rule {kind} blocks without notice"]


def test_a_charge_without_notice_is_pointed_out() -> None:
    charge = Charge(Decimal("0.005"), Per.ATTEMPT)
    assert found(tagging("attempts", 10, charge=charge)) == ["rule attempts charges without notice"]


def test_a_text_that_speaks_of_notice_is_held_against_a_rule_without() -> None:
    one = rule("attempts", 10, text="We will give you written notice.")
    assert found(one) == ["rule attempts blocks without notice, though its own text speaks of notice"]


def test_nobody_has_to_be_told_before_a_moment() -> None:
    assert found(rule("concurrent_calls", 10), rule("cps", 10), rule("opt_out", 0)) == []


@pytest.mark.parametrize(
    ("kind", "key"),
    [("asr", "min_attempts"), ("failed_calls", "min_attempts"), ("class_share", "min_attempts"),
     ("short_calls", "min_answered"), ("duration_cliff", "min_answered"),
     ("average_duration", "min_answered")],
)
def test_a_ratio_without_a_sample_is_pointed_out(kind: str, key: str) -> None:
    assert found(tagging(kind, 10)) == [
        f"rule {kind} judges the very first calls of its window: one of one is 100 %"
    ]
    assert found(tagging(kind, 10, **{key: 100})) == []


@pytest.mark.parametrize(
    ("kind", "warning", "critical"), [("attempts", 10, 10), ("attempts", 11, 10), ("average_duration", 9, 10)]
)
def test_a_warning_that_comes_too_late_is_pointed_out(kind: str, warning: int, critical: int) -> None:
    """No pack can say this; a rule made otherwise can."""
    one = tagging(kind, critical, min_answered=5)
    late = type(one)(replace(one.spec, warning=Step(Fraction(warning), Verdict.TAG)))
    words = f"rule {kind} its warning ({warning}) does not come before its limit ({critical})"
    assert words in found(late)


def test_a_warning_that_acts_as_the_limit_does_is_pointed_out() -> None:
    one = rule("attempts", 10, 5, warn=Verdict.BLOCK, notice=NoticeTerms())
    assert found(one) == ["rule attempts its warning asks for block, as its limit does"]


def test_verdicts_that_the_default_mode_holds_back_are_told_at_once() -> None:
    rules = tagging("attempts", 1), rule("minutes", 1, notice=NoticeTerms())
    assert found(*rules, default=Mode.BLOCK) == []
    (one,) = found(*rules, default=Mode.MONITOR)
    assert one == ("default mode monitor lets through no more than allow, and these ask for more: "
                   "attempts (tag), minutes (block)")
    (one,) = found(*rules, default=Mode.TAG)
    assert one.endswith("more: minutes (block)")


def test_a_rule_that_covers_nobody_is_pointed_out_once_there_is_somebody() -> None:
    one = tagging("attempts", 10, types=frozenset({AccountType.TRUNK}))
    assert found(one) == ["rule attempts covers none of the 1 registered accounts"]
    assert found(one, accounts=[]) == []


def test_an_average_over_channels_that_nobody_told_is_pointed_out() -> None:
    one = tagging("average_minutes", 2000, types=frozenset({AccountType.TRUNK}))
    bare = Account("t", "c", AccountType.TRUNK)
    assert found(one, accounts=[bare]) == ["rule average_minutes divides by channels, and t has none"]
    assert found(one, accounts=[replace(bare, channels=4)]) == []


def test_two_rules_that_say_the_same_are_pointed_out() -> None:
    same = [tagging("attempts", 10, name="a"), tagging("attempts", 10, name="b")]
    assert found(*same) == ["rule b counts what rule a counts, with the same limits"]
    assert found(same[0], tagging("attempts", 11, name="b")) == []
    other = Measure(directions=frozenset({Direction.INBOUND}))
    assert found(same[0], tagging("attempts", 10, name="b", measure=other)) == []


def test_emergency_numbers_under_only_are_pointed_out() -> None:
    measure = Measure(only=frozenset({NumberClass.EMERGENCY, NumberClass.PREMIUM}))
    (one,) = found(tagging("attempts", 10, measure=measure))
    assert "names emergency numbers under `only`: it never sees one" in one


def test_a_rule_that_counts_no_call_is_pointed_out() -> None:
    measure = Measure(only=frozenset({NumberClass.EMERGENCY}))
    assert "rule attempts counts no call at all" in found(tagging("attempts", 10, measure=measure))


def test_the_shipped_packs_are_reviewed_without_a_complaint_that_is_an_error() -> None:
    policy = load(sorted((ROOT / "policies").glob("*.toml")), SIP_CODES)
    findings = review(policy, Mode.BLOCK, [])
    assert not [f for f in findings if "does not come before" in f.words or "counts no call" in f.words]
