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
from enforcer.domain.call import Direction, Medium
from enforcer.domain.charge import Charge, Claim, On, Per
from enforcer.domain.decision import Level
from enforcer.domain.journal import JournalEntry, Kind
from enforcer.domain.measure import Measure, Scope
from enforcer.domain.notice import About, Audience, Notice, NoticeTerms, Stage, created, step
from enforcer.domain.numbers import NumberPlan
from enforcer.domain.policy import Pack, Policy
from enforcer.errors import BadInput
from enforcer.history import Revisions
from enforcer.ledger.memory import MemoryLedger
from enforcer.packs import load
from enforcer.wire.answer import SIP_CODES
from tests.support.ledgers import DAY, Call, Clock
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
    clock: Clock
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
    clock = Clock()
    return House(MemoryLedger(NumberPlan("US").classify, clock), clock)


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
    assert second == first._replace(written=[], struck=[])
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
    assert house.settled() == before._replace(written=[], struck=[])


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
    assert house.settled() == one_by_one._replace(written=[], struck=[])


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


CUSTOMERS = Measure(Scope.CUSTOMER)
EACH = Charge(Decimal("0.1"), Per.ATTEMPT)


def test_signals_are_tallied_like_the_rule_itself(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    signal = rule("short_calls", 20, measure=CUSTOMERS)
    house.policy = Policy([
        rule("attempts", 2, measure=CUSTOMERS, also=(signal,), charge=replace(EACH, on=On.EXCESS)),
    ])
    house.has(flat("a"), flat("b"))
    house.called("a", 60, 60)
    house.called("b", 60)
    assert not house.row("attempts").settled.breached       # more than two attempts, and none short
    house.called("b", 3)
    row = house.row("attempts")
    assert (row.settled.breached, row.charge) == (True, Decimal("0.2"))
    monkeypatch.setattr("enforcer.control.settlement.MANY", 1)
    assert house.row("attempts") == row


def test_what_only_single_calls_show_is_settled_for_many_accounts_as_for_one(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.policy = Policy([rule("distinct_numbers", 1), rule("short_calls", 10), rule("messages", 1)])
    house.has(flat("a"), flat("quiet"))
    house.called("a", 60, number="12125550100")
    house.called("a", 60, number="12125550101")
    rows = house.settled().rows
    assert [(row.account, row.rule.spec.id) for row in rows if row.settled.breached] == [
        ("a", "distinct_numbers"),
    ]
    monkeypatch.setattr("enforcer.control.settlement.MANY", 1)
    assert house.settled().rows == rows


def test_messages_are_settled_apart_from_calls(house: House) -> None:
    house.policy = Policy([
        rule("messages", 1, charge=Charge(Decimal("0.01"), Per.MESSAGE)), rule("attempts", 1),
    ])
    house.has(flat("a"))
    house.called("a", 60)
    house.ledger.absorb([
        Call(f"m{n}", "a", start=OCTOBER + n, medium=Medium.MESSAGE).sent() for n in range(2)
    ])
    assert house.row("messages", account="a").charge == Decimal("0.02")
    assert house.row("attempts", account="a").settled.value == 1


def test_a_diluted_average_names_the_accounts_that_nobody_uses(house: House) -> None:
    house.policy = Policy([rule("diluted_average", 1000, measure=CUSTOMERS, types=frozenset({PBX}))])
    house.has(flat("a"), flat("b"), flat("c"))
    house.called("a", 1500 * 60)
    row = house.row("diluted_average")
    assert (row.settled.value, row.settled.breached, row.settled.attempts) == (1500, True, 1)
    assert [share.account for share in row.idle] == ["b", "c"]
    assert row.pulling_up == []
    assert house.settled().notes == []


def test_a_charge_on_notice_waits_for_it_and_the_excess_is_shown_all_the_same(house: House) -> None:
    house.policy = Policy([rule("attempts", 1, charge=EACH, notice=NoticeTerms(7 * DAY, 90 * DAY))])
    house.has(flat("a"))
    house.called("a", 0, 0)
    told = house.settled()
    (row,) = told.rows
    assert (row.settled.breached, row.settled.owed, row.charge) == (True, Decimal("0.2"), 0)
    assert row.held == "no notice was given"
    assert told.notes == [
        "customer big, account a, attempts: 0.20 USD for the breach are not charged: no notice was given"
    ]
    assert told.written == []


@pytest.mark.parametrize(("delivered", "charge"), [
    (None, "0"), (18 * DAY, "0"), (11 * DAY, "0.2"),      # October has 18.5 days left
])
def test_a_charge_on_notice_is_owed_once_it_was_delivered_and_grace_is_over(
    house: House, delivered: float | None, charge: str
) -> None:
    house.policy = Policy([rule("attempts", 1, charge=EACH, notice=NoticeTerms(7 * DAY, 90 * DAY))])
    house.has(flat("a"))
    house.called("a", 0, 0)
    notice = Notice(
        "n-1", Audience.CUSTOMER, About.LEVEL, "big", "a", "attempts", Level.WARNING, "2026-10", OCTOBER,
        7 * DAY, 90 * DAY,
    )
    house.ledger.put([created(notice), step(notice, Stage.SENT, OCTOBER)])
    if delivered is not None:
        house.ledger.put([step(notice, Stage.DELIVERED, OCTOBER + delivered)])
    assert house.row("attempts", account="a").charge == Decimal(charge)
    # Ops were told, or another account was: that is no notice to this one.
    house.called("b", 0, 0)
    assert house.row("attempts", "b", "b").held == "no notice was given"


STRICT = Policy([rule("asr", 4, measure=CUSTOMERS, strike=True)])


def test_a_breach_is_one_strike_however_often_it_is_settled(house: House) -> None:
    house.policy = STRICT
    house.has(flat("a"))
    house.called("a", 0, 0)
    (entry,) = house.settled().struck
    (strike,) = house.ledger.registers.strikes.all("big")
    assert (strike.id, strike.kind, strike.cycle, strike.account) == (entry.ref, "asr", "2026-10", "")
    assert strike.at == 1_790_812_800.0         # 2026-10-01, the first moment of the cycle
    assert strike.why == "clause of asr: attempts per completed call 2/0, limit 4"
    house.called("a", 0)
    assert house.settled().struck == []


def test_a_corrected_record_withdraws_a_strike_and_another_one_strikes_again(house: House) -> None:
    house.policy = STRICT
    house.has(flat("a"))
    house.called("a", 0)
    strikes = house.ledger.registers.strikes
    (first,) = house.settled().struck
    house.called("a", 60)
    assert [(e.kind, e.ref) for e in house.settled().struck] == [(Kind.PARDON, first.ref)]
    assert strikes.of("big", "", frozenset(), 0) == []
    assert house.settled().struck == []
    house.called("a", 0, 0)
    (second,) = house.settled().struck
    assert second.ref == f"{first.ref}-2"
    assert [strike.id for strike in strikes.of("big", "", frozenset(), 0)] == [second.ref]
    assert house.settled().struck == []


def test_a_strike_that_people_withdrew_stays_withdrawn(house: House) -> None:
    house.policy = STRICT
    house.has(flat("a"))
    house.called("a", 0)
    (entry,) = house.settled().struck
    pardon = JournalEntry(Kind.PARDON, NOON, entry.ref, "big", body={"why": "their PBX was hacked"})
    house.ledger.put([pardon])
    assert house.settled().struck == []
    assert house.ledger.registers.strikes.of("big", "", frozenset(), 0) == []


def test_a_strike_that_people_entered_is_none_of_a_settlements(house: House) -> None:
    house.policy = STRICT
    house.has(flat("a"))
    house.called("a", 60)
    body = {"kind": "asr", "at": OCTOBER, "cycle": "2026-10"}
    house.ledger.put([JournalEntry(Kind.STRIKE, NOON, "s-by-hand", "big", body=body)])
    assert house.settled().struck == []


def test_what_a_customer_did_before_an_account_went_elsewhere_stays_with_it(house: House) -> None:
    house.clock.now = OCTOBER - 40 * DAY
    house.has(flat("a"), flat("b", TRUNK))
    house.called("a", 0, start=OCTOBER)
    house.clock.now = OCTOBER + DAY
    house.has(replace(flat("a"), customer="other"))
    house.called("a", 60, start=OCTOBER + DAY)
    house.policy = Policy([rule("asr", 4, measure=CUSTOMERS, types=frozenset({PBX})), rule("attempts", 5)])
    rows = {(row.customer, row.account, row.rule.spec.id): row for row in house.settled().rows}
    assert set(rows) == {
        ("big", "", "asr"), ("big", "b", "attempts"), ("other", "", "asr"), ("other", "a", "attempts"),
    }
    assert rows["big", "", "asr"].settled.attempts == 1
    assert rows["other", "", "asr"].settled.attempts == 1
    assert rows["other", "a", "attempts"].settled.attempts == 2


def test_an_account_registered_after_a_cycle_was_over_is_no_part_of_it(house: House) -> None:
    house.clock.now = OCTOBER - 40 * DAY
    house.has(flat("a"))
    house.called("a", 1500 * 60)
    house.called("stray", 0)
    before = house.settled()
    assert house.row("excessive.pbx").settled.value == 1500
    house.clock.now = NOON
    house.has(flat("late"), flat("stray"), Account("x", "new"))
    assert house.settled() == before._replace(written=[], struck=[])


def test_what_is_registered_on_the_first_day_counts_from_the_beginning(house: House) -> None:
    house.has(flat("a"))
    house.called("a", 1500 * 60)
    house.has(flat("a", plan="flat-rate"))
    house.has(flat("a"))                    # put right
    house.clock.now += DAY - 1
    house.has(flat("b"))
    house.clock.now += 1
    house.has(flat("c"))
    (row,) = found(house.settled(now=house.clock.now).rows, "excessive.pbx")
    assert [share.account for share in row.shares] == ["a", "b"]


def test_channels_that_become_known_are_told_of_a_cycle_that_could_not_be_judged(house: House) -> None:
    house.has(flat("t", TRUNK))
    house.called("t", 60 * 60)
    assert house.row("excessive.trunk").settled.value is None
    house.clock.now += 10 * DAY
    house.has(flat("t", TRUNK, 2))
    assert house.row("excessive.trunk").settled.value == 30
    house.has(flat("t", TRUNK, 3))
    assert house.row("excessive.trunk").settled.value == 30


def test_a_first_settlement_closes_the_register_for_its_cycle(house: House) -> None:
    house.has(flat("a"))
    house.called("a", 1500 * 60)
    before = house.settled(now=NOON + 1)
    house.clock.now = NOON + 2
    house.has(flat("b"))
    assert house.settled(now=NOON + 3) == before._replace(written=[], struck=[])


def test_a_change_of_plan_counts_from_the_cycle_in_which_it_is_made(house: House) -> None:
    house.clock.now = OCTOBER - 40 * DAY
    house.has(flat("a"), flat("b"))
    house.called("a", HOUR, start=OCTOBER - 30 * DAY)
    house.called("a", HOUR)
    house.clock.now = OCTOBER
    house.has(flat("a", plan="metered"))
    (september,) = [r for r in house.settled(cycle="2026-09").rows if r.rule.spec.id == "excessive.pbx"]
    assert [share.account for share in september.shares] == ["a", "b"]
    assert [share.account for share in house.row("excessive.pbx").shares] == ["b"]
