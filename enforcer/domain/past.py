"""Accounts as they were registered at any moment: what is registered later changes no cycle that is over.

In: every account as it was entered, and when. Out: accounts at a moment, and the cycles that they, and their
customers, really had. Refuses to know: the journal that remembers it, and what is settled.

What was entered first on the day the register began counts from the beginning, until its customer is settled:
that is how calls of before enforcer was set up find their accounts. Everything else counts from when it was
entered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from enforcer.domain.account import Account, unregistered
from enforcer.domain.calendars import ALWAYS, Calendars
from enforcer.domain.cycle import BillingCycle

SET_UP = 86_400.0       # seconds from the first entry of all on


class State(NamedTuple):
    """An account as it was registered since then (Unix seconds)."""

    since: float
    account: Account


class Past:
    """See the module. `entered` are accounts in the order of their entries; `called_before` tells whether an
    account called before a moment: then it had the cycles of an account that nobody registered. `settled`
    says when each customer was settled first."""

    def __init__(
        self, entered: Iterable[tuple[float, Account]],
        called_before: Callable[[str, float], bool] = lambda _account, _at: False,
        settled: Mapping[str, float] | None = None,
    ) -> None:
        self._called_before = called_before
        self._states: dict[str, list[State]] = {}
        self._calendars: dict[str, Calendars] = {}
        closed = settled or {}
        began = float("inf")
        for at, account in entered:
            began = min(began, at)
            states = self._states.setdefault(account.id, [])
            if not states:
                first_day = at <= min(began + SET_UP, closed.get(account.customer, at))
                states.append(State(ALWAYS if first_day else at, account))
            elif account != states[-1].account:
                states.append(State(max(at, states[-1].since), account))
        self._customers = self._customer_calendars()

    @property
    def accounts(self) -> list[str]:
        """All accounts that were ever registered."""
        return sorted(self._states)

    @property
    def customers(self) -> list[str]:
        """All customers that ever had an account."""
        return sorted(self._customers)

    def account(self, account_id: str, before: float) -> Account | None:
        """The account as it was registered just before a moment; None where it was not."""
        found = None
        for state in self._states.get(account_id, ()):
            if state.since < before:
                found = state.account
        return found

    def of_customer(self, account_id: str, customer: str, before: float) -> Account:
        """The account as it was when it was last this customer's, before a moment."""
        found = unregistered(account_id)
        for state in self._states.get(account_id, ()):
            if state.since < before and state.account.customer == customer:
                found = state.account
        return found

    def accounts_of(self, customer: str) -> list[str]:
        """The accounts that were ever this customer's."""
        return sorted(self._whose.get(customer, ()))

    def left(self, customer: str) -> bool:
        """Whether any account went from this customer to another one."""
        return customer in self._left

    def calendars(self, account_id: str) -> Calendars:
        """The cycles of an account."""
        found = self._calendars.get(account_id)
        if found is None:
            changes = [(state.since, _calendar(state.account)) for state in self._states.get(account_id, ())]
            if not changes:
                changes = [(ALWAYS, BillingCycle())]
            elif changes[0][0] > ALWAYS and changes[0][1] != BillingCycle() and self._called_before(
                account_id, changes[0][0]
            ):
                changes.insert(0, (ALWAYS, BillingCycle()))
            found = self._calendars[account_id] = Calendars(changes)
        return found

    def customer_calendars(self, customer: str) -> Calendars:
        """The cycles of a customer: those of its first account by name."""
        return self._customers.get(customer) or Calendars([(ALWAYS, BillingCycle())])

    def _customer_calendars(self) -> dict[str, Calendars]:
        """Everything that was entered, once more in the order of time."""
        self._left: set[str] = set()
        self._whose: dict[str, set[str]] = {}
        steps = sorted(
            (state.since, account_id, nth)
            for account_id, states in self._states.items() for nth, state in enumerate(states)
        )
        members: dict[str, dict[str, Account]] = {}
        changes: dict[str, list[tuple[float, BillingCycle]]] = {}
        touched: set[str] = set()
        for place, (since, account_id, nth) in enumerate(steps):
            account = self._states[account_id][nth].account
            if nth:
                before = self._states[account_id][nth - 1].account.customer
                members[before].pop(account_id, None)
                touched.add(before)
                if before != account.customer:
                    self._left.add(before)
            members.setdefault(account.customer, {})[account_id] = account
            self._whose.setdefault(account.customer, set()).add(account_id)
            touched.add(account.customer)
            if place + 1 < len(steps) and steps[place + 1][0] == since:
                continue
            for customer in touched:
                if members[customer]:
                    first = members[customer][min(members[customer])]
                    changes.setdefault(customer, []).append((since, _calendar(first)))
            touched.clear()
        return {customer: Calendars(some) for customer, some in changes.items()}


def _calendar(account: Account) -> BillingCycle:
    return BillingCycle(account.anchor_day, account.timezone)
