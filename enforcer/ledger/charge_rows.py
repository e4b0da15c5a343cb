"""Charge rows: looked up, and added to. No row is ever changed or removed.

In: claims, and a connection that alone may write. Out: the entries that were missing, written.
Refuses to know: how an amount came about.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import sqlalchemy as sa

from enforcer.domain.charge import Claim, Entry, missing
from enforcer.domain.journal import JournalEntry, Kind
from enforcer.ledger.journal_rows import append
from enforcer.ledger.store import take_marks
from enforcer.ledger.tables import CHARGE

_COLUMNS = [CHARGE.c[name] for name in Entry._fields]


def find(
    connection: sa.Connection, customer: str = "", cycle: str = "", since: int = 0
) -> list[Entry]:
    """Entries in the order they were written; of one customer and one cycle, and since a change, where
    given."""
    query = sa.select(*_COLUMNS).where(CHARGE.c.change > since).order_by(CHARGE.c.change)
    if customer:
        query = query.where(CHARGE.c.customer == customer)
    if cycle:
        query = query.where(CHARGE.c.cycle == cycle)
    found = (Entry(*row) for row in connection.execute(query))
    return [entry._replace(amount=Decimal(entry.amount)) for entry in found]


def write(connection: sa.Connection, claims: Sequence[Claim], writer: int, at: float) -> list[Entry]:
    """Write what is missing for the entries to add up to these claims, in the journal as well; returns what
    was written."""
    there = [entry for cycle in {claim.cycle for claim in claims} for entry in find(connection, cycle=cycle)]
    written = missing(there, claims, at)
    if written:
        first = take_marks(connection, "charge", len(written)) - len(written) + 1
        connection.execute(sa.insert(CHARGE), [
            entry._asdict() | {"amount": str(entry.amount), "change": change}
            for change, entry in enumerate(written, first)
        ])
        append(connection, [charge_entry(entry) for entry in written], writer)
    return written


def charge_entry(entry: Entry) -> JournalEntry:
    """That something was charged, or taken back."""
    body = entry._asdict() | {"amount": str(entry.amount)}
    return JournalEntry(
        Kind.CHARGE, entry.at, f"{entry.rule} {entry.cycle}", entry.customer, entry.account, body,
    )
