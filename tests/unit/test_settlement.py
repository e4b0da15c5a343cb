"""A cycle settled from call records: who is asked, which calls count, and what is charged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from enforcer.control.rows import Row
from enforcer.control.settlement import Settlement, settlement
from enforcer.domain.account import Account, AccountType, Standing
from enforcer.domain.call import Direction
from enforcer.domain.charge import Charge, Claim, Per
from enforcer.domain.measure import Measure, Scope
from enforcer.domain.numbers import NumberPlan
from enforcer.domain.policy import Pack, Policy
from enforcer.errors import BadInput
from enforcer.history import Revisions
from enforcer.ledger.memory import MemoryLedger
from enforcer.packs import load
from enforcer.wire.answer import SIP_CODES
from tests.support.ledgers import DAY, Call
from tests.support.rules import NOON, rule

IP2CALL = load([Path(__file__).parents[2] / "policies/ip2call.toml"], SIP_CODES)
OCTOBER = NOON - 40 * DAY       # 2026-10-13 12:00:00 UTC
PBX, TRUNK = AccountType.PBX, AccountType.TRUNK
INBOUND = Direction.INBOUND
HOUR = 3600


@dataclass
class House:
    """A ledger, and what is settled from it."""

    ledger: MemoryLedger
    policy: Policy = IP2CALL
    count: int = 0

    def has(self, *accounts: Account) -> None:
        self.ledger.put_accounts(accounts)

    def called(
        self, account: str, *seconds: int, number: str = "12125550100", start: float = OCTOBER,
        direction: Direction = Direction.OUTBOUND,
    ) -> None:
        for length in seconds:
            self.count += 1
            call = Call(str(self.count), account, number, start + self.count, direction=direction)
            self.ledger.absorb([call.cdr(length)])

    def settled(self, customer: str = "", now: float = NOON, cycle: str = "2026-10") -> Settlement:
        only = [customer] if customer else []
        return settlement(self.ledger, Revisions.fixed(self.policy), cycle, now, only)

    def row(self, rule_id: str, customer: str = "big", account: str = "") -> Row:
        (row,) = found(self.settled().rows, rule_id, customer, account)
        return row


def found(rows: Iterable[Row], rule_id: str, customer: str = "big", account: str = "") -> list[Row]:
    return [r for r in rows if r.about == (customer, account, rule_id, "2026-10")]


@pytest.fixture
def house() -> House:
    return House(MemoryLedger(NumberPlan("US").classify, lambda: NOON))


def flat(name: str, kind: AccountType = PBX, channels: int = 0, plan: str = "flat") -> Account:
    return Account(name, "big", kind, channels, plan)


def test_a_ratio_is_settled_over_all_accounts_of_a_customer_without_a_minimum_sample(house: House) -> None:
    house.has(flat("a"), flat("b"), Account("other", "small"))
    house.called("a", 6, 0, 0)
    house.called("b", 5)
    house.called("other", 60)
    row = house.row("asr")
    assert (row.settled.attempts, row.settled.completed, row.settled.short) == (4, 1, 1)
    assert (row.settled.breached, row.charge, row.currency) == (True, Decimal("0.02"), "USD")
    assert not house.row("asr", "small").settled.breached


def test_calls_belong_to_the_cycle_they_started_in(house: House) -> None:
    house.has(flat("a"))
    november = 1_793_491_200.0      # 2026-11-01 00:00:00 UTC
    house.called("a", 60, start=november - 10)
    house.called("a", 0, start=november)
    assert house.row("asr").settled.attempts == 1


def test_an_average_is_of_the_minutes_in_both_directions_over_the_accounts_of_one_type(house: House) -> None:
    house.has(flat("a"), flat("b"), flat("home", AccountType.RESIDENTIAL))
    house.called("a", 1999 * 60)
    house.called("b", 60, direction=INBOUND)
    house.called("home", 5000 * 60)
    row = house.row("excessive.pbx")
    assert (row.settled.value, row.settled.breached, row.pulling_up) == (1000, False, [])
    house.called("b", 1)
    row = house.row("excessive.pbx")
    assert row.settled.value == 1000 + Fraction(1, 120)
    assert row.settled.breached
    assert row.account_type is PBX
    assert [share.account for share in row.pulling_up] == ["a"]
    assert house.row("excessive.residential").settled.value == 5000
    assert row.charge == 0      # the clause names none


def test_what_is_metered_apart_is_in_no_average(house: House) -> None:
    house.has(flat("a"))
    house.called("a", HOUR, number="911")
    house.called("a", HOUR, number="411")
    house.called("a", HOUR, number="18005550100", direction=INBOUND)
    assert house.row("excessive.pbx").settled.msec == 0
    house.called("a", HOUR, number="18005550100")       # called, not received: a call like any other
    house.called("a", HOUR)
    assert house.row("excessive.pbx").settled.value == 120


def test_accounts_on_no_flat_rate_plan_are_out(house: House) -> None:
    house.has(flat("a"), flat("b", plan="metered"), flat("c", plan=""))
    for name in "abc":
        house.called(name, HOUR)
    assert house.row("excessive.pbx").settled.value == 60


def test_trunks_share_by_channels(house: House) -> None:
    house.has(flat("t1", TRUNK, 2), flat("t2", TRUNK, 1))
    house.called("t1", 6000 * 60)
    assert house.row("excessive.trunk").settled.value == 2000
    house.called("t2", 3)
    row = house.row("excessive.trunk")
    assert row.settled.breached
    assert [(share.account, share.minutes) for share in row.pulling_up] == [("t1", 3000)]


def test_a_trunk_without_channels_is_said_plainly(house: House) -> None:
    house.has(flat("t", TRUNK))
    house.called("t", 60)
    told = house.settled()
    (row,) = found(told.rows, "excessive.trunk")
    assert (row.settled.value, row.settled.breached) == (None, False)
    assert told.notes == [
        "customer big, excessive.trunk: its trunks are registered without channels, so 2000 minutes for each "
        "cannot be judged: see `enforcer account set --channels`"
    ]


def test_a_customer_without_accounts_of_a_type_has_no_row_for_it(house: House) -> None:
    house.has(flat("a"))
    rules = {row.rule.spec.id for row in house.settled().rows}
    assert rules == {
        "asr", "evasion.cliff", "evasion.diluted-pbx", "excessive.pbx", "fraud.costly-numbers",
    }


def test_an_account_terminated_before_dilutes_no_average(house: House) -> None:
    gone = replace(flat("gone"), standing=Standing.TERMINATED)
    house.has(flat("a"), gone)
    house.called("a", 1500 * 60)
    assert house.row("excessive.pbx").settled.value == 1500
    house.called("gone", 60)        # in this cycle it still called
    assert house.row("excessive.pbx").settled.value == Fraction(1501, 2)


def test_callers_whom_nobody_registered_are_settled_as_their_own_customers(house: House) -> None:
    house.called("stray", 0)
    row = house.row("asr", "stray")
    assert (row.settled.value, row.settled.breached, row.charge) == (None, True, Decimal("0.005"))


def test_settling_twice_changes_nothing(house: House) -> None:
    house.has(flat("a"))
    house.called("a", 0, 0)
    first = house.settled()
    entries = house.ledger.charges()
    assert first.written == entries
    assert entries[0].words == "2 x 0.005 per attempt"
    second = house.settled(now=NOON + 1)
    assert second == first._replace(written=[])
    assert house.ledger.charges() == entries


def test_a_late_cdr_leads_to_a_reversing_entry_and_a_new_one(house: House) -> None:
    house.has(flat("a"))
    house.called("a", 0, 0, 0, 0)
    house.settled()
    house.called("a", 60)           # 5 attempts, 1 completed: still a breach
    assert [(e.amount, e.reverses) for e in house.settled().written] == [
        (Decimal("-0.02"), 1), (Decimal("0.025"), 0),
    ]
    house.called("a", 60)           # 6 and 2: none
    assert [(e.amount, e.reverses) for e in house.settled().written] == [(Decimal("-0.025"), 3)]
    assert house.row("asr").charge == 0
    assert len(house.ledger.charges()) == 4


def test_a_charge_that_no_row_is_about_any_more_is_reversed(house: House) -> None:
    house.policy = Policy([rule(
        "attempts", 1, plans=frozenset({"flat"}), charge=Charge(Decimal("0.1"), Per.ATTEMPT),
    )])
    house.has(flat("a"), flat("b"))
    house.called("a", 0, 0)
    house.ledger.charge([Claim("big", "c", "attempts", "2026-10", "", Decimal("0.3"), "USD")], NOON)
    told = house.settled()
    assert found(told.rows, "attempts", account="c") == []
    assert [entry.amount for entry in told.written] == [Decimal("0.2"), Decimal("-0.3")]
    assert house.settled().written == []


def test_an_account_that_is_changed_later_changes_no_cycle_that_is_over(house: House) -> None:
    house.has(flat("a"), flat("b"))
    house.called("a", HOUR)
    before = house.settled()
    house.has(flat("a", plan="metered"), flat("b", AccountType.RESIDENTIAL))
    assert house.settled() == before._replace(written=[])


def test_a_rule_that_left_the_policy_leaves_its_charges(house: House) -> None:
    house.has(flat("a"))
    house.called("a", 0)
    house.settled()
    house.policy = Policy()
    assert house.settled().written == []
    assert len(house.ledger.charges()) == 1


def test_many_accounts_are_settled_like_each_of_them(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.has(*(flat(f"p{n}") for n in range(5)), flat("t", TRUNK, 2), Account("x", "small"))
    for n in range(5):
        house.called(f"p{n}", 60 * n, 0)
    house.called("t", 0, number="19005550100")
    one_by_one = house.settled()
    monkeypatch.setattr("enforcer.control.settlement.MANY", 1)
    assert house.settled() == one_by_one._replace(written=[])


def test_one_customer_can_be_settled_alone(house: House) -> None:
    house.has(flat("a"), Account("x", "small"))
    house.called("a", 0)
    house.called("x", 0)
    assert {row.customer for row in house.settled("small").rows} == {"small"}
    assert [entry.customer for entry in house.ledger.charges()] == ["small"]
    with pytest.raises(BadInput, match="--customer: no such customer: 'smal'; did you mean 'small'"):
        house.settled("smal")


def test_a_cycle_that_is_not_over_is_refused_and_nothing_is_written(house: House) -> None:
    house.has(replace(Account("x", "small"), anchor_day=15, timezone="America/Chicago"))
    until = 1_794_722_400.0         # 2026-11-15 00:00 in Chicago
    house.called("x", 0, start=until - DAY)
    with pytest.raises(BadInput) as caught:
        house.settled(now=until - 1)
    assert str(caught.value) == (
        "--cycle: 2026-10 of customer small is not over before 2026-11-15 00:00:00 CST"
    )
    assert house.ledger.charges() == []
    assert len(house.settled(now=until).written) == 1


def test_a_customer_whose_cycle_is_open_is_left_out_and_named(house: House) -> None:
    house.has(flat("a"), replace(Account("x", "small"), anchor_day=31))
    house.called("a", 0)
    told = house.settled()
    assert {row.customer for row in told.rows} == {"big"}
    assert told.unsettled == ["2026-10 of customer small is not over before 2026-11-30 00:00:00 UTC"]
    with pytest.raises(BadInput, match="2026-10 of customer small is not over"):
        house.settled("small")
    assert house.settled("big").unsettled == []
    with pytest.raises(BadInput, match="2026-11 of customer big is not over"):
        house.settled(cycle="2026-11")
    with pytest.raises(BadInput, match="'October' is no billing cycle"):
        house.settled(cycle="October")


def test_one_account_whose_cycle_is_open_keeps_its_customer_open(house: House) -> None:
    house.has(flat("a"), replace(flat("b"), anchor_day=28))
    with pytest.raises(BadInput, match="2026-10 of customer big is not over before 2026-11-28 00:00:00 UTC"):
        house.settled()


def test_a_pack_settles_no_cycle_that_began_before_it_was_effective(house: House) -> None:
    late = rule("asr", 4, measure=Measure(Scope.CUSTOMER), policy="new@2")
    house.policy = Policy([late], [Pack("new", "2", effective="2026-10-02")])
    house.has(flat("a"))
    told = house.settled()
    assert told.rows == []
    assert told.notes == ["new@2 is effective from 2026-10-02: it settles no cycle that began before"]
    house.policy = Policy([late], [Pack("new", "2", "EUR", effective="2026-10-01")])
    assert house.row("asr").currency == "EUR"


def test_a_rule_that_is_settled_only_takes_no_seat_and_no_counter() -> None:
    account = flat("a")
    assert any(one.settled_only for one in IP2CALL.rules)
    assert not any(one.settled_only for one in IP2CALL.about(account))
    live = Policy([one for one in IP2CALL.rules if not one.settled_only])
    assert IP2CALL.measures == live.measures
