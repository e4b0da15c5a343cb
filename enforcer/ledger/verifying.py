"""The proof that counters have not drifted: every row read, every tally made again from nothing.

In: a connection, and the books that must agree with what it sees. Out: the differences.
Refuses to know: how the books came about, and how the database adds up.
"""

from __future__ import annotations

import sqlalchemy as sa

from enforcer.domain.usage import Scope, Tally, Window, contribute
from enforcer.errors import LedgerError
from enforcer.ledger.books import Books
from enforcer.ledger.port import Mismatch
from enforcer.ledger.tables import DERIVED_COLUMNS, RECORD_COLUMNS, added_up, record_of_row

ROWS_AT_ONCE = 1000     # memory stays flat, however many calls there are


def differences(connection: sa.Connection, books: Books) -> list[Mismatch]:
    """Compare. Raises LedgerError for a row whose columns do not follow from one another: whatever
    the database adds up, in any cycle, is then as wrong as that row."""
    again: dict[tuple[Scope, str], list[Tally]] = {}
    rows = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(
        sa.select(*RECORD_COLUMNS, *DERIVED_COLUMNS)
    )
    for row in rows:
        record = record_of_row(row)
        if added_up(record) != tuple(row[len(RECORD_COLUMNS):]):
            raise LedgerError(f"the row of call {record.call_id} contradicts itself")
        if not record.account:
            continue
        for scope, key in ((Scope.ACCOUNT, record.account), (Scope.CUSTOMER, record.customer)):
            measures = books.policy.measures[scope]
            if not measures:
                continue
            this_cycle = books.book(scope, key).span.holds(record.started_at)
            tallies = again.setdefault((scope, key), [Tally() for _ in measures])
            for measure, tally in zip(measures, tallies, strict=True):
                if (this_cycle or measure.window is Window.LIVE) and measure.counts(record):
                    contribute(tally, record, measure, 1)
    found = []
    for scope, key, measure, span, tally in books.tallies():
        place = books.policy.measures[scope].index(measure)
        tallies = again.get((scope, key), [])
        derived = tallies[place] if tallies else Tally()
        if derived != tally:
            found.append(Mismatch(scope, key, measure, span, tally.usage(), derived.usage()))
    return found
