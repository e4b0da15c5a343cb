"""A policy in force: whose rules, which tallies, and what it is called."""

from __future__ import annotations

from dataclasses import replace

import pytest

from enforcer.domain.account import Account, AccountType
from enforcer.domain.call import NumberClass
from enforcer.domain.decision import Verdict
from enforcer.domain.measure import Detail, Measure, Scope, Window
from enforcer.domain.policy import Pack, Policy, Seat
from enforcer.domain.usage import Tally
from tests.support.rules import rule

CUSTOMER = Measure(Scope.CUSTOMER)


def test_rules_that_count_the_same_calls_share_a_tally() -> None:
    ratio, volume = rule("asr", 4), rule("attempts", 100)
    total = rule("attempts", 500, name="total", measure=CUSTOMER)
    at_once = rule("concurrent_calls", 5)
    policy = Policy([ratio, volume, at_once, total])
    assert policy.measures[Scope.ACCOUNT] == (Measure(), Measure(window=Window.LIVE))
    assert policy.measures[Scope.CUSTOMER] == (CUSTOMER,)
    assert [policy.place(one) for one in policy.rules] == [0, 0, 1, 0]


def test_what_a_rule_counts_apart_needs_no_tally_of_its_own() -> None:
    marked = replace(Measure(), marked=frozenset({NumberClass.PREMIUM}))
    near, other = replace(Measure(), near_msec=3000), replace(Measure(), near_msec=5000)
    rules = [
        rule("asr", 4), rule("class_share", 20, measure=marked), rule("duration_cliff", 50, measure=near),
        rule("duration_cliff", 50, name="wider", measure=other), rule("redials", 5),
    ]
    policy = Policy(rules)
    assert [policy.place(one) for one in rules] == [0, 0, 0, 1, 0]
    shared, apart = policy.measures[Scope.ACCOUNT]
    assert (shared.marked, shared.near_msec, shared.details) == (marked.marked, 3000, {Detail.REDIALS})
    assert (apart.near_msec, apart.details) == (5000, frozenset())


def test_an_account_has_the_rules_that_cover_it_in_the_order_of_the_packs() -> None:
    trunks = rule("attempts", 1, name="trunks", types=frozenset({AccountType.TRUNK}))
    everybody, acme = rule("asr", 4), rule("cps", 5, accounts=frozenset({"acme"}))
    policy = Policy([trunks, everybody, acme])
    assert policy.about(Account("acme", "acme", AccountType.TRUNK)) == (trunks, everybody, acme)
    assert policy.about(Account("globex", "globex")) == (everybody,)


def test_a_policy_is_called_by_its_packs() -> None:
    assert Policy((), [Pack("ip2call", "3"), Pack("247voip", "1")]).label == "ip2call@3+247voip@1"
    assert Policy().label == ""


def test_two_rules_of_one_id_are_refused() -> None:
    with pytest.raises(ValueError, match="'asr'"):
        Policy([rule("asr", 4), rule("asr", 5)])


def test_a_rule_is_found_by_its_id() -> None:
    ratio = rule("asr", 4)
    assert Policy([ratio]).rule("asr") is ratio
    assert Policy([ratio]).rule("cps") is None


def test_only_a_rate_has_a_pacer_before_anybody_is_throttled() -> None:
    assert Seat(rule("cps", 5), Tally()).pacer is not None
    seat = Seat(rule("attempts", 5, verdict=Verdict.THROTTLE), Tally())
    assert seat.pacer is None
    assert seat.pacing() is seat.pacing()
