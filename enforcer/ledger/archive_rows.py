"""Questions about the past, answered from rows.

In: a connection. Out: calls and decisions as they were kept. Refuses to know: who asks, and what is still
on its way to the disk.
"""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from enforcer.domain.call import CallRecord
from enforcer.domain.cycle import Span
from enforcer.domain.decision import Decision
from enforcer.ledger.tables import (
    CALL,
    CALLS_PRUNED,
    DECISION,
    RECORD_COLUMNS,
    decision_of_text,
    record_of_row,
)

ROWS_AT_ONCE = 1000     # rows fetched at a time where many are streamed: memory stays flat


def calls(
    connection: sa.Connection, account_id: str, customer: str, span: Span | None
) -> Iterator[CallRecord]:
    """Records by start time: of one account, one customer and one stretch of time, where given."""
    query = sa.select(*RECORD_COLUMNS).order_by(CALL.c.started_at, CALL.c.call_id)
    if account_id:
        query = query.where(CALL.c.account == account_id)
    if customer:
        query = query.where(CALL.c.customer == customer)
    if span is not None:
        query = query.where(CALL.c.started_at >= span.start)
        if span.end != float("inf"):
            query = query.where(CALL.c.started_at < span.end)
    for row in connection.execution_options(yield_per=ROWS_AT_ONCE).execute(query):
        yield record_of_row(row)


def call(connection: sa.Connection, call_id: str) -> CallRecord | None:
    """One record; the id may come without its "<switch>/" where that is unambiguous."""
    query = sa.select(*RECORD_COLUMNS)
    for wanted in (sa.literal(call_id), CALL.c.switch + "/" + call_id):
        rows = connection.execute(query.where(CALL.c.call_id == wanted).limit(2))
        found = [record_of_row(row) for row in rows]
        if found:
            return found[0] if len(found) == 1 else None
    return None


def decisions(
    connection: sa.Connection, account_id: str = "", call_id: str = "", decision_id: str = "",
    span: Span | None = None, limit: int | None = None, sip_call_id: str = "",
) -> Iterator[Decision]:
    """Decisions, the newest first; with a stretch of time, the oldest first."""
    newest = (DECISION.c.at.desc(), DECISION.c.decision_id.desc())
    query = sa.select(DECISION.c.body)
    query = query.order_by(*(newest if span is None else (DECISION.c.at, DECISION.c.decision_id)))
    for column, wanted in (
        (DECISION.c.account, account_id), (DECISION.c.call_id, call_id),
        (DECISION.c.decision_id, decision_id), (DECISION.c.sip_call_id, sip_call_id),
    ):
        if wanted:
            query = query.where(column == wanted)
    if span is not None:
        query = query.where(DECISION.c.at >= span.start, DECISION.c.at < span.end)
    if limit is not None:
        query = query.limit(limit)
    for row in connection.execution_options(yield_per=ROWS_AT_ONCE).execute(query):
        yield decision_of_text(row[0])


def callers(connection: sa.Connection, span: Span) -> list[tuple[str, str]]:
    """Each account with a call that started in a cycle, and the customer it was counted for then."""
    query = (
        sa.select(CALL.c.account, CALL.c.customer).distinct()
        .where(CALL.c.account != "", CALL.c.started_at >= span.start, CALL.c.started_at < span.end)
        .order_by(CALL.c.account, CALL.c.customer)
    )
    return [(account, customer) for account, customer in connection.execute(query)]


def pruned_before(connection: sa.Connection, customer: str) -> float:
    """Calls of the customer that began before this moment may have been pruned."""
    found = connection.execute(sa.select(CALLS_PRUNED.c.before).where(CALLS_PRUNED.c.customer == customer))
    before = found.scalar_one_or_none()
    return float("-inf") if before is None else before
