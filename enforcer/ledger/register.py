"""What people enter besides accounts, on a disk: customers and modes.

In: customers, mode settings. Out: rows, on record with them; the same back.
Refuses to know: accounts, which counters follow from (`sqlite`), and what is in force (`domain.mode`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

import sqlalchemy as sa

from enforcer.domain.account import Customer
from enforcer.domain.mode import ModeSetting
from enforcer.ledger import register_rows
from enforcer.ledger.store import Store


class Register:
    """See the port's `Register`. `writing` gives a connection that alone may write; `lot` is the number by
    which this process knows its own rows; `clock` gives Unix seconds; `named` is told of accounts that modes
    are about."""

    def __init__(
        self, store: Store, writing: Callable[[], AbstractContextManager[sa.Connection]], lot: int,
        clock: Callable[[], float], named: Callable[[Iterable[str]], object],
    ) -> None:
        self._store = store
        self._writing = writing
        self._lot = lot
        self._clock = clock
        self._named = named

    def customers(self) -> list[Customer]:
        """What is known of customers besides their accounts, by id."""
        with self._store.reading() as connection:
            return register_rows.customers(connection)

    def put_customers(self, customers: Iterable[Customer]) -> None:
        """Enter or change customers, all or none. Raises LedgerError."""
        with self._writing() as connection:
            register_rows.put_customers(connection, list(customers), self._lot, self._clock())

    def modes(self) -> list[ModeSetting]:
        """Every mode setting ever made, the oldest first."""
        with self._store.reading() as connection:
            found = register_rows.modes(connection)
        self._named(setting.account for setting in found)
        return found

    def put_mode(self, setting: ModeSetting) -> None:
        """Record a mode setting. Raises LedgerError."""
        with self._writing() as connection:
            register_rows.put_mode(connection, setting, self._lot)
