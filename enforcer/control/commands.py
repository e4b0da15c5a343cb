"""What people order, parsed once: typed commands, and what each does to the ledger.

In: a command, a ledger, the time. Out: one line that says what was done, or BadInput and nothing done.
Refuses to know: by which door the command came, and how its answer is shown.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from enforcer.control.standing import closed_by
from enforcer.domain.account import Account, Standing
from enforcer.domain.mode import Mode, ModeSetting
from enforcer.errors import BadInput
from enforcer.ledger.port import Ledger
from enforcer.toml_models import meant, one_of


@dataclass(frozen=True, slots=True)
class SetMode:
    """Set a mode for an account, a rule, a switch, any of them together, or (none of them) the site.

    `seconds` until it ends by itself, None never.
    """

    mode: Mode
    account: str = ""
    rule: str = ""
    switch: str = ""
    ceiling: bool = False
    seconds: float | None = None
    who: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class AddAccount:
    """Register an account that is not there yet."""

    account: Account


@dataclass(frozen=True, slots=True)
class ChangeAccount:
    """Register an account anew; its standing stays what it is."""

    account: Account


@dataclass(frozen=True, slots=True)
class ImportAccounts:
    """Register many accounts, all or none; those known already are changed and keep their standing."""

    accounts: tuple[Account, ...]


@dataclass(frozen=True, slots=True)
class SetStanding:
    """Suspend, resume or terminate an account, at once. To resume one withdraws what was announced."""

    account: str
    standing: Standing
    who: str = ""
    why: str = ""


Command = SetMode | AddAccount | ChangeAccount | ImportAccounts | SetStanding


@dataclass(frozen=True, slots=True)
class Known:
    """What a command may speak of, besides accounts."""

    rules: Collection[str] = ()
    switches: Collection[str] = ()


def act(command: Command, ledger: Ledger, known: Known, at: float) -> str:
    """Carry out a command at `at` (Unix seconds). Durable when it returns. Raises BadInput, LedgerError."""
    match command:
        case SetMode():
            return _put_mode(command, ledger, known, at)
        case AddAccount(account):
            if account.id in _registered(ledger):
                raise BadInput("", f"account {account.id!r} is registered already: see `account set`")
            ledger.put_accounts([account])
            return f"account {account.id} added"
        case ChangeAccount(account):
            before = registered(ledger, account.id)
            ledger.put_accounts([_standing_as(before, account)])
            return f"account {account.id} changed"
        case ImportAccounts(accounts):
            return _import(accounts, ledger)
        case SetStanding():
            return _set_standing(command, ledger, at)


def registered(ledger: Ledger, account_id: str) -> Account:
    """The registered account of that id. Raises BadInput."""
    accounts = _registered(ledger)
    if account_id not in accounts:
        hint = meant(account_id, accounts) or "; add it first"
        raise BadInput("", f"no such account: {account_id!r}{hint}")
    return accounts[account_id]


def known_account(ledger: Ledger, account_id: str) -> Account:
    """The account of that id, registered or not, as long as it ever called. Raises BadInput."""
    accounts = _registered(ledger)
    if account_id in accounts:
        return accounts[account_id]
    if next(iter(ledger.calls(account_id)), None) is None:
        hint = meant(account_id, accounts) or " (neither registered nor seen in any call)"
        raise BadInput("", f"no such account: {account_id!r}{hint}")
    return ledger.account(account_id)


def _registered(ledger: Ledger) -> dict[str, Account]:
    return {account.id: account for account in ledger.accounts()}


def _put_mode(command: SetMode, ledger: Ledger, known: Known, at: float) -> str:
    if command.account:
        known_account(ledger, command.account)
    if command.rule and command.rule not in known.rules:
        raise BadInput("--rule", unknown("rule", command.rule, known.rules))
    if command.switch and command.switch not in known.switches:
        raise BadInput("--switch", unknown("switch", command.switch, known.switches))
    setting = ModeSetting(
        command.mode, command.account, command.rule, command.switch, command.ceiling, command.who, at,
        command.why, None if command.seconds is None else at + command.seconds,
    )
    ledger.put_mode(setting)
    return f"{setting.subject}: {setting.mode.word}"


def unknown(noun: str, word: str, known: Collection[str]) -> str:
    """That there is nothing of this name, what there is, and what may have been meant."""
    there = f"there is {one_of(sorted(known))}" if known else "there is none"
    return f"no such {noun}: {word!r} ({there}){meant(word, known)}"


def _import(accounts: tuple[Account, ...], ledger: Ledger) -> str:
    known = _registered(ledger)
    ledger.put_accounts([_standing_as(known[a.id], a) if a.id in known else a for a in accounts])
    new = sum(1 for account in accounts if account.id not in known)
    return f"{len(accounts)} accounts imported: {new} new, {len(accounts) - new} known before"


def _standing_as(before: Account, account: Account) -> Account:
    return replace(account, standing=before.standing, standing_reason=before.standing_reason)


def _set_standing(command: SetStanding, ledger: Ledger, at: float) -> str:
    """A reason is kept with its author: callers' decisions quote it as their clause."""
    account = registered(ledger, command.account)
    over = closed_by(ledger, account, command.standing, command.who, at)
    if account.standing is command.standing:
        if over and command.standing is Standing.ACTIVE:
            ledger.put(over)
            return f"account {account.id}: what was announced is withdrawn"
        raise BadInput("", f"account {account.id!r} is {command.standing.value} already")
    reason = " ".join(part for part in (command.why, f"(by {command.who})" if command.who else "") if part)
    active = command.standing is Standing.ACTIVE
    changed = replace(account, standing=command.standing, standing_reason="" if active else reason)
    ledger.put_accounts([changed])
    if over:
        ledger.put(over)
    return f"account {account.id} {command.standing.value}"
