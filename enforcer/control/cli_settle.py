"""`enforcer settle`: a closed billing cycle, rule by rule, and what it is charged.

In: the name of a cycle. Out: a table, JSON or CSV; entries in the book of charges.
Refuses to know: how anything is settled.

The names of the facts are promised to users. Ratios, minutes and money are decimal strings: exact, or
to nine places where no decimal is.
"""

from __future__ import annotations

import sys
import time
from fractions import Fraction
from typing import Annotated, Any

import typer

from enforcer.control.cli_terminal import CONFIG, FOUND, Config, Json, complain, emit, say, table
from enforcer.control.due import settle_due
from enforcer.control.rows import Row, money
from enforcer.control.settled_notices import tell
from enforcer.control.settlement import Settlement, settlement
from enforcer.control.sheets import sheet
from enforcer.control.site import Site
from enforcer.domain.charge import Entry, exact
from enforcer.domain.journal import JournalEntry, Kind
from enforcer.domain.rules.average_minutes import Share
from enforcer.domain.rules.base import plain
from enforcer.errors import BadInput
from enforcer.notices.text import stationery_of

FIELDS = (
    "customer", "account", "account_type", "rule", "clause", "metric", "value", "limit", "breached",
    "attempts", "completed", "short", "minutes", "charge", "currency",
)  # fmt: skip


def settle(
    cycle: Annotated[str, typer.Option(metavar="CYCLE", help="A billing cycle that is over: 2026-10.")],
    customer: Annotated[str, typer.Option(metavar="CUSTOMER", help="Of this customer only.")] = "",
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, for spreadsheets.")] = False,
    config: Config = CONFIG, as_json: Json = False,
) -> None:
    """Settle a billing cycle that is over: ratios, averages, charges, strikes. Settling it again changes
    nothing. Customers whose own cycle of that name is still open are named and left out, and exit 1."""
    if as_csv and as_json:
        raise BadInput("--csv", "either CSV or JSON, not both")
    site = Site(config)
    now = time.time()
    with site.ledger() as ledger:
        revisions = site.revisions(ledger, now)
        stationery = stationery_of(site.settings)
        done = settlement(ledger, revisions, cycle, now, [customer] if customer else ())
        told = tell(ledger, done.rows, stationery, site.modes(ledger), now)
    for note in (*done.unsettled, *done.notes):
        complain(note)
    if as_json:
        emit([facts(row) for row in done.rows])
    elif as_csv:
        sys.stdout.write(sheet(FIELDS, (facts(row) for row in done.rows)))
    else:
        _show(done)
        for notice in told:
            say(f"written: notice {notice.id} to {notice.audience}: {notice.facts['subject']}")
    if done.unsettled:
        raise typer.Exit(FOUND)


def due(config: Config = CONFIG, as_json: Json = False) -> None:
    """Settle every billing cycle that closed a while ago and was not settled yet, as [settle] in the
    configuration says: what a running enforcer does by itself."""
    site = Site(config)
    terms, now = site.settings.settle, time.time()
    with site.ledger() as ledger:
        revisions = site.revisions(ledger, now, compare=False)
        stationery = stationery_of(site.settings)
        found = []
        for done in settle_due(ledger, revisions, now, terms.after, terms.auto):
            tell(ledger, done.outcome.rows, stationery, site.modes(ledger), now)
            found.append(done)
    if as_json:
        emit([done.facts() for done in found])
        return
    for done in found:
        told = done.facts()
        owed = told["owed"]
        charges = f"{_many(told['entries'], 'charge')} written" if done.charging else (
            f"{_many(owed, 'charge')} {'waits' if owed == 1 else 'wait'} for "
            f"`enforcer settle --cycle {done.cycle}`"
        )
        say(f"{done.cycle}: customers {', '.join(done.customers[:10])}"
            + (f" and {len(done.customers) - 10} more" if len(done.customers) > 10 else "")
            + f": {_many(told['breaches'], 'breach', 'es')}, {_many(told['strikes'], 'strike')} written or "
            f"withdrawn, {charges}")
    if not found:
        say("nothing is due")


def facts(row: Row) -> dict[str, Any]:
    """A row for programs. A ratio without one completed call is "Infinity"; what has no figure, null."""
    settled = row.settled
    beyond = "Infinity" if settled.breached else None
    return dict(zip(FIELDS, (
        row.customer, row.account or None, row.account_type.value if row.account_type else None,
        row.rule.spec.id, row.rule.spec.clause, row.rule.metric,
        beyond if settled.value is None else _decimal(settled.value), _decimal(settled.limit),
        settled.breached, settled.attempts, settled.completed, settled.short,
        _decimal(Fraction(settled.msec, 60_000)), money(row.charge), row.currency,
    ), strict=True))  # fmt: skip


def _decimal(number: Fraction) -> str:
    return f"{exact(number):f}"


def _show(done: Settlement) -> None:
    table(
        ("customer", "account", "type", "rule", "value", "limit", "breached", "attempts", "completed",
         "short", "minutes", "charge"),
        (
            (row.customer, row.account or "-", row.account_type.value if row.account_type else "-",
             row.rule.spec.id, _value(row), plain(row.settled.limit), "yes" if row.settled.breached else "no",
             row.settled.attempts, row.settled.completed, row.settled.short,
             f"{row.settled.msec / 60_000:.1f}", f"{money(row.charge)} {row.currency}")
            for row in done.rows
        ),
    )
    for row in done.rows:
        for words, shares in (("pulled up by", row.pulling_up), ("diluted by", row.idle)):
            if shares:
                say(f"{row.customer}, {row.rule.spec.id}: {words} {', '.join(_share(s) for s in shares[:10])}"
                    + (f" and {len(shares) - 10} more" if len(shares) > 10 else ""))
    for entry in done.written:
        say(f"written: {_whom(entry)}, {entry.rule}: {money(entry.amount)} {entry.currency} ({entry.words})")
    for one in done.struck:
        what = f"strike {one.ref}" if one.kind is Kind.STRIKE else f"strike {one.ref} withdrawn"
        say(f"written: {_whom(one)}, {what}: {one.body['why']}")


def _many(number: int, noun: str, plural: str = "s") -> str:
    return f"{number} {noun}{'' if number == 1 else plural}"


def _whom(entry: Entry | JournalEntry) -> str:
    return f"{entry.customer}/{entry.account}" if entry.account else entry.customer


def _share(share: Share) -> str:
    minutes = share.minutes
    each = "without channels" if minutes is None else f"{plain(minutes)} min"
    return f"{share.account} ({each})"


def _value(row: Row) -> str:
    """Rounded for people; where rounding would hide a breach, not rounded."""
    settled = row.settled
    if settled.value is None:
        return f"{settled.attempts}/0" if settled.breached else "-"
    text = plain(settled.value)
    return _decimal(settled.value) if settled.breached and text == plain(settled.limit) else text
