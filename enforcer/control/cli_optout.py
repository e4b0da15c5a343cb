"""`enforcer optout`: who does not want to be called or written to, by whom.

In: numbers, options, or a CSV file. Out: entries in the journal; a running enforcer follows within a moment.
Refuses to know: which rules stop calls because of it.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from enforcer.control import opt_outs
from enforcer.control.cli_terminal import CONFIG, Config, Json, OneLine, emit, say, table, who
from enforcer.control.site import Site
from enforcer.control.subjects import Subjects
from enforcer.control.words import local
from enforcer.domain.registers import OptOut

app = typer.Typer(
    cls=OneLine, help="Numbers that opted out of calls and messages.", no_args_is_help=True,
    rich_markup_mode=None,
)

Number = Annotated[str, typer.Argument(metavar="NUMBER", help="As it is dialled, or with + in front.")]
Account = Annotated[str, typer.Option("--account", "-a", help="Of this account's calls and messages.")]
Customer = Annotated[str, typer.Option("--customer", help="Of all of this customer's.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="What was said: kept, and listed.")]
By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who enters it; you, unless named.")]


@app.command("add")
def add(
    number: Number, account: Account = "", customer: Customer = "", reason: Reason = "", by: By = "",
    config: Config = CONFIG,
) -> None:
    """Somebody does not want to hear from an account, or from any of a customer's."""
    site = Site(config)
    with site.ledger() as ledger:
        whose = Subjects(ledger).find(account, customer, "optout add")
        say(opt_outs.add(ledger, site.plan, number, whose, time.time(), by or who(), reason))


@app.command("remove")
def remove(
    number: Number, account: Account = "", customer: Customer = "", reason: Reason = "", by: By = "",
    config: Config = CONFIG,
) -> None:
    """They changed their mind. The opt-out stays on record, and so does this."""
    site = Site(config)
    with site.ledger() as ledger:
        whose = Subjects(ledger).find(account, customer, "optout remove")
        say(opt_outs.remove(ledger, site.plan, number, whose, time.time(), by or who(), reason))


@app.command("list")
def list_opt_outs(
    customer: Annotated[str, typer.Option("--customer", help="Of this customer only.")] = "",
    account: Annotated[str, typer.Option("--account", "-a", help="That stand against this account.")] = "",
    number: Annotated[str, typer.Option("--number", help="Of this number only.")] = "",
    config: Config = CONFIG, as_json: Json = False,
) -> None:
    """List the opt-outs in force: since when, told how and by whom, and how soon a message was honoured."""
    site = Site(config)
    wanted = opt_outs.telephone(site.plan, number, "--number") if number else ""
    with site.ledger() as ledger:
        zone = "UTC"
        if account or customer:
            whose = Subjects(ledger).find(account, customer, "optout list")
            customer, zone = whose.customer, whose.timezone
        found = [
            one for one in ledger.registers.opt_outs.all(customer)
            if (not wanted or one.number == wanted) and (not account or one.account in ("", account))
        ]
    if as_json:
        emit([opt_outs.facts(one, zone) for one in found])
        return
    table(
        ("number", "customer", "account", "since", "source", "by", "honoured in", "reason"),
        (
            (one.number, one.customer, one.account or "all", local(one.at, zone), one.source or "cli",
             one.who or "-", _seconds(one), one.why)
            for one in found
        ),
    )


@app.command("import")
def import_opt_outs(
    file: Annotated[Path, typer.Argument(metavar="FILE",
                                         help=f"CSV with the header {','.join(opt_outs.FIELDS)}.")],
    by: By = "", config: Config = CONFIG,
) -> None:
    """Enter the opt-outs of a CSV file, all or none; those on record already stay as they are. A row names
    an account, or a customer for all of its accounts."""
    site = Site(config)
    with site.ledger() as ledger:
        say(opt_outs.imported(ledger, site.plan, file, time.time(), by or who()))


def _seconds(one: OptOut) -> str:
    return "-" if one.honoured_in is None else f"{one.honoured_in:.1f} s"
