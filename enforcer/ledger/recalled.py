"""What is no longer in memory, asked of the disk while a call waits: one look into an index, and no more.

In: a store, the writer. Out: an old call, and whether an account has any. What the disk complains of is
passed on, and never raised: the call goes on. Refuses to know: books.
"""

from __future__ import annotations

from collections.abc import Callable

from enforcer.domain.call import CallRecord
from enforcer.domain.measure import Scope
from enforcer.errors import LedgerError
from enforcer.ledger.store import Store, statement
from enforcer.ledger.tables import record_of_row
from enforcer.ledger.writer import Writer

_RECALL = statement("recall")
_STORED = {Scope.ACCOUNT: statement("calls_of_account"), Scope.CUSTOMER: statement("calls_of_customer")}


class Recalled:
    """See the module. `trouble` is told what is wrong with the disk."""

    def __init__(self, store: Store, writer: Writer, trouble: Callable[[str], None]) -> None:
        self._store = store
        self._writer = writer
        self._trouble = trouble

    def call(self, call_id: str) -> CallRecord | None:
        """An old call, from what is on its way to the disk or from the disk itself."""
        found = self._writer.find(call_id)
        if found is not None:
            return found
        try:
            rows = self._store.look(_RECALL, {"call_id": call_id})
        except LedgerError as problem:
            self._trouble(str(problem))     # counted as a new call; a restart puts it right
            return None
        return record_of_row(rows[0]) if rows else None

    def stored(self, scope: Scope, key: str) -> bool:
        """Whether calls of an account or customer may be on the disk, or on their way there."""
        try:
            return self._writer.has(key) or bool(self._store.look(_STORED[scope], {"key": key}))
        except LedgerError as problem:
            self._trouble(str(problem))
            return True         # looked at again when the disk is well
