"""`enforcer hold`: nothing about somebody is pruned, however old it gets, for as long as a dispute is open.

In: an account or a customer, and why. Out: entries in the journal. Refuses to know: what would be pruned.
"""

from __future__ import annotations

import time
from typing import Annotated

import typer

from enforcer.control.cli_terminal import CONFIG, Config, Json, OneLine, emit, say, table, who
from enforcer.control.site import Site
from enforcer.control.subjects import Subject, Subjects
from enforcer.control.words import iso, local
from enforcer.domain.journal import JournalEntry, Kind
from enforcer.domain.retention import held
from enforcer.errors import BadInput

app = typer.Typer(
    cls=OneLine, help="Whose calls and decisions are kept, however old.", no_args_is_help=True,
    rich_markup_mode=None,
)
Account = Annotated[str, typer.Argument(metavar="ACCOUNT", help="Whom it is about.")]
Customer = Annotated[str, typer.Option(help="All accounts of this customer instead.")]
By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who says so; you, unless named.")]


@app.command("set")
def set_hold(
    account: Account = "", customer: Customer = "",
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="Kept, and listed.")] = "",
    by: By = "", config: Config = CONFIG,
) -> None:
    """Keep all calls and decisions of an account or a customer until the hold is lifted."""
    if not why.strip():
        raise BadInput("--why", "say what it is kept for, such as the dispute's number")
    with Site(config).ledger() as ledger:
        whose = Subjects(ledger).find(account, customer, "hold set")
        ledger.put([_entry(whose, True, by, why.strip())])
    say(f"{whose.words}: nothing is pruned until `enforcer hold lift`")


@app.command("lift")
def lift(account: Account = "", customer: Customer = "", by: By = "", config: Config = CONFIG) -> None:
    """Let what is old enough go again, with the next pruning."""
    with Site(config).ledger() as ledger:
        whose = Subjects(ledger).find(account, customer, "hold lift")
        if (whose.customer, whose.account) not in held(ledger.journal({Kind.HOLD})):
            raise BadInput("hold lift", f"{whose.words} is not on hold (see `enforcer hold list`)")
        ledger.put([_entry(whose, False, by, "")])
    say(f"{whose.words}: no longer on hold")


@app.command("list")
def list_holds(config: Config = CONFIG, as_json: Json = False) -> None:
    """List who is on hold, since when, and why."""
    with Site(config).ledger() as ledger:
        found = list(held(ledger.journal({Kind.HOLD})).values())
    if as_json:
        emit([
            {
                "customer": entry.customer, "account": entry.account or None, "since": iso(entry.at),
                "by": entry.body.get("who", ""), "why": entry.body.get("why", ""),
            }
            for entry in found
        ])
        return
    table(
        ("customer", "account", "since", "by", "why"),
        (
            (entry.customer, entry.account or "all", local(entry.at, "UTC"), entry.body.get("who", ""),
             entry.body.get("why", ""))
            for entry in found
        ),
    )


def _entry(whose: Subject, on: bool, by: str, why: str) -> JournalEntry:
    return JournalEntry(
        Kind.HOLD, time.time(), whose.account or whose.customer, whose.customer, whose.account,
        {"held": on, "who": by or who(), "why": why},
    )
