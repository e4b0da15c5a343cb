"""Suspension and termination with notice: announced now, carried out by itself when the grace has ended.

In: an account, and what is to become of it. Out: notices on record; one line that says what was done.
Refuses to know: how notices are sent; a running enforcer delivers them, and acts on them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from enforcer.control.words import iso, local
from enforcer.domain.account import Account, Standing
from enforcer.domain.journal import JournalEntry
from enforcer.domain.notice import Notice, Stage, created, step
from enforcer.errors import BadInput
from enforcer.ledger.port import Ledger
from enforcer.spans import span_words

if TYPE_CHECKING:
    from enforcer.notices.text import Stationery


def announce(
    ledger: Ledger, stationery: Stationery, account: Account, wanted: Standing, after: float, who: str,
    why: str, at: float,
) -> str:
    """Give the customer notice that the account will be suspended or terminated, `after` seconds after that
    was delivered. Durable when it returns. Raises BadInput, LedgerError."""
    if account.standing in (wanted, Standing.TERMINATED):
        raise BadInput("", f"account {account.id!r} is {account.standing.value} already")
    for known in ledger.registers.notices.announcing(account.id):
        if known.then == wanted.value:
            raise BadInput("", f"notice of that was given already: see `enforcer notice show {known.id}`")
    customer = next((c for c in ledger.customers() if c.id == account.customer), None)
    name = customer.name if customer is not None else ""
    notice = stationery.standing(account, wanted, at, after, why, who, name)
    ledger.put([created(notice)])
    then = f"{span_words(after)} after notice {notice.id} is delivered"
    said = f"account {account.id} will be {wanted.value} {then}"
    if customer is None or not customer.contacts:
        said += (f"; no address of customer {account.customer} is known: tell them, then "
                 f"`enforcer notice ack {notice.id}`")
    return said


def closed_by(
    ledger: Ledger, account: Account, standing: Standing, who: str, at: float
) -> list[JournalEntry]:
    """The steps that close what was announced of an account, now that people gave it this standing: to resume
    it withdraws everything; to stop it does what had been announced of the kind, or less."""
    found = []
    for notice in ledger.registers.notices.announcing(account.id):
        if standing is Standing.ACTIVE:
            found.append(step(notice, Stage.CLOSED, at, by=who, how="withdrawn"))
        elif standing is Standing.TERMINATED or notice.then == standing.value:
            found.append(step(notice, Stage.CLOSED, at, by=who, how=f"{standing.value} at once"))
    return found


def announced_facts(notice: Notice, zone: str) -> dict[str, Any]:
    """What is to become of an account, for programs; the time is null while nobody was told."""
    return {
        "standing": notice.then, "notice": notice.id, "stage": notice.stage.value,
        "from": None if notice.told_at is None else iso(notice.acts_from, zone),
    }


def announced_words(notice: Notice, zone: str) -> str:
    """The same for people."""
    if notice.told_at is None:
        when = f"{span_words(notice.grace)} after its notice is delivered, which it is not yet"
    else:
        when = f"on {local(notice.acts_from, zone)}"
    return f"{notice.then} {when} (notice {notice.id})"
