"""Who has books from the start, where more callers that nobody registered are in the store than have room.

In: a connection, the register. Out: the accounts that count from the start; others do when they call again.
Refuses to know: books, and what is counted.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice
from typing import Protocol

import sqlalchemy as sa

from enforcer.ledger import strangers
from enforcer.ledger.store import statement
from enforcer.ledger.tables import CALL

_CALLED = sa.text(statement("accounts_that_called"))


class Called(Protocol):
    """A call, or calls that are alike."""

    @property
    def account(self) -> str:
        """Whose."""

    @property
    def customer(self) -> str:
        """And who answers for it."""


def lately(connection: sa.Connection, registered: Collection[str]) -> frozenset[str] | None:
    """The registered accounts, and of all others those that called last, as many as have room; None where all
    have."""
    room = len(registered) + strangers.MOST_STRANGERS
    if connection.execute(_CALLED, {"most": room + 1}).scalar_one() <= room:
        return None
    latest = sa.func.max(CALL.c.started_at)
    query = sa.select(CALL.c.account).group_by(CALL.c.account).order_by(latest.desc()).limit(room)
    others = (name for name in connection.execute(query).scalars() if name not in registered)
    return frozenset((*registered, *islice(others, strangers.MOST_STRANGERS)))


def left_out(called: Called, only: frozenset[str] | None) -> bool:
    """Whether nobody counts these calls before their caller comes back. A caller that is somebody's account
    counts for that customer as well."""
    return only is not None and called.account not in only and called.customer == called.account
