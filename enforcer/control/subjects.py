"""Whom something is put on record about: one account, or a customer as a whole; and when.

In: what a person typed. Out: a customer and perhaps an account that there are, an instant, or BadInput that
says what was meant.
Refuses to know: what is put on record.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from enforcer.control.commands import known_account
from enforcer.domain.account import Account
from enforcer.errors import BadInput
from enforcer.ledger.port import Ledger
from enforcer.toml_models import meant


class Subject(NamedTuple):
    """A customer, or one of its accounts; `account` is "" for the customer as a whole."""

    customer: str
    account: str
    timezone: str

    @property
    def words(self) -> str:
        """For people."""
        return f"account {self.account}" if self.account else f"customer {self.customer}"


class Subjects:
    """Everybody there is. Asked many times for an import, so what was found once is remembered."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._registered = {account.id: account for account in ledger.accounts()}
        self._first: dict[str, Account] = {}
        for account in self._registered.values():           # by id
            self._first.setdefault(account.customer, account)
        self._customers = {*self._first, *(customer.id for customer in ledger.customers())}
        self._found: dict[tuple[str, str], Subject] = {}

    def find(self, account: str, customer: str, where: str) -> Subject:
        """The account, or the customer where no account is named. With both, they must belong together.
        Raises BadInput."""
        place = account, customer
        if place not in self._found:
            self._found[place] = self._find(account, customer, where)
        return self._found[place]

    def _find(self, account: str, customer: str, where: str) -> Subject:
        if not account and not customer:
            raise BadInput(where, "name an account or a customer")
        if not account:
            return self._customer(customer, where)
        try:
            found = self._registered.get(account) or known_account(self._ledger, account)
        except BadInput as error:
            raise BadInput(where, error.problem) from None
        if customer and found.customer != customer:
            raise BadInput(where, f"account {account!r} belongs to customer {found.customer!r}, "
                                  f"not to {customer!r}")
        return Subject(found.customer, found.id, found.timezone)

    def _customer(self, customer: str, where: str) -> Subject:
        first = self._first.get(customer)
        if first is not None:
            return Subject(customer, "", first.timezone)
        called = customer in self._customers or any(self._ledger.calls(customer=customer))
        if not called:
            hint = meant(customer, self._customers) or " (no account is registered for it)"
            raise BadInput(where, f"no such customer: {customer!r}{hint}")
        return Subject(customer, "", "UTC")


def instant(text: str, timezone: str, where: str, now: float) -> float:
    """A date ("2026-10-05": its first moment in that zone), or a date and time, which may carry an offset.
    Raises BadInput for anything else, and for what has not come yet.

    >>> instant("2026-10-05", "Europe/Berlin", "--at", 2e9)
    1791151200.0
    """
    try:
        at = datetime.fromisoformat(text.strip())
        if at.tzinfo is None:
            at = at.replace(tzinfo=ZoneInfo(timezone))
        seconds = at.timestamp()
    except (ValueError, OverflowError):
        raise BadInput(where, f"{text!r} is no date such as 2026-10-05, or 2026-10-05 14:30") from None
    if seconds > now:
        raise BadInput(where, f"{text!r} has not come yet")
    return seconds
