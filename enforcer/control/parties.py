"""Who is settled: each customer with its accounts as they were registered when its cycle ended.

In: a ledger, the name of a cycle. Out: parties, each with the stretches of time that the name stands for.
Refuses to know: rules, and what anything comes to.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from enforcer.control.report import named_cycle
from enforcer.control.words import local
from enforcer.domain.account import Account, unregistered
from enforcer.domain.calendars import Calendars
from enforcer.domain.cycle import BillingCycle, Span
from enforcer.domain.past import Past
from enforcer.errors import BadInput
from enforcer.ledger.port import Ledger
from enforcer.toml_models import meant


class Stretch(NamedTuple):
    """A cycle, the local date (ISO) on which it begins, and the zone in which it ends."""

    span: Span
    day: str
    zone: str


def stretch(calendars: Calendars, cycle: str) -> Stretch | None:
    """The cycle of that name; None where a change of the calendar left none."""
    span = calendars.named(cycle)
    if span is None:
        return None
    begun = datetime.fromtimestamp(span.start, ZoneInfo(calendars.timezone(span.start)))
    return Stretch(span, begun.date().isoformat(), calendars.timezone(span.end))


@dataclass(frozen=True, slots=True)
class Party:
    """A customer, its cycle, and its accounts.

    `members` are registered as its own when the customer's cycle ends, or are nobody's and called in it;
    `former` were its own when they called. `accounts` are those whose own cycle, which may be another one,
    ends while they are the customer's.
    """

    customer: str
    cycle: Stretch | None       # None where a change of the calendar left no cycle of that name
    members: tuple[Account, ...]
    former: tuple[Account, ...]
    accounts: tuple[tuple[Account, Stretch], ...]

    def still_open(self, cycle: str, now: float) -> str:
        """That the cycle is not over for the customer and all its accounts; "" where it is."""
        cycles = [one for _, one in self.accounts]
        if self.cycle is not None:
            cycles.insert(0, self.cycle)
        last = max(cycles, key=lambda one: one.span.end, default=None)
        if last is None or last.span.end <= now:
            return ""
        return f"{cycle} of customer {self.customer} is not over before {local(last.span.end, last.zone)}"


class Gathering:
    """All parties of a cycle."""

    def __init__(self, ledger: Ledger, past: Past, cycle: str) -> None:
        self._ledger = ledger
        self._past = past
        self._cycle = cycle
        self._callers: dict[Span, list[tuple[str, str]]] = {}
        named_cycle(BillingCycle(), cycle)      # says what is wrong with a name that no cycle has
        self._members: dict[str, list[Account]] = {}
        self._accounts: dict[str, list[tuple[Account, Stretch]]] = {}
        self._counted: set[str] = set()
        self._gather()

    def called(self, party: Party) -> bool:
        """Whether any call of the cycle was counted for the customer, or placed by an account of its own."""
        accounts = {account.id for account, _ in party.accounts}
        spans = {one.span for _, one in party.accounts} | ({party.cycle.span} if party.cycle else set())
        return any(
            whose == party.customer or account in accounts
            for span in spans for account, whose in self._who_called(span)
        )

    def parties(self, only: Collection[str] = ()) -> list[Party]:
        """Customers with an account, and those whom calls of the cycle were counted for; by name. Raises
        BadInput for one that there is not."""
        found = {*self._members, *self._accounts, *self._counted}
        for customer in only:
            if customer not in found and customer not in self._past.customers:
                there = sorted({*found, *self._past.customers})
                raise BadInput("--customer", f"no such customer: {customer!r}{meant(customer, there)}")
        return [self._party(one) for one in sorted(found) if not only or one in only]

    def _party(self, customer: str) -> Party:
        cycle = self._cycle_of(customer)
        members = sorted(self._members.get(customer, ()), key=lambda one: one.id)
        former: Iterable[Account] = ()
        if cycle is not None and (not members or self._past.left(customer)):
            there = {account.id for account in members}
            former = (
                self._past.of_customer(account_id, customer, cycle.span.end)
                for account_id, whose in self._who_called(cycle.span)
                if whose == customer and account_id not in there
            )
        accounts = sorted(self._accounts.get(customer, ()), key=lambda one: one[0].id)
        return Party(customer, cycle, tuple(members), tuple(former), tuple(accounts))

    def _gather(self) -> None:
        past = self._past
        strangers: dict[str, Stretch] = {}      # registered since, but not when their cycle ended
        for account_id in past.accounts:
            cycle = stretch(past.calendars(account_id), self._cycle)
            if cycle is None:
                continue
            account = past.account(account_id, cycle.span.end)
            if account is None:
                strangers[account_id] = cycle
            else:
                self._accounts.setdefault(account.customer, []).append((account, cycle))
        for customer in past.customers:
            cycle = self._cycle_of(customer)
            for account_id in past.accounts_of(customer) if cycle is not None else ():
                assert cycle is not None
                account = past.account(account_id, cycle.span.end)
                if account is not None and account.customer == customer:
                    self._members.setdefault(customer, []).append(account)
            if cycle is not None and customer not in self._members and past.left(customer):
                self._counted |= {whose for _, whose in self._who_called(cycle.span) if whose == customer}
        self._take_strangers(strangers)

    def _take_strangers(self, strangers: dict[str, Stretch]) -> None:
        """Accounts that nobody had registered when their cycle ended are their own customers'."""
        usual = stretch(Calendars([(0.0, BillingCycle())]), self._cycle)
        assert usual is not None
        registered = set(self._past.accounts)
        for cycle in {usual, *strangers.values()}:
            for account_id, customer in self._who_called(cycle.span):
                if cycle == usual:
                    self._counted.add(customer)
                if strangers.get(account_id, usual) == cycle and (
                    account_id in strangers or account_id not in registered
                ):
                    account = replace(unregistered(account_id), customer=customer)
                    self._accounts.setdefault(customer, []).append((account, cycle))
                    self._members.setdefault(customer, []).append(account)

    def _cycle_of(self, customer: str) -> Stretch | None:
        return stretch(self._past.customer_calendars(customer), self._cycle)

    def _who_called(self, span: Span) -> list[tuple[str, str]]:
        if span not in self._callers:
            self._callers[span] = self._ledger.callers(span)
        return self._callers[span]
