"""Cycles that close while the enforcer runs: when they are settled, and which customers are due."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from enforcer.closing import Closing, Facts
from enforcer.control.due import Done, due, labels, settle_due
from enforcer.control.settlement import settlement
from enforcer.domain.account import Account, AccountType
from enforcer.domain.charge import Charge, Per
from enforcer.domain.measure import Measure, Scope
from enforcer.domain.numbers import NumberPlan
from enforcer.domain.policy import Policy
from enforcer.errors import LedgerError
from enforcer.history import Revisions
from enforcer.ledger.memory import MemoryLedger
from tests.support.ledgers import DAY, Call
from tests.support.rules import NOON, rule

OCTOBER = NOON - 40 * DAY       # 2026-10-13 12:00:00 UTC
NOVEMBER = 1_793_491_200.0      # 2026-11-01 00:00:00 UTC
ACME = Account("acme", "acme-inc", AccountType.PBX)
LATE = Account("late", "late-inc", AccountType.PBX, anchor_day=15)
POLICY = Revisions.fixed(Policy([
    rule("asr", 4, measure=Measure(Scope.CUSTOMER), strike=True,
         charge=Charge(Decimal("0.005"), Per.ATTEMPT)),
]))


class Log:
    """Lines, as telemetry would get them."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, object]]] = []

    def note(self, what: str, **about: object) -> None:
        self.lines.append((what, about))

    fault = note


class Desk:
    """Somebody who settles, and counts how often he is asked."""

    def __init__(self, *outcomes: Facts | LedgerError) -> None:
        self.log = Log()
        self.now = NOVEMBER
        self.asked = 0
        self.accounts = [ACME]
        self._outcomes = list(outcomes)
        self.closing = Closing(DAY, lambda: self.accounts, self._settle, self.log, lambda: self.now)

    async def _settle(self) -> Facts:
        self.asked += 1
        outcome: Facts | LedgerError = self._outcomes.pop(0) if self._outcomes else []
        if isinstance(outcome, LedgerError):
            raise outcome
        return outcome

    async def looks(self, now: float) -> int:
        self.now = now
        await self.closing.look()
        return self.asked


def facts(**more: Any) -> dict[str, Any]:
    return {"cycle": "2026-10", "charges": False, "strikes": 1} | more


async def test_a_cycle_is_settled_a_day_after_it_closed_and_once() -> None:
    desk = Desk()
    assert await desk.looks(NOVEMBER - 1) == 1      # the first look settles what closed while nobody ran
    assert await desk.looks(NOVEMBER + DAY - 1) == 1
    assert await desk.looks(NOVEMBER + DAY) == 2
    assert await desk.looks(NOVEMBER + 2 * DAY) == 2


async def test_each_anchor_has_a_close_of_its_own() -> None:
    desk = Desk()
    desk.accounts = [ACME, LATE]
    await desk.looks(NOVEMBER + DAY)
    assert await desk.looks(NOVEMBER + 15 * DAY - 1) == 1
    assert await desk.looks(NOVEMBER + 15 * DAY) == 2


async def test_what_failed_is_tried_again_at_the_next_look() -> None:
    desk = Desk(LedgerError("disk full"), [facts()])
    assert await desk.looks(NOVEMBER + DAY) == 1
    assert desk.log.lines == [("cycles not settled", {"problem": "disk full"})]
    assert await desk.looks(NOVEMBER + DAY + 1) == 2
    assert await desk.looks(NOVEMBER + DAY + 2) == 2


async def test_the_log_tells_a_cycle_that_is_ready_from_one_that_is_settled() -> None:
    desk = Desk([facts(), facts(cycle="2026-09", charges=True)])
    await desk.looks(NOVEMBER + DAY)
    assert desk.log.lines == [
        ("cycle ready to settle", facts()), ("cycle settled", facts(cycle="2026-09", charges=True)),
    ]


@pytest.fixture
def ledger() -> MemoryLedger:
    found = MemoryLedger(NumberPlan("US").classify, lambda: NOON)
    found.put_accounts([ACME, LATE, replace(ACME, id="idle", customer="idle-inc")])
    for nth in range(3):
        found.absorb([Call(f"a{nth}", "acme", start=OCTOBER + nth).cdr(0)])
        found.absorb([Call(f"l{nth}", "late", start=OCTOBER + 10 * DAY + nth).cdr(0)])
    return found


def settled(ledger: MemoryLedger, now: float, charging: bool = False) -> list[Done]:
    return list(settle_due(ledger, POLICY, now, DAY, charging))


def test_customers_are_due_once_their_own_cycle_is_over_and_only_those_who_called(
    ledger: MemoryLedger
) -> None:
    assert labels(NOON) == ["2026-08", "2026-09", "2026-10", "2026-11"]
    assert due(ledger, "2026-10", NOVEMBER - 1, False) == []
    assert due(ledger, "2026-10", NOVEMBER, False) == ["acme-inc"]
    assert due(ledger, "2026-10", NOON, False) == ["acme-inc", "late-inc"]
    assert due(ledger, "2026-09", NOON, False) == []


def test_without_charges_strikes_are_entered_and_no_money_moves(ledger: MemoryLedger) -> None:
    (done,) = settled(ledger, NOVEMBER + DAY)
    assert done.facts() == {
        "cycle": "2026-10", "customers": 1, "charges": False, "breaches": 1, "owed": 1, "entries": 0,
        "strikes": 1,
    }
    assert ledger.charges() == []
    assert [strike.customer for strike in ledger.registers.strikes.all()] == ["acme-inc"]
    assert settled(ledger, NOVEMBER + 2 * DAY) == []
    (late,) = settled(ledger, NOON)
    assert late.customers == ["late-inc"]


def test_with_charges_a_cycle_is_settled_once_more_and_then_never_again(ledger: MemoryLedger) -> None:
    settled(ledger, NOON)
    (done,) = settled(ledger, NOON, charging=True)
    assert [(entry.customer, entry.amount) for entry in done.outcome.written] == [
        ("acme-inc", Decimal("0.015")), ("late-inc", Decimal("0.015")),
    ]
    assert done.outcome.struck == []
    assert settled(ledger, NOON, charging=True) == settled(ledger, NOON) == []


def test_what_a_person_settled_is_not_due(ledger: MemoryLedger) -> None:
    settlement(ledger, POLICY, "2026-10", NOON)
    assert settled(ledger, NOON, charging=True) == settled(ledger, NOON) == []
