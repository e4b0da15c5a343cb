"""Who places calls: one hosted account, and the customer who answers for it.

In: what operators entered or imported. Out: values. Refuses to know: where they are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class AccountType(StrEnum):
    """The three kinds of hosted account that the policies distinguish."""

    PBX = "pbx"
    RESIDENTIAL = "residential"
    TRUNK = "trunk"


class Standing(StrEnum):
    """Whether people, not rules, let the account call."""

    ACTIVE = "active"
    SUSPENDED = "suspended"         # may not call out; a person can resume it
    TERMINATED = "terminated"       # neither calls nor is called; emergency calls excepted


@dataclass(frozen=True, slots=True)
class Account:
    """One hosted account. `channels` counts for trunks only; `anchor_day` is the day of the
    month (1-31) on which its billing cycle begins in its own IANA `timezone`.

    `type` is None for an account that calls without ever having been registered.
    """

    id: str
    customer: str
    type: AccountType | None = None
    channels: int = 0
    plan: str = ""
    anchor_day: int = 1
    timezone: str = "UTC"
    standing: Standing = Standing.ACTIVE
    standing_reason: str = ""


def unregistered(account_id: str) -> Account:
    """The account of a caller nobody registered: its own customer, no type, calendar month UTC."""
    return Account(account_id, customer=account_id)


@dataclass(frozen=True, slots=True)
class Customer:
    """What is known of a customer besides its accounts. `contacts` are where notices go: addresses as Apprise
    writes them ("mailto://...", "https://..."), or plain e-mail addresses."""

    id: str
    name: str = ""
    contacts: tuple[str, ...] = ()
