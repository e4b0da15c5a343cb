"""The books' own manners, which no port shows: what they forget, and what they must not."""

from __future__ import annotations

import pytest

from enforcer.domain.account import Account
from enforcer.domain.cycle import BillingCycle
from enforcer.domain.measure import Scope
from enforcer.domain.usage import Tally
from enforcer.ledger import desks
from enforcer.ledger.books import CLOCKS_DIFFER, Books
from tests.support.ledgers import DAY, POLICY, Call, Clock, classify
from tests.support.rules import NOON


def opened(clock: Clock, *accounts: Account) -> Books:
    """Books that begin with nothing, of nothing forgotten."""
    found = Books(classify, lambda call_id: None, clock, lambda *_: Tally())
    found.begin(POLICY, accounts, float("-inf"))
    return found


def used(found: Books, account: str, at: float) -> int:
    """How many calls an account's pacer remembers."""
    (seat,) = [seat for seat in found.seats(account, at) if seat.rule.spec.id == "cps"]
    return seat.pacing().used(at)


def take(found: Books, account: str, at: float) -> None:
    """A call of the account goes on."""
    (seat,) = [seat for seat in found.seats(account, at) if seat.rule.spec.id == "cps"]
    seat.pacing().take(at)


def test_an_account_whose_pacer_is_busy_keeps_its_seat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desks, "MOST_DESKS", 2)
    clock = Clock()
    found = opened(clock)
    take(found, "busy", NOON)
    for n in range(20):
        found.seats(f"a{n}", NOON)
    assert used(found, "busy", NOON) == 1


def test_an_idle_account_gives_up_its_seat_and_finds_its_numbers_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(desks, "MOST_DESKS", 2)
    clock = Clock()
    found = opened(clock)
    found.apply(Call(account="idle").started())
    before = found.seats("idle", NOON)
    clock.now += 3600
    for n in range(20):
        found.seats(f"a{n}", clock.now)
    after = found.seats("idle", clock.now)
    assert after is not before
    assert after[0].tally is before[0].tally
    assert after[0].tally.attempts == 1


def test_a_customer_has_the_calendar_of_its_first_account_by_name() -> None:
    found = opened(Clock(), Account("b", "big", anchor_day=2), Account("a", "big", timezone="Asia/Tokyo"))
    assert found.cycle(Scope.CUSTOMER, "big") == BillingCycle(1, "Asia/Tokyo")
    assert found.cycle(Scope.ACCOUNT, "b") == BillingCycle(2)
    assert found.cycle(Scope.CUSTOMER, "unknown") == BillingCycle()


@pytest.mark.parametrize(("ahead", "closes"), [(CLOCKS_DIFFER, True), (CLOCKS_DIFFER + 1, False)])
def test_a_cycle_closes_early_only_within_what_clocks_may_differ(ahead: float, closes: bool) -> None:
    end = BillingCycle().at(NOON).end
    found = opened(Clock(end - ahead))
    found.apply(Call(start=end - DAY).started())
    found.seats("acme", end)
    (span,) = found.book(Scope.ACCOUNT, "acme").spans
    assert (span.start == end) is closes
