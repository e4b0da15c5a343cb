"""The book of charges, and who called in a cycle, whichever adapter keeps them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from enforcer.domain.account import Account
from enforcer.domain.charge import Claim, net
from enforcer.domain.cycle import BillingCycle
from enforcer.domain.measure import Measure, Scope, Window
from enforcer.domain.usage import Tally
from enforcer.ledger.port import Ledger
from tests.support.ledgers import DAY, Call, talked, tell
from tests.support.rules import NOON

OCTOBER = Claim("big", "", "asr", "2026-10", "p@1", Decimal("20.005"), "USD", "ASR", "4001 x 0.005")
SMALL = OCTOBER._replace(customer="small", account="a", amount=Decimal("0.000000000001"))


def test_an_entry_comes_back_whole_and_exact(ledger: Ledger) -> None:
    written = ledger.charge([OCTOBER, SMALL], NOON)
    assert ledger.charges() == written
    assert [entry.amount for entry in written] == [Decimal("20.005"), Decimal("0.000000000001")]
    assert written[0].words == OCTOBER.words
    assert (written[0].at, written[0].number, written[0].reverses) == (NOON, 1, 0)


def test_charging_the_same_twice_changes_nothing(ledger: Ledger) -> None:
    ledger.charge([OCTOBER, SMALL], NOON)
    before = ledger.charges()
    assert ledger.charge([OCTOBER, SMALL], NOON + 1) == []
    assert ledger.charge([], NOON + 1) == []
    assert ledger.charges() == before


def test_a_correction_is_a_reversing_entry_and_a_new_one(ledger: Ledger) -> None:
    (first,) = ledger.charge([OCTOBER], NOON)
    reversal, second = ledger.charge([OCTOBER._replace(amount=Decimal("20.01"), policy="p@2")], NOON + 1)
    assert (reversal.amount, reversal.reverses, reversal.policy) == (Decimal("-20.005"), 1, "p@1")
    assert (second.amount, second.number, second.policy) == (Decimal("20.01"), 1, "p@2")
    assert ledger.charges() == [first, reversal, second]
    assert net(ledger.charges(), "USD") == Decimal("20.01")


def test_entries_are_found_by_customer_and_cycle_in_the_order_they_were_written(ledger: Ledger) -> None:
    september = OCTOBER._replace(cycle="2026-09")
    ledger.charge([SMALL], NOON)
    ledger.charge([september, OCTOBER], NOON)
    assert [(e.customer, e.cycle) for e in ledger.charges()] == [
        ("small", "2026-10"), ("big", "2026-09"), ("big", "2026-10"),
    ]
    assert [e.cycle for e in ledger.charges("big")] == ["2026-09", "2026-10"]
    assert [e.customer for e in ledger.charges(cycle="2026-10")] == ["small", "big"]
    assert [e.customer for e in ledger.charges("big", "2026-10")] == ["big"]
    assert ledger.charges("nobody") == []


@pytest.mark.parametrize("scope", Scope)
def test_tallies_of_all_are_those_of_each(ledger: Ledger, scope: Scope) -> None:
    november = BillingCycle().at(NOON)
    ledger.put_accounts([Account("acme", "big"), Account("apex", "big")])
    for n, account in enumerate(("acme", "acme", "apex", "zed", "zed", "zed")):
        tell(ledger, *talked(Call(str(n), account, start=NOON + n), 5 + n))
    tell(ledger, Call("old", "gone", start=NOON - 40 * DAY).started(), Call("now", "ringing").started())
    for measure in (Measure(scope), Measure(scope, window=Window.LIVE)):
        every = ledger.derive_all(scope, measure, november)
        for key in ("acme", "apex", "zed", "gone", "ringing", "big"):
            assert every.get(key, Tally()) == ledger.derive(scope, key, measure, november)
    assert len(ledger.derive_all(scope, Measure(scope), november)) == (4 if scope is Scope.ACCOUNT else 3)


def test_callers_of_a_cycle_come_with_the_customer_they_were_counted_for(ledger: Ledger) -> None:
    november = BillingCycle().at(NOON)
    tell(ledger, *talked(Call("1", "zed"), 10), *talked(Call("2", "zed"), 10), *talked(Call("3", ""), 10))
    ledger.put_accounts([Account("acme", "big")])
    tell(ledger, *talked(Call("4", "acme", start=NOON + 9), 10))
    tell(ledger, *talked(Call("5", "old", start=NOON - 40 * DAY), 10))
    assert ledger.callers(november) == [("acme", "big"), ("zed", "zed")]
