"""An average is known when its cycle is over: who is told of it then, and that nobody is told twice."""

from __future__ import annotations

from decimal import Decimal

import pytest

from enforcer.control.settled_notices import tell
from enforcer.control.settlement import Settlement, settlement
from enforcer.domain.account import Account, AccountType
from enforcer.domain.charge import Charge, Per
from enforcer.domain.measure import Measure, Scope
from enforcer.domain.mode import Mode, Modes
from enforcer.domain.notice import Audience, Notice, NoticeTerms, Stage, step
from enforcer.domain.numbers import NumberPlan
from enforcer.domain.policy import Pack, Policy
from enforcer.history import Revisions
from enforcer.ledger.memory import MemoryLedger
from enforcer.notices.templates import Templates
from enforcer.notices.text import Stationery
from tests.support.ledgers import DAY, Call
from tests.support.rules import NOON, rule

OCTOBER = NOON - 40 * DAY       # 2026-10-13 12:00:00 UTC
ACME = Account("acme", "acme-inc", AccountType.PBX)
STATIONERY = Stationery("lab", Templates(), "ops")
PACK = Pack("house", "1", "EUR", contact="0800 555 0100")


class Desk:
    """A customer whose average was over its limit in October, and in November if it goes on."""

    def __init__(self, notice: NoticeTerms | None = None) -> None:
        self.ledger = MemoryLedger(NumberPlan("US").classify, lambda: NOON)
        self.ledger.put_accounts([ACME])
        self.revisions = Revisions.fixed(Policy([
            rule("average_minutes", 10, measure=Measure(Scope.CUSTOMER), types=frozenset({AccountType.PBX}),
                 notice=notice, charge=Charge(Decimal("0.1"), Per.MINUTE), policy=PACK.label),
            rule("minutes", 1, policy=PACK.label),
        ], [PACK]))

    def talked(self, name: str, minutes: int, start: float = OCTOBER) -> None:
        self.ledger.absorb([Call(name, start=start).cdr(minutes * 60)])

    def settled(self, cycle: str = "2026-10", now: float = NOON) -> Settlement:
        return settlement(self.ledger, self.revisions, cycle, now)

    def told(self, mode: Mode, now: float = NOON) -> list[Notice]:
        return tell(self.ledger, self.settled().rows, STATIONERY, Modes((), mode), now)


@pytest.mark.parametrize(("mode", "on_notice", "audiences"), [
    (Mode.OFF, True, []),
    (Mode.MONITOR, True, [Audience.OPS]),
    (Mode.TAG, True, [Audience.CUSTOMER, Audience.OPS]),
    (Mode.BLOCK, False, [Audience.OPS]),        # a rule without notice acts without one
])
def test_who_is_told_of_an_average_follows_from_mode_and_rule(
    mode: Mode, on_notice: bool, audiences: list[Audience]
) -> None:
    desk = Desk(NoticeTerms() if on_notice else None)
    desk.talked("1", 11)
    assert [notice.audience for notice in desk.told(mode)] == audiences


def test_an_average_that_is_fine_is_nothing_to_tell() -> None:
    desk = Desk()
    desk.talked("1", 10)        # the other rule is breached, and was told of while the cycle ran
    assert desk.told(Mode.BLOCK) == []


def test_the_same_average_is_told_once() -> None:
    desk = Desk(NoticeTerms())
    desk.talked("1", 11)
    assert len(desk.told(Mode.TAG)) == 2
    assert desk.told(Mode.TAG, NOON + 1) == []
    desk.talked("2", 5)
    assert desk.told(Mode.TAG, NOON + 2) == []


def test_a_notice_of_an_average_names_the_cycle_the_numbers_and_whom_to_call() -> None:
    desk = Desk(NoticeTerms(7 * DAY))
    desk.talked("1", 11)
    customer, _ = desk.told(Mode.TAG)
    text = customer.facts["text"]
    for words in ("clause of average_minutes", "11", "10", "2026-10", "0800 555 0100", "7 days"):
        assert words in text
    assert (customer.cycle, customer.account, customer.grace) == ("2026-10", "", 7 * DAY)


def test_the_next_breach_costs_what_the_first_one_gave_notice_of() -> None:
    desk = Desk(NoticeTerms(7 * DAY))
    desk.talked("1", 11)
    customer, _ = desk.told(Mode.TAG, now=NOON - 20 * DAY)      # the 2nd of November
    desk.ledger.put([step(customer, Stage.DELIVERED, NOON - 19 * DAY)])
    assert desk.settled().notes == [
        "customer acme-inc, average_minutes: 1.10 EUR for the breach are not charged: "
        "its notice was not delivered before the cycle was over"
    ]
    desk.talked("2", 11, start=NOON)
    done = desk.settled("2026-11", NOON + 30 * DAY)
    assert [(row.charge, row.currency) for row in done.rows if row.rule.settled_only] == [
        (Decimal("1.1"), "EUR"),
    ]
