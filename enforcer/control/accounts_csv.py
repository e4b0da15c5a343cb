"""Accounts as people write them: fields on a command line, or the rows of a CSV file.

In: text. Out: `Account`s, or BadInput that names the file and line, or the field; never half a file.
Refuses to know: which accounts are registered already.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

from enforcer.control.csv_rows import read_rows
from enforcer.domain.account import Account, AccountType
from enforcer.errors import BadInput
from enforcer.toml_models import meant, one_of

FIELDS = ("account", "customer", "type", "channels", "plan", "anchor_day", "timezone")
LONGEST_NAME = 80           # what a switch can tell us of an account (AST_MAX_ACCOUNT_CODE)
MOST_CHANNELS = 1_000_000


class _Bad(ValueError):
    """A field that cannot be used; its text names the field."""


def account_of(fields: Mapping[str, str], where: str = "") -> Account:
    """The account that these fields state; a field left empty has its default. Raises BadInput."""
    try:
        return _account({name: fields.get(name, "").strip() for name in FIELDS})
    except _Bad as problem:
        raise BadInput(where, str(problem)) from None


def read_accounts(path: Path) -> tuple[Account, ...]:
    """All accounts of a CSV file with the header `account,customer,type,channels,plan,anchor_day,timezone`.

    Columns may stand in any order. Raises BadInput for the first row that cannot be used.
    """
    accounts: dict[str, tuple[Account, int]] = {}
    for line, fields in read_rows(path, FIELDS):
        where = f"{path}:{line}"
        account = account_of(fields, where)
        if account.id in accounts:
            raise BadInput(where, f"account {account.id!r} is in line {accounts[account.id][1]} already")
        accounts[account.id] = account, line
    return tuple(account for account, _ in accounts.values())


def _account(fields: Mapping[str, str]) -> Account:
    name = _name("account", fields["account"])
    customer = _name("customer", fields["customer"])
    kinds = [kind.value for kind in AccountType]
    if fields["type"].lower() not in kinds:
        raise _Bad(f"type: {fields['type']!r} is not {one_of(kinds)}{meant(fields['type'].lower(), kinds)}")
    kind = AccountType(fields["type"].lower())
    channels = _whole("channels", fields["channels"] or "0", 0, MOST_CHANNELS)
    if kind is AccountType.TRUNK and not channels:
        raise _Bad("channels: a trunk has at least 1")
    timezone = fields["timezone"] or "UTC"
    try:
        ZoneInfo(timezone)
    except (ValueError, OSError, LookupError):
        raise _Bad(f"timezone: no such zone: {timezone!r} (an IANA name such as Europe/Berlin)") from None
    if not fields["plan"].isprintable():
        raise _Bad("plan: holds characters that cannot be printed")
    anchor = _whole("anchor_day", fields["anchor_day"] or "1", 1, 31)
    return Account(name, customer, kind, channels, fields["plan"], anchor, timezone)


def _name(field: str, text: str) -> str:
    if not text:
        raise _Bad(f"{field}: must not be empty")
    if not text.isprintable():
        raise _Bad(f"{field}: holds characters that cannot be printed")
    if len(text) > LONGEST_NAME:
        raise _Bad(f"{field}: has {len(text)} characters, {LONGEST_NAME} at most")
    return text


def _whole(field: str, text: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 9 or not least <= int(text) <= most:
        raise _Bad(f"{field}: {text!r} is no whole number from {least} to {most}")
    return int(text)
