"""`enforcer strike`: violations that people put on record, and how far the rules about them have come.

In: options. Out: entries in the journal; a running enforcer follows within a moment.
Refuses to know: what a rule does when its limit is reached.
"""

from __future__ import annotations

import time
from typing import Annotated

import typer

from enforcer.control import strikes
from enforcer.control.cli_terminal import CONFIG, Config, Json, OneLine, complain, emit, say, table, who
from enforcer.control.site import Site
from enforcer.control.strikes import StrikeStanding
from enforcer.control.subjects import Subjects, instant
from enforcer.control.words import local
from enforcer.domain.registers import Strike
from enforcer.domain.rules.base import plain
from enforcer.errors import BadInput

app = typer.Typer(
    cls=OneLine, help="Violations on record, and repeat infringers.", no_args_is_help=True,
    rich_markup_mode=None,
)

Account = Annotated[str, typer.Option("--account", "-a", help="Against this account only.")]
By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who enters it; you, unless named.")]
Customer = Annotated[str, typer.Argument(metavar="CUSTOMER", help="Against a customer as a whole.")]


@app.command("add")
def add(
    customer: Customer = "", account: Account = "",
    kind: Annotated[str, typer.Option("--kind", help="What was breached: copyright, content, ...")] = "",
    date: Annotated[str, typer.Option("--at", metavar="DATE", help="When; now, unless named.")] = "",
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Kept, and listed.")] = "",
    by: By = "", config: Config = CONFIG,
) -> None:
    """Put a strike on record against a customer, or one account."""
    if not kind:
        raise BadInput("--kind", "say what was breached, such as copyright")
    site = Site(config)
    warning = strikes.unheard(site.policy, kind.strip())
    now = time.time()
    with site.ledger() as ledger:
        whose = Subjects(ledger).find(account, customer, "strike add")
        at = instant(date, whose.timezone, "--at", now) if date else now
        strike = strikes.add(ledger, whose, kind, at, now, by or who(), reason)
        found = strikes.standings(ledger, site.policy, now, whose.customer, whose.account)
    if warning:
        complain(warning)
    say(f"strike {strike.id}: {whose.words}, {strike.kind}, {local(at, whose.timezone)}")
    for one in found:
        if any(counted.strike.id == strike.id for counted in one.counted):
            say(_words(one))


@app.command("withdraw")
def withdraw(
    strike_id: Annotated[str, typer.Argument(metavar="ID", help="As `strike list` shows it.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why it counts no more.")],
    by: By = "", config: Config = CONFIG,
) -> None:
    """Withdraw a strike: it counts no more, and stays on record with the reason."""
    if not reason.strip():
        raise BadInput("--reason", "say why it counts no more")
    with Site(config).ledger() as ledger:
        strike = strikes.withdraw(ledger, strike_id, time.time(), by or who(), reason)
    say(f"strike {strike.id} ({strike.kind}, customer {strike.customer}) is withdrawn")


@app.command("list")
def list_strikes(
    customer: Annotated[str, typer.Option("--customer", help="Of this customer only.")] = "",
    account: Annotated[str, typer.Option("--account", "-a", help="That count against this account.")] = "",
    config: Config = CONFIG, as_json: Json = False,
) -> None:
    """List strikes, withdrawn ones too; and for each rule which of them count, until when, and how many to
    go."""
    site = Site(config)
    policy, now = site.policy, time.time()
    with site.ledger() as ledger:
        subjects = Subjects(ledger)
        if account or customer:
            customer = subjects.find(account, customer, "strike list").customer
        found = [
            one for one in ledger.registers.strikes.all(customer)
            if not account or one.account in ("", account)
        ]
        counting = strikes.standings(ledger, policy, now, customer, account)
        zones = {(s.customer, s.account): subjects.find(s.account, s.customer, "").timezone for s in found}
    if as_json:
        emit({
            "strikes": [strikes.facts(s, counting, zones[s.customer, s.account]) for s in found],
            "rules": [one.facts() for one in counting],
        })
        return
    table(
        ("strike", "kind", "at", "customer", "account", "by", "counts until", "reason"),
        (
            (s.id, s.kind, local(s.at, zones[s.customer, s.account]), s.customer, s.account or "all",
             s.who or "-", _until(s, counting), s.why)
            for s in found
        ),
    )
    for one in counting:
        say(_words(one))


def _until(strike: Strike, counting: list[StrikeStanding]) -> str:
    if strike.pardoned:
        return f"withdrawn: {strike.pardoned}"
    until = {
        one.rule.spec.id: local(counted.until, one.timezone)
        for one in counting for counted in one.counted if counted.strike.id == strike.id
    }
    return ", ".join(f"{when} ({rule})" for rule, when in until.items()) or "-"


def _words(one: StrikeStanding) -> str:
    whom = f"account {one.account}" if one.account else f"customer {one.customer}"
    limit = plain(one.rule.spec.critical.at)
    so_far = f"{whom}, {one.rule.spec.id}: {len(one.counted)} of {limit} strikes in {one.rule.window}"
    ends = min(counted.until for counted in one.counted)
    rest = f"{one.to_go} to go" if one.to_go else "the limit is reached"
    return f"{so_far}, {rest}; the next stops counting on {local(ends, one.timezone)}"
