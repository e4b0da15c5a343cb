"""Who is registered, and by whose calendar each account and customer is billed.

In: accounts as people register them. Out: the account of an id, the cycle of an account or a customer.
Refuses to know: calls, and where the register is kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

from enforcer.domain.account import Account, unregistered
from enforcer.domain.cycle import BillingCycle
from enforcer.domain.measure import Scope


class Roll:
    """All registered accounts by id."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self._first_account: dict[str, Account] = {}    # of each customer: its cycle is the customer's

    def begin(self, accounts: Iterable[Account]) -> None:
        """These are registered, and no others."""
        self.accounts = {account.id: account for account in accounts}
        self._rank_customers()

    def enter(self, accounts: Iterable[Account]) -> None:
        """These are registered as well, or anew."""
        self.accounts.update((account.id, account) for account in accounts)
        self._rank_customers()

    def account(self, account_id: str) -> Account:
        """The registered account, or one made up for a caller nobody registered."""
        return self.accounts.get(account_id) or unregistered(account_id)

    def knows(self, key: str) -> bool:
        """Whether an account or a customer of this name is registered."""
        return key in self.accounts or key in self._first_account

    def cycle(self, scope: Scope, key: str) -> BillingCycle:
        """The calendar of an account, or of a customer: that of its first account by name."""
        if scope is Scope.ACCOUNT:
            account = self.account(key)
        else:
            account = self._first_account.get(key) or unregistered(key)
        return BillingCycle(account.anchor_day, account.timezone)

    def first(self, customer: str) -> str:
        """The id of the customer's first account by name; who is not registered is its own."""
        account = self._first_account.get(customer)
        return customer if account is None else account.id

    def _rank_customers(self) -> None:
        self._first_account = {}
        for account in sorted(self.accounts.values(), key=attrgetter("id")):
            self._first_account.setdefault(account.customer, account)
