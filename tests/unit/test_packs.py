"""Policy packs: what they come to, exactly, and what is wrong with one, with its line."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from enforcer.domain.account import AccountType
from enforcer.domain.call import Direction, NumberClass
from enforcer.domain.charge import Charge, On, Per
from enforcer.domain.decision import OnFailure, Verdict
from enforcer.domain.measure import Scope, Window
from enforcer.domain.policy import Policy
from enforcer.domain.rules import KINDS
from enforcer.errors import BadInput
from enforcer.packs import load
from enforcer.toml_models import one_of
from enforcer.wire.answer import SIP_CODES
from enforcer.wording import describe

ROOT = Path(__file__).parents[2]

PACK = '[pack]\nname = "p"\nrevision = "1"\n'
RULE = '[[rule]]\nid = "r"\nkind = "attempts"\nclause = "c"\n'
AVERAGE = RULE.replace("attempts", "average_minutes")
PBX = 'types = ["pbx"]\n'
CRITICAL = 'critical = { at = 10, verdict = "block" }\n'


def packs(tmp_path: Path, *texts: str) -> Policy:
    paths = []
    for number, text in enumerate(texts, 1):
        path = tmp_path / f"{number}.toml"
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    return load(paths, SIP_CODES)


def test_ip2call_says_what_its_clause_says() -> None:
    policy = load([ROOT / "policies/ip2call.toml"], SIP_CODES)
    rule = policy.rule("asr")
    assert rule is not None
    spec = rule.spec
    assert spec.critical.at == 4
    assert spec.min_attempts == 100
    assert spec.measure.scope is Scope.CUSTOMER
    assert spec.measure.directions == {Direction.OUTBOUND}
    assert spec.measure.short(5999)
    assert not spec.measure.short(6000)
    assert spec.policy == policy.label == "ip2call@2026.2"


def test_247voip_neither_limits_nor_charges_without_notice_where_its_clause_promises_one() -> None:
    policy = load([ROOT / "policies/247voip.toml"], SIP_CODES)
    fair_use = [rule for rule in policy.rules if rule.spec.clause == "1. Fair Use"]
    assert {rule.spec.critical.verdict for rule in fair_use} >= {Verdict.THROTTLE, Verdict.BLOCK}
    for rule in fair_use:
        if rule.acts or rule.spec.charge is not None:
            assert rule.spec.notice is not None


def test_indicators_of_ip2call_only_tag() -> None:
    policy = load([ROOT / "policies/ip2call.toml"], SIP_CODES)
    assert [rule.spec.id for rule in policy.rules if rule.acts] == ["asr"]


@pytest.mark.parametrize(
    "path", sorted((ROOT / "policies/examples").glob("*.toml")), ids=lambda path: path.stem
)
def test_example_is_a_pack_that_goes_with_the_shipped_ones(path: Path) -> None:
    policy = load([ROOT / "policies/ip2call.toml", ROOT / "policies/247voip.toml", path], SIP_CODES)
    assert len(policy.packs) == 3
    assert all(describe(rule) for rule in policy.rules)


def test_both_shipped_packs_go_together() -> None:
    policy = load([ROOT / "policies/ip2call.toml", ROOT / "policies/247voip.toml"], SIP_CODES)
    assert policy.label == "ip2call@2026.2+247voip@2026.2"
    assert {rule.spec.kind for rule in policy.rules} == set(KINDS)


def test_everything_a_rule_may_say_arrives(tmp_path: Path) -> None:
    policy = packs(
        tmp_path,
        PACK
        + """
[[rule]]
id = "asr.strict"
kind = "asr"
clause = "1"
text = "words"
scope = "customer"
directions = ["outbound", "inbound"]
short_call_seconds = 5.5
short_is = "<="
without = ["toll_free"]
warning = { at = 2.1, verdict = "tag" }
critical = { at = 3.3, verdict = "throttle" }
pace = { calls_per_second = 0.5, max_hold = 1.5 }
min_attempts = 20
on_failure = "last_known"
types = ["pbx", "trunk"]
plans = ["flat"]
customers = ["acme"]
accounts = ["a", "b"]
without_inbound = ["premium"]
charge = { amount = "0.005", per = "attempt", on = "excess" }
""",
    )
    spec = policy.rules[0].spec
    assert spec.critical.at == Fraction(33, 10)
    assert spec.warning is not None
    assert spec.warning.at == Fraction(21, 10)
    assert (spec.measure.short_msec, spec.measure.short_includes_equal) == (5500, True)
    assert spec.measure.without == {NumberClass.TOLL_FREE}
    assert (spec.pace.calls, spec.pace.seconds, spec.pace.max_hold) == (1, 2.0, 1.5)
    assert (spec.min_attempts, spec.on_failure) == (20, OnFailure.LAST_KNOWN)
    assert spec.measure.without_inbound == {NumberClass.PREMIUM}
    assert spec.measure.includes(Direction.OUTBOUND, NumberClass.PREMIUM)
    assert not spec.measure.includes(Direction.INBOUND, NumberClass.PREMIUM)
    assert spec.charge == Charge(Decimal("0.005"), Per.ATTEMPT, On.EXCESS, "USD")
    assert spec.types == {AccountType.PBX, AccountType.TRUNK}
    assert (spec.plans, spec.customers, spec.accounts) == ({"flat"}, {"acme"}, {"a", "b"})


def test_a_rule_about_calls_in_progress_measures_those(tmp_path: Path) -> None:
    rule = RULE.replace("attempts", "concurrent_calls")
    assert packs(tmp_path, PACK + rule + CRITICAL).rules[0].spec.measure.window is Window.LIVE


def test_a_blocked_caller_gets_403_where_nothing_else_is_asked_for(tmp_path: Path) -> None:
    assert packs(tmp_path, PACK + RULE + CRITICAL).rules[0].spec.critical.sip_code == 403


STEP = "critical = {{ at = {}, verdict = {} }}\n"
WRONG = [
    (PACK + RULE, 4, "key 'rule.critical' is missing"),
    (RULE + CRITICAL, 1, "key 'pack' is missing"),
    ('[pack]\nname = "p"\nrevision = 2026.1\n', 3, "pack.revision must be a string, in quotes"),
    (PACK + 'effective = "soon"\n', 4, "pack.effective must be a date, such as 2026-01-31"),
    (PACK + '[[rules]]\nid = "r"\n', 4, "unknown key 'rules'; did you mean 'rule'?"),
    (PACK + RULE + CRITICAL + 'verdict = "tag"\n', 9, "unknown key 'rule.verdict'"),
    (
        PACK + RULE.replace("attempts", "attemps") + CRITICAL,
        6,
        f"rule.kind: no such kind: 'attemps' ({one_of(KINDS)}); did you mean 'attempts'?",
    ),
    (
        PACK + RULE.replace('"r"', '"standing"') + CRITICAL,
        5,
        "rule.id: 'standing' is the name of what people decide about an account",
    ),
    (PACK + RULE + "critical = { at = 0.5 }\n", 8, "rule.critical.at: must be a whole number of attempts"),
    (PACK + RULE + "critical = { at = -1 }\n", 8, "rule.critical.at must be at least 0"),
    (PACK + RULE + "critical = { at = inf }\n", 8, "rule.critical.at must be a finite number"),
    (PACK + RULE + 'critical = { at = "10" }\n', 8, "rule.critical.at must be a number"),
    (PACK + RULE + "critical = { at = true }\n", 8, "rule.critical.at must be a number"),
    (
        PACK + RULE + 'critical = { at = 1, verdict = "blok" }\n',
        8,
        "rule.critical.verdict must be allow, tag, throttle or block; did you mean 'block'?",
    ),
    (
        PACK + RULE + CRITICAL + "\n[rule.warning]\nat = 10\n",
        11,
        "rule.warning.at: 10 must be less than critical.at, 10",
    ),
    (
        PACK + RULE + 'critical = { at = 10 }\nwarning = { at = 5, verdict = "block" }\n',
        9,
        "rule.warning.verdict: 'block' is severer than 'tag' later",
    ),
    (
        PACK + RULE + 'critical = { at = 10, verdict = "block", sip_code = 302 }\n',
        8,
        "rule.critical.sip_code: the "
        "switch cannot send 302 (403, 404, 408, 410, 480, 484, 486, 488, 500, 501, 502, 503 or 603)",
    ),
    (
        PACK + RULE + "critical = { at = 10, sip_code = 603 }\n",
        8,
        "rule.critical.sip_code: has no meaning with verdict 'tag'",
    ),
    (
        PACK + RULE + CRITICAL + 'only = ["emergency"]\n',
        9,
        "rule.only: no rule can touch emergency calls: they are exempt from all",
    ),
    (
        PACK + RULE + CRITICAL + 'only = ["premium"]\nwithout = ["premium"]\n',
        10,
        "rule.without: premium cannot be in 'only' and in 'without'",
    ),
    (
        PACK + RULE + CRITICAL + 'only = ["premum"]\n',
        9,
        "rule.only must be callback, emergency, directory_assistance, "
        "toll_free, premium, international, internal, high_risk or ordinary; did you mean 'premium'?",
    ),
    (PACK + RULE + CRITICAL + "directions = []\n", 9, "rule.directions must not be empty"),
    (
        PACK + RULE + 'critical = { at = 10, verdict = "throttle" }\n',
        8,
        "rule.critical: 'throttle' needs a pace, such as pace = { calls_per_second = 1 }",
    ),
    (
        PACK + RULE + CRITICAL + "pace = { calls_per_second = 1 }\n",
        9,
        "rule.pace: no level of this rule throttles",
    ),
    (
        PACK + RULE + CRITICAL + "min_attempts = 5\n",
        9,
        "rule.min_attempts: only the kinds asr, class_share, failed_calls and short_calls judge a sample of "
        "attempts",
    ),
    (
        PACK + RULE + CRITICAL + "short_call_seconds = 5\n",
        9,
        "rule.short_call_seconds: only the kinds asr, duration_cliff and short_calls tell short calls from "
        "completed ones",
    ),
    (
        PACK + RULE.replace("attempts", "asr") + CRITICAL + "short_call_seconds = 0.0001\n",
        9,
        "rule.short_call_seconds: must be in whole milliseconds",
    ),
    (
        PACK + RULE.replace("attempts", "asr") + "critical = { at = 0 }\n",
        8,
        "rule.critical.at: must be more than 0",
    ),
    (
        PACK + RULE.replace("attempts", "cps") + "critical = { at = 0 }\n",
        8,
        "rule.critical.at: must be more than 0",
    ),
    (
        PACK + RULE.replace("attempts", "cps") + 'critical = { at = 5, verdict = "throttle" }\n'
        "pace = { calls_per_second = 1 }\n",
        9,
        "rule.pace.calls_per_second: the pace of this kind is its limit: critical.at",
    ),
    (
        PACK + RULE.replace("attempts", "concurrent_calls") + 'critical = { at = 5, verdict = "throttle" }\n'
        "pace = { max_hold = 1 }\n",
        9,
        "rule.pace: a call over the limit is shed at once",
    ),
    (PACK + RULE.replace("attempts", "cps") + 'scope = "customer"\n' + CRITICAL, 8,
     "rule.scope: the kind 'cps' holds each account to its rate, not a customer"),
    (PACK + RULE + "hang_up = true\n" + CRITICAL, 8,
     "rule.hang_up: only the kind 'minutes' is crossed by calls in progress"),
    (PACK + RULE.replace("attempts", "minutes") + "hang_up = true\n" + STEP.format(5, '"tag"'), 8,
     "rule.hang_up: needs critical.verdict = 'block': a call that is ended is not slowed"),
    (PACK + RULE + 'without_inbound = ["premium"]\n' + CRITICAL, 8,
     "rule.without_inbound: has no meaning: inbound is not among the directions"),
    (PACK + RULE + 'charge = { amount = "1e3", per = "call" }\n' + CRITICAL, 8,
     'rule.charge.amount: must be an exact amount, such as "0.005"'),
    (PACK + RULE + 'charge = { amount = 0, per = "call" }\n' + CRITICAL, 8,
     "rule.charge.amount must be more than 0"),
    (PACK + RULE + 'charge = { amount = "1", per = "minutes" }\n' + CRITICAL, 8,
     "rule.charge.per must be attempt, minute, call or message; did you mean 'minute'?"),
    (PACK + RULE + 'charge = { amount = "1", per = "minute", on = "excess" }\n' + CRITICAL, 8,
     "rule.charge.per: the excess of this kind is counted by the attempt"),
    (PACK + RULE.replace("attempts", "cps") + 'charge = { amount = "1", per = "call" }\n' + CRITICAL, 8,
     "rule.charge: the kind 'cps' is about a moment: a cycle settles nothing"),
    (PACK + AVERAGE + "critical = { at = 10 }\n", 4,
     'rule.types: an average is one of a single type, such as types = ["pbx"]'),
    (PACK + AVERAGE + PBX + 'scope = "account"\ncritical = { at = 10 }\n', 9,
     "rule.scope: an average is one of a customer"),
    (PACK + AVERAGE + PBX + "warning = { at = 5 }\ncritical = { at = 10 }\n", 9,
     "rule.warning: has no meaning: this kind is settled when a cycle is over, and judges no call"),
    (PACK + AVERAGE + PBX + CRITICAL, 9,
     "rule.critical.verdict: has no meaning: this kind is settled when a cycle is over, and judges no call"),
]


@pytest.mark.parametrize(("text", "line", "problem"), WRONG)
def test_what_is_wrong_is_one_line_with_file_line_and_key(
    tmp_path: Path, text: str, line: int, problem: str
) -> None:
    with pytest.raises(BadInput) as caught:
        packs(tmp_path, text)
    assert str(caught.value) == f"{tmp_path / '1.toml'}:{line}: {problem}"


def test_a_rule_id_is_used_once_over_all_packs(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        packs(tmp_path, PACK + RULE + CRITICAL, PACK.replace('"p"', '"q"') + "\n" + RULE + CRITICAL)
    assert str(caught.value) == (
        f"{tmp_path / '2.toml'}:6: a rule of the id 'r' is at {tmp_path / '1.toml'}:5 already"
    )


def test_a_pack_is_loaded_once(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"2.toml:2: a pack of the name 'p' is at .*1.toml:2 already"):
        packs(tmp_path, PACK, PACK)


def test_a_pack_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere.toml: cannot be read: No such file"):
        load([tmp_path / "nowhere.toml"], SIP_CODES)


SENTENCES = {
    "asr": "Over the billing cycle of a customer, outbound calls: from 3 attempts per completed call on, "
    "calls are "
    "tagged, and from 4 attempts per completed call on, calls are let through at 1 a second (held up to 2 "
    "s, then "
    "refused with 503). Completed calls were answered and lasted at least 6 s. Nothing is judged below "
    "100 attempts. A cycle that closes in breach costs 0.005 USD for each attempt, completed or not. It acts "
    "without notice. A cycle that closes in breach is a strike.",
    "excessive.trunk": "Over the billing cycle of a customer, outbound and inbound calls without those to "
    "directory assistance numbers nor inbound ones to toll free numbers of all accounts of type trunk "
    "and on plan flat, flat-rate or flat_rate: more than 2000 minutes on average for each channel is a "
    "breach. It is settled when the cycle is over; no call is touched. A cycle that closes in breach is a "
    "strike.",
    "fraud.costly-numbers": "Over the billing cycle of an account, outbound calls to high risk or premium "
    "numbers "
    "only: over 25 attempts, calls are tagged, and over 100 attempts, calls are tagged.",
    "resale.residential": "At any moment, over all calls of an account of type residential, outbound and "
    "inbound "
    "calls: over 3 calls, calls are tagged, and over 4 calls, calls are tagged.",
    "fair-use.trunk-minutes": "Over the billing cycle of an account of type trunk, outbound and inbound "
    "calls: once "
    "24000 minutes are used, calls are tagged, and once 30000 minutes are used, calls are let through at 1 a "
    "second (held up to 2 s, then refused with 503). A cycle that closes in breach costs 0.02 USD for each "
    "minute beyond the limit. The customer is told first: it acts no earlier than 7 days after the notice "
    "was delivered, and for 90 days after that a further breach needs no new one. A cycle that closes in "
    "breach is a strike.",
    "shared.cps": "In any second, over all calls of an account, outbound calls: over 3 calls/s, calls are "
    "tagged, "
    "and over 5 calls/s, calls are let through at 5 a second (held up to 2 s, then refused with 503). "
    "While nobody "
    "can be asked, the last verdict stands.",
}


@pytest.mark.parametrize("rule_id", SENTENCES)
def test_a_rule_is_explained_in_plain_english(rule_id: str) -> None:
    policy = load([ROOT / "policies/ip2call.toml", ROOT / "policies/247voip.toml"], SIP_CODES)
    rule = policy.rule(rule_id)
    assert rule is not None
    assert describe(rule) == SENTENCES[rule_id]
