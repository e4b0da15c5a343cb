"""What people entered as rows: accounts, customers, modes; each change on record in the journal as well.

In: values, and a connection that alone may write. Out: rows, and the entries that say what changed.
Refuses to know: books, and who entered it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from enforcer.domain.account import Account, Customer
from enforcer.domain.journal import JournalEntry, Kind
from enforcer.domain.mode import ModeSetting
from enforcer.ledger.journal_rows import append
from enforcer.ledger.store import take_marks
from enforcer.ledger.tables import (
    ACCOUNT,
    CUSTOMER,
    MODE_SETTING,
    account_of_row,
    mode_of_row,
    row_of_account,
    row_of_mode,
)


def put_accounts(connection: sa.Connection, some: Sequence[Account], writer: int, at: float) -> None:
    """Write accounts; what was there already and says the same is left alone."""
    there = {account.id: account for account in accounts(connection)}
    changed = [account for account in some if there.get(account.id) != account]
    if not changed:
        return
    change = take_marks(connection, "account", 1)
    _replace(connection, ACCOUNT, [row_of_account(account) | {"change": change} for account in changed])
    append(connection, (account_entry(account, at) for account in changed), writer)


def account_entry(account: Account, at: float) -> JournalEntry:
    """That an account is registered like this from now on."""
    return JournalEntry(
        Kind.ACCOUNT, at, account.id, account.customer, account.id, row_of_account(account),
    )


def accounts(connection: sa.Connection) -> list[Account]:
    """All registered accounts, by id."""
    rows = connection.execute(sa.select(ACCOUNT).order_by(ACCOUNT.c.id)).mappings()
    return [account_of_row(row) for row in rows]


def customers(connection: sa.Connection) -> list[Customer]:
    """All customers of whom something is known, by id."""
    rows = connection.execute(sa.select(CUSTOMER).order_by(CUSTOMER.c.id)).mappings()
    return [Customer(row["id"], row["name"], tuple(row["contacts"].splitlines())) for row in rows]


def put_customers(connection: sa.Connection, some: Sequence[Customer], writer: int, at: float) -> None:
    """Write customers. The journal says where notices go, and never the address: it may hold a password."""
    there = {customer.id: customer for customer in customers(connection)}
    changed = [customer for customer in some if there.get(customer.id) != customer]
    if not changed:
        return
    change = take_marks(connection, "customer", 1)
    _replace(connection, CUSTOMER, [
        {"id": c.id, "name": c.name, "contacts": "\n".join(c.contacts), "change": change} for c in changed
    ])
    append(connection, (customer_entry(customer, at) for customer in changed), writer)


def customer_entry(customer: Customer, at: float) -> JournalEntry:
    """That this is known of a customer from now on."""
    kinds = [contact.partition(":")[0] if "://" in contact else "mailto" for contact in customer.contacts]
    return JournalEntry(
        Kind.CUSTOMER, at, customer.id, customer.id, body={"name": customer.name, "contacts": kinds},
    )


def modes(connection: sa.Connection, since: int = 0) -> list[ModeSetting]:
    """Every mode setting ever made, or those since a change, the oldest first."""
    query = sa.select(MODE_SETTING).where(MODE_SETTING.c.change > since).order_by(MODE_SETTING.c.change)
    rows = connection.execute(query).mappings()
    return [mode_of_row(row) for row in rows]


def put_mode(connection: sa.Connection, setting: ModeSetting, writer: int) -> None:
    """Write a mode setting."""
    change = take_marks(connection, "mode", 1)
    connection.execute(sa.insert(MODE_SETTING), row_of_mode(setting) | {"change": change, "writer": writer})
    append(connection, [mode_entry(setting)], writer)


def mode_entry(setting: ModeSetting) -> JournalEntry:
    """That a mode was set."""
    return JournalEntry(
        Kind.MODE, setting.at, setting.subject, account=setting.account, body=row_of_mode(setting),
    )


def _replace(connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    new = insert(table)
    connection.execute(
        new.on_conflict_do_update(
            index_elements=[table.c.id],
            set_={c.name: new.excluded[c.name] for c in table.c if c.name != "id"},
        ),
        rows,
    )
