"""The accounts nearest their limits: what is near, and that looking at some at a time finds the same."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from enforcer.control import nearest as module
from enforcer.control.nearest import Nearest, nearest
from enforcer.domain.account import Account
from enforcer.domain.measure import Measure, Scope
from enforcer.domain.policy import Policy
from enforcer.ledger.memory import MemoryLedger
from tests.support.ledgers import Clock, classify
from tests.support.rules import NOON, attempt, rule, started


def ledger_of(policy: Policy, calls: dict[str, int], *accounts: Account) -> MemoryLedger:
    found = MemoryLedger(classify, Clock())
    found.put_accounts(accounts)
    found.use(policy)
    for account, number in calls.items():
        for place in range(number):
            found.apply(started(attempt(NOON - 60, account=account, call_id=f"pbx1/{account}-{place}")))
    return found


def test_each_account_stands_once_with_the_rule_it_is_nearest_the_limit_of() -> None:
    policy = Policy([rule("attempts", 10), rule("concurrent_calls", 4)])
    found = nearest(ledger_of(policy, {"acme": 3, "apex": 1, "idle": 0}), 5, NOON)
    assert [(one["account"], one["rule"], one["used"]) for one in found] == [
        ("acme", "concurrent_calls", "0.75"), ("apex", "concurrent_calls", "0.25"),
    ]
    assert [(one["dated"], one["passed"]) for one in found] == [(False, None)] * 2


def test_customer_stands_once_however_many_accounts_it_has() -> None:
    whole = rule("attempts", 10, measure=Measure(Scope.CUSTOMER))
    policy = Policy([whole, rule("attempts", 100, name="own")])
    accounts = [Account(name, "big") for name in ("acme", "apex")]
    found = nearest(ledger_of(policy, {"apex": 3, "acme": 4}, *accounts), 5, NOON)
    assert [(one["account"], one["customer"], one["scope"], one["percent"]) for one in found] == [
        ("acme", "big", "customer", 70), ("acme", "big", "account", 4), ("apex", "big", "account", 3),
    ]


def test_sample_that_says_nothing_yet_is_near_no_limit() -> None:
    policy = Policy([rule("asr", 4, min_attempts=40)])
    ledger = ledger_of(policy, {"acme": 39})
    assert nearest(ledger, 5, NOON) == []


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.sampled_from([f"a{n}" for n in range(12)]), st.integers(0, 9)))
def test_looking_at_some_at_a_time_comes_to_the_same_as_looking_at_all(calls: dict[str, int]) -> None:
    policy = Policy([rule("attempts", 8), rule("concurrent_calls", 12, measure=Measure(Scope.CUSTOMER))])
    accounts = [Account(f"a{n}", f"c{n % 3}") for n in range(12)]
    ledger = ledger_of(policy, calls, *accounts)
    kept, module.AT_ONCE = module.AT_ONCE, 2
    try:
        looker = Nearest(ledger)
        seen = [looker.look(NOON) for _ in range(8)][-1]
    finally:
        module.AT_ONCE = kept
    assert seen == nearest(ledger, module.SHOWN, NOON)
