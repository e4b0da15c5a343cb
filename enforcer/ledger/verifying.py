"""The proof that counters have not drifted: every row read, every tally made again from nothing.

In: a connection, and the books that must agree with what it sees. Out: the differences.
Refuses to know: how the books came about, and how the database adds up.
"""

from __future__ import annotations

import sqlalchemy as sa

from enforcer.domain.measure import Measure, Scope, Window
from enforcer.domain.usage import Detailed, Rolling, Tally, contribute, tally_for
from enforcer.errors import LedgerError
from enforcer.ledger.books import Books
from enforcer.ledger.port import Mismatch
from enforcer.ledger.tables import DERIVED_COLUMNS, RECORD_COLUMNS, added_up, record_of_row

ROWS_AT_ONCE = 1000     # memory stays flat, however many calls there are


def differences(connection: sa.Connection, books: Books, now: float) -> list[Mismatch]:
    """Compare, with rolling windows as they are at `now` (Unix seconds). Raises LedgerError for a row whose
    columns do not follow from one another: whatever the database adds up, in any cycle, is then as wrong as
    that row."""
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
            if (book := books.counted(scope, key)) is None:
                continue
            spans = [books.span(scope, book, measure) for measure in measures]
            tallies = again.setdefault((scope, key), [_empty(measure, now) for measure in measures])
            for measure, span, tally in zip(measures, spans, tallies, strict=True):
                inside = measure.window is not Window.CYCLE or span.holds(record.started_at)
                if inside and measure.counts(record):
                    contribute(tally, record, measure, 1)
    found = []
    for scope, key, measure, span, tally in books.tallies():
        place = books.policy.measures[scope].index(measure)
        tallies = again.get((scope, key), [])
        derived = tallies[place] if tallies else _empty(measure, now)
        if not same(derived, tally, measure, now):
            found.append(Mismatch(scope, key, measure, span, tally.usage(), derived.usage()))
    return found


def same(derived: Tally, counted: Tally, measure: Measure, now: float) -> bool:
    """Whether two tallies of one measure say the same. A trail without room left undercounts, and says so."""
    for tally in (derived, counted):
        if isinstance(tally, Rolling):
            tally.move(now, measure)
        if isinstance(tally, Detailed) and tally.trail is not None and tally.trail.full:
            return True
    return derived.figures == counted.figures


def _empty(measure: Measure, now: float) -> Tally:
    tally = tally_for(measure)
    if isinstance(tally, Rolling):
        tally.move(now, measure)
    return tally
