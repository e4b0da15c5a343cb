"""Accounts as they were registered at any moment: what is registered later changes no cycle that is over.

In: every account as it was entered, and when. Out: accounts at a moment, and the cycles that they, and their
customers, really had. Refuses to know: the journal that remembers it, and what is settled.

What is entered, and put right, on the day the register began counts from the beginning, until the customer is
settled: that is how calls of before enforcer was set up find their accounts. Everything else counts from when
it was entered; but for the channels of a trunk that were not known before, for there is nothing they change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import NamedTuple

from enforcer.domain.account import Account, AccountType, unregistered
from enforcer.domain.calendars import ALWAYS, Calendars
from enforcer.domain.cycle import BillingCycle

SET_UP = 86_400.0       # seconds from the first entry of all on


class State(NamedTuple):
    """An account as it was registered since then (Unix seconds)."""

    since: float
    account: Account


class Settled(NamedTuple):
    """A cycle of this customer was settled: from here on its past stands."""

    customer: str


class Past:
    """See the module. `entered` is what was entered and settled, in its order, and when (Unix seconds);
    `called_before` tells whether an account called before a moment: then it had the cycles of an account that
    nobody registered."""

    def __init__(
        self, entered: Iterable[tuple[float, Account | Settled]],
        called_before: Callable[[str, float], bool] = lambda _account, _at: False,
    ) -> None:
        self._called_before = called_before
        self._states: dict[str, list[State]] = {}
        self._calendars: dict[str, Calendars] = {}
        closed: set[str] = set()
        began = float("inf")
        for at, one in entered:
            if isinstance(one, Settled):
                closed.add(one.customer)
                continue
            began = min(began, at)
            states = self._states.setdefault(one.id, [])
            last = states[-1] if states else None
            if at < began + SET_UP and one.customer not in closed and (
                last is None or (last.since == ALWAYS and last.account.customer not in closed)
            ):
                states[:] = [State(ALWAYS, one)]
            elif last is None or one != last.account:
                states.append(State(at if last is None else max(at, last.since), one))
        for states in self._states.values():
            _fill_in(states)
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


def _fill_in(states: list[State]) -> None:
    """Channels of a trunk that became known later were the same before."""
    for nth in range(len(states) - 2, -1, -1):
        account, then = states[nth].account, states[nth + 1].account
        if account.type is then.type is AccountType.TRUNK and not account.channels:
            states[nth] = states[nth]._replace(account=replace(account, channels=then.channels))
