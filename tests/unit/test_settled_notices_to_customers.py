"""A breach that only a cycle's close shows is told once, and charged for only while that notice holds."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from enforcer.control.rows import Row, told, why_held
from enforcer.control.settled_notices import tell
from enforcer.domain.account import Account, AccountType, Customer, Standing
from enforcer.domain.charge import Charge, Per
from enforcer.domain.cycle import BillingCycle
from enforcer.domain.mode import Mode, Modes, ModeSetting
from enforcer.domain.notice import Audience, Notice, Stage, step
from enforcer.domain.settle import Settled
from enforcer.ledger.memory import MemoryLedger
from enforcer.notices.templates import Templates
from enforcer.notices.text import Stationery
from tests.support.ledgers import Clock, classify
from tests.support.notices import DAY, WEEK
from tests.support.rules import rule

AVERAGE = rule(
    "average_minutes", 1000, notice=WEEK, types=frozenset({AccountType.PBX}), text="At most 1000 minutes.",
    charge=Charge(Decimal("0.01"), Per.MINUTE),
)
OCTOBER = BillingCycle(1, "America/New_York").named("2026-10")
SOON = OCTOBER.end + 7200


def row(breached: bool = True, cycle: str = "2026-10", customer: str = "big") -> Row:
    span = BillingCycle(1, "America/New_York").named(cycle)
    settled = Settled(
        Fraction(1500), Fraction(1000), breached, 90, 80, 0, 1500 * 60_000, Fraction(1500), Decimal(15)
    )
    return Row(customer, "", AccountType.PBX, AVERAGE, cycle, span, settled)


@pytest.fixture
def ledger() -> MemoryLedger:
    ledger = MemoryLedger(classify, Clock(SOON))
    ledger.put_accounts([Account("acme", "big", AccountType.PBX, timezone="America/New_York")])
    ledger.put_customers([Customer("big", "Big Inc")])
    return ledger


def give(ledger: MemoryLedger, *rows: Row, mode: Mode = Mode.TAG, at: float = SOON) -> list[Notice]:
    paper = Stationery("lab", Templates(), "Anna")
    given = tell(ledger, rows, paper, Modes([ModeSetting(mode)]), at)
    return [notice for notice in given if notice.audience is Audience.CUSTOMER]


def test_an_average_in_breach_is_told_with_its_numbers_and_its_price(ledger: MemoryLedger) -> None:
    (notice,) = give(ledger, row())
    assert notice in ledger.registers.notices.pending()
    assert (notice.customer, notice.account, notice.cycle, notice.grace) == ("big", "", "2026-10", WEEK.grace)
    for words in (
        "Dear Big Inc,", "customer big", "At most 1000 minutes.", "Average minutes: 1500. The limit is 1000.",
        "from 2026-10-01 00:00 EDT to 2026-11-01 00:00 EDT",
        "You have 7 days to change your use before anything is charged.", "costs 0.01 USD for each minute",
    ):
        assert words in notice.facts["text"], words


def test_it_is_told_once_however_often_the_cycle_is_settled(ledger: MemoryLedger) -> None:
    assert len(give(ledger, row())) == 1
    assert give(ledger, row(), at=SOON + DAY) == []
    assert len(ledger.registers.notices.all()) == 2     # one of them to ops


def test_the_next_cycle_in_breach_is_charged_for_once_the_notice_was_delivered(ledger: MemoryLedger) -> None:
    (notice,) = give(ledger, row())
    held = why_held(row(), told(ledger.registers.notices))
    assert held == "its notice was not delivered before the cycle was over"
    ledger.put([step(notice, Stage.DELIVERED, SOON + 60)])
    assert why_held(row(cycle="2026-11"), told(ledger.registers.notices)) == ""


@pytest.mark.parametrize(("mode", "notices"), [
    (Mode.OFF, 0), (Mode.MONITOR, 0), (Mode.TAG, 1), (Mode.BLOCK, 1),
])
def test_a_customer_is_told_from_mode_tag_up(ledger: MemoryLedger, mode: Mode, notices: int) -> None:
    assert len(give(ledger, row(), mode=mode)) == notices


def test_nobody_is_told_of_what_is_fine_or_of_long_ago_or_gone(ledger: MemoryLedger) -> None:
    assert give(ledger, row(breached=False)) == []
    assert give(ledger, row(cycle="2026-08")) == []
    ledger.put_accounts([Account("acme", "big", AccountType.PBX, standing=Standing.TERMINATED)])
    assert give(ledger, row()) == []


def test_a_customer_without_any_account_on_file_is_told_as_well(ledger: MemoryLedger) -> None:
    assert [notice.customer for notice in give(ledger, row(customer="gone"))] == ["gone"]
