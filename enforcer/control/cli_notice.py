"""`enforcer notice`: who was told what, whether it arrived, and telling by hand.

In: options. Out: the notices on record; an acknowledgement is put on record. A running enforcer sends what is
pending, and hears of an acknowledgement within a moment.
Refuses to know: why somebody is told.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from enforcer.control.acknowledging import acknowledge, known_notice, zone_of
from enforcer.control.cli_terminal import CONFIG, FOUND, Config, Json, OneLine, emit, say, table, who
from enforcer.control.site import Site
from enforcer.control.words import iso, local
from enforcer.domain.journal import JournalEntry, Kind
from enforcer.domain.notice import Notice
from enforcer.errors import BadInput
from enforcer.notices.carrier import carrier_of, shown
from enforcer.notices.text import stationery_of

app = typer.Typer(
    cls=OneLine, help="Notices to customers and to ops, and proof of their delivery.", no_args_is_help=True,
    rich_markup_mode=None,
)

Id = Annotated[str, typer.Argument(metavar="NOTICE", help="Such as n-1f2e3d4c5b6a.")]
Customer = Annotated[str, typer.Option("--customer", metavar="CUSTOMER", help="About this customer only.")]


@app.command("list")
def list_notices(
    customer: Customer = "",
    pending: Annotated[bool, typer.Option("--pending", help="Only what still has to be delivered.")] = False,
    config: Config = CONFIG, as_json: Json = False,
) -> None:
    """List the notices, oldest first."""
    with Site(config).ledger() as ledger:
        notices = [n for n in ledger.registers.notices.all(customer) if n.pending or not pending]
        zones = {notice.id: zone_of(ledger, notice) for notice in notices}
    if as_json:
        emit([notice_facts(notice, zones[notice.id]) for notice in notices])
        return
    table(
        (
            "notice", "created", "to", "about", "customer", "account", "rule", "level", "cycle", "stage",
            "tries",
        ),
        (
            (
                n.id, local(n.at, zones[n.id]), n.audience.value, n.about.value, n.customer, n.account or "-",
                n.rule or "-", n.level.name.lower() if n.rule else "-", n.cycle or "-", n.stage.value,
                n.tries,
            )
            for n in notices
        ),
    )


@app.command("show")
def show(notice: Id, config: Config = CONFIG, as_json: Json = False) -> None:
    """Show a notice: its text, and every step from its creation on."""
    with Site(config).ledger() as ledger:
        found = known_notice(ledger, notice)
        zone = zone_of(ledger, found)
        steps = list(ledger.journal([Kind.NOTICE], ref=found.id))
    if as_json:
        emit(notice_facts(found, zone) | {
            "text": found.facts.get("text", ""), "steps": [_step_facts(one, zone) for one in steps],
        })
        return
    say(f"notice {found.id} to {found.audience.value}, about {found.about.value}: {found.stage.value}")
    say(f"Subject: {found.facts.get('subject', '')}")
    say()
    for line in found.facts.get("text", "").splitlines():
        say(line)
    say()
    for one in steps:
        more = ", ".join(str(one.body[key]) for key in ("by", "how", "problem") if one.body.get(key))
        say(f"{local(one.at, zone)}  {one.body['stage']}{': ' if more else ''}{more}")
    if found.grace and found.told_at is not None:
        say(f"Time of grace until {local(found.acts_from, zone)}.")


@app.command("ack")
def ack(
    notice: Id,
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who told them, or heard from them.")] = "",
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="How: kept on record.")] = "",
    config: Config = CONFIG,
) -> None:
    """Put on record that somebody knows of it: told by telephone or letter, which is delivery as well."""
    with Site(config).ledger() as ledger:
        said = acknowledge(ledger, notice, time.time(), by or who(), reason)
    say(said)


@app.command("send-test")
def send_test(
    customer: Annotated[str, typer.Option(metavar="CUSTOMER", help="To their addresses.")] = "",
    config: Config = CONFIG, as_json: Json = False,
) -> None:
    """Send a test to ops, or to a customer's addresses. Exit 1 where one does not take it."""
    site = Site(config)
    addresses: Sequence[str] = site.settings.notices.ops_addresses()
    if customer:
        with site.ledger() as ledger:
            known = {one.id: one.contacts for one in ledger.customers()}
        addresses = known.get(customer, ())
    if not addresses:
        whose = "ops: see [notices] ops"
        if customer:
            whose = f"customer {customer!r}: see `enforcer customer set`"
        raise BadInput("", f"no address is known of {whose}")
    subject, text = stationery_of(site.settings).test(time.time(), who())
    carrier = carrier_of(site.settings)

    async def send() -> list[str]:
        return [await carrier.carry(address, subject, text) for address in addresses]

    problems = asyncio.run(send())
    if as_json:
        emit([{"address": shown(address), "taken": not problem, "problem": problem}
              for address, problem in zip(addresses, problems, strict=True)])
    else:
        for address, problem in zip(addresses, problems, strict=True):
            say(f"{shown(address)}: {problem or 'taken'}")
    if any(problems):
        raise typer.Exit(FOUND)


def notice_facts(notice: Notice, zone: str) -> dict[str, Any]:
    """A notice, its text aside."""
    def when(at: float | None) -> str | None:
        return None if at is None else iso(at, zone)

    return {
        "notice": notice.id, "audience": notice.audience.value, "about": notice.about.value,
        "customer": notice.customer, "account": notice.account or None, "rule": notice.rule or None,
        "level": notice.level.name.lower() if notice.rule else None, "cycle": notice.cycle or None,
        "created": when(notice.at), "stage": notice.stage.value, "tries": notice.tries,
        "tried": when(notice.tried_at), "delivered": when(notice.delivered_at),
        "acknowledged": when(notice.acknowledged_at), "acknowledged_by": notice.acknowledged_by or None,
        "problem": notice.problem or None, "then": notice.then or None, "closed": when(notice.closed_at),
        "closed_how": notice.closed_how or None, "grace": notice.grace,
        "acts_from": when(notice.acts_from) if notice.grace and notice.told_at is not None else None,
        "subject": notice.facts.get("subject", ""),
    }


def _step_facts(entry: JournalEntry, zone: str) -> dict[str, Any]:
    return {
        "at": iso(entry.at, zone), "stage": entry.body["stage"], "by": entry.body.get("by"),
        "how": entry.body.get("how"), "problem": entry.body.get("problem"), "link": entry.link,
    }
