"""`enforcer account`: who may call, whose customer they are, and whether people let them.

In: options, or a CSV file. Out: the register in the ledger.
Refuses to know: rules and calls.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from enforcer.control.accounts_csv import FIELDS, account_of, read_accounts
from enforcer.control.cli_terminal import CONFIG, Config, Json, OneLine, complain, emit, say, table, who
from enforcer.control.commands import (
    AddAccount,
    ChangeAccount,
    Command,
    ImportAccounts,
    Known,
    SetStanding,
    act,
    registered,
)
from enforcer.control.facts import account_facts
from enforcer.control.site import Site
from enforcer.control.standing import announce, announced_facts, announced_words
from enforcer.domain.account import Account, Standing
from enforcer.errors import BadInput
from enforcer.notices.text import stationery_of
from enforcer.spans import seconds_of
from enforcer.wire.channel import account_name

app = typer.Typer(
    cls=OneLine, help="Accounts and their standing.", no_args_is_help=True, rich_markup_mode=None
)

Id = Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account, as the switch calls it.")]
Customer = Annotated[str | None, typer.Option(help="The customer it belongs to.")]
Type = Annotated[str | None, typer.Option("--type", help="pbx, residential or trunk.")]
Channels = Annotated[str | None, typer.Option(metavar="N", help="Channels of a trunk.")]
Plan = Annotated[str | None, typer.Option(help="The plan it is on.")]
Anchor = Annotated[str | None, typer.Option(metavar="DAY", help="Day of the month its cycle begins on.")]
Zone = Annotated[str | None, typer.Option(metavar="ZONE", help="IANA time zone of its cycle.")]
After = Annotated[str, typer.Option(
    "--after", metavar="SPAN", help="With notice: so long after its delivery, e.g. 7d. Else at once.",
)]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why: kept, and shown by `why`.")]


@app.command("list")
def list_accounts(
    customer: Annotated[str, typer.Option(help="Of this customer only.")] = "",
    config: Config = CONFIG, as_json: Json = False,
) -> None:
    """List the registered accounts."""
    with Site(config).ledger() as ledger:
        accounts = ledger.accounts(customer)
    if as_json:
        emit([account_facts(account) for account in accounts])
        return
    table(
        (*FIELDS, "standing"),
        (
            (
                a.id, a.customer, a.type.value if a.type else "-", a.channels or "-", a.plan, a.anchor_day,
                a.timezone, a.standing.value,
            )
            for a in accounts
        ),
    )


@app.command("show")
def show(account: Id, config: Config = CONFIG, as_json: Json = False) -> None:
    """Show one account."""
    with Site(config).ledger() as ledger:
        found = registered(ledger, account)
        announced = ledger.registers.notices.announcing(found.id)
    facts = account_facts(found)
    if as_json:
        emit(facts | {"announced": [announced_facts(notice, found.timezone) for notice in announced]})
        return
    for name, value in facts.items():
        say(f"{name.replace('_', ' '):16} {value}")
    for notice in announced:
        say(f"{'announced':16} {announced_words(notice, found.timezone)}")


@app.command("add")
def add(
    account: Id, customer: Customer = None, kind: Type = None, channels: Channels = None, plan: Plan = None,
    anchor_day: Anchor = None, timezone: Zone = None, config: Config = CONFIG,
) -> None:
    """Register an account."""
    fields = _fields(account, customer, kind, channels, plan, anchor_day, timezone)
    new = account_of({"customer": account} | fields, "account add")
    _warn(new)
    _act(config, AddAccount(new))


@app.command("set")
def change(
    account: Id, customer: Customer = None, kind: Type = None, channels: Channels = None, plan: Plan = None,
    anchor_day: Anchor = None, timezone: Zone = None, config: Config = CONFIG,
) -> None:
    """Change an account; what is not named stays."""
    fields = _fields(account, customer, kind, channels, plan, anchor_day, timezone)
    if len(fields) == 1:
        raise BadInput("account set", "nothing to change: name at least one option")
    with Site(config).ledger() as ledger:
        before = account_facts(registered(ledger, account))
        known = {name: str(before[name] or "") for name in FIELDS}
        done = act(ChangeAccount(account_of(known | fields, "account set")), ledger, Known(), time.time())
    say(done)


@app.command("suspend")
def suspend(account: Id, after: After = "", reason: Reason = "", config: Config = CONFIG) -> None:
    """Let it call out no more; it can still be called, and emergency calls always go."""
    _stop(config, account, Standing.SUSPENDED, after, reason)


@app.command("resume")
def resume(account: Id, reason: Reason = "", config: Config = CONFIG) -> None:
    """Let it call again, and withdraw what was announced of it."""
    _act(config, SetStanding(account, Standing.ACTIVE, who(), reason))


@app.command("terminate")
def terminate(account: Id, after: After = "", reason: Reason = "", config: Config = CONFIG) -> None:
    """Let it neither call nor be called; emergency calls always go."""
    _stop(config, account, Standing.TERMINATED, after, reason)


@app.command("import")
def import_accounts(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=f"CSV with the header {','.join(FIELDS)}.")],
    config: Config = CONFIG,
) -> None:
    """Register the accounts of a CSV file, all or none. Known ones are changed and keep their standing."""
    accounts = read_accounts(file)
    for account in accounts:
        _warn(account)
    _act(config, ImportAccounts(accounts))


def _act(config: Path, command: Command) -> None:
    with Site(config).ledger() as ledger:
        say(act(command, ledger, Known(), time.time()))


def _stop(config: Path, account: str, wanted: Standing, after: str, reason: str) -> None:
    """At once, or with notice."""
    if not after:
        _act(config, SetStanding(account, wanted, who(), reason))
        return
    try:
        seconds = float(seconds_of(after))
    except ValueError as problem:
        raise BadInput("--after", str(problem)) from None
    site = Site(config)
    stationery = stationery_of(site.settings)
    with site.ledger() as ledger:
        found = registered(ledger, account)
        say(announce(ledger, stationery, found, wanted, seconds, who(), reason, time.time()))


def _fields(account: str, *values: str | None) -> dict[str, str]:
    """What was named on the command line; `account` always is."""
    named = dict(zip(FIELDS, (account, *values), strict=True))
    return {name: value for name, value in named.items() if value is not None}


def _warn(account: Account) -> None:
    """A name that no switch can tell us would wait in vain for its calls."""
    if account_name(account.id) != account.id:
        complain(f"warning: no call can carry the account name {account.id!r}: "
                 "a switch tells letters, digits and _ . @ + - only")
