"""The ledger's answers about the past, from its rows: calls, decisions, and tallies of any cycle.

In: questions. Out: answers that see everything that could be written. Refuses to know: how rows came there,
and the counters in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import sqlalchemy as sa

from enforcer.domain.call import CallRecord
from enforcer.domain.cycle import Span
from enforcer.domain.decision import Decision
from enforcer.domain.measure import Measure, Scope
from enforcer.domain.usage import Tally
from enforcer.ledger import archive_rows
from enforcer.ledger.adding import derived, derived_of_all


class Past:
    """See the port's `Archive`. `settled` gives a connection that sees everything written so far; `clock`
    gives Unix seconds."""

    def __init__(
        self, settled: Callable[[], AbstractContextManager[sa.Connection]], clock: Callable[[], float]
    ) -> None:
        self._settled = settled
        self._clock = clock

    def calls(
        self, account_id: str = "", span: Span | None = None, customer: str = ""
    ) -> Iterator[CallRecord]:
        """Records by start time: of one account, one customer and one cycle, where given."""
        with self._settled() as connection:
            yield from archive_rows.calls(connection, account_id, customer, span)

    def call(self, call_id: str) -> CallRecord | None:
        """One record; the id may come without its "<switch>/" where that is unambiguous."""
        with self._settled() as connection:
            return archive_rows.call(connection, call_id)

    def decisions(
        self, account_id: str = "", call_id: str = "", limit: int = 50, sip_call_id: str = ""
    ) -> list[Decision]:
        """Decisions, the newest first: on one account, one call, one SIP Call-ID, where given."""
        with self._settled() as connection:
            return list(archive_rows.decisions(
                connection, account_id, call_id, limit=limit, sip_call_id=sip_call_id
            ))

    def decisions_in(self, span: Span, account_id: str = "") -> Iterator[Decision]:
        """All decisions in a stretch of time, the oldest first."""
        with self._settled() as connection:
            yield from archive_rows.decisions(connection, account_id, span=span)

    def decision(self, decision_id: str) -> Decision | None:
        """One decision."""
        if not decision_id:
            return None
        with self._settled() as connection:
            return next(archive_rows.decisions(connection, decision_id=decision_id), None)

    def derive(self, scope: Scope, key: str, measure: Measure, span: Span) -> Tally:
        """The tally of one account or customer in any cycle, from nothing but its records."""
        with self._settled() as connection:
            return derived(connection, scope, key, measure, span, self._clock())

    def derive_all(self, scope: Scope, measure: Measure, span: Span) -> dict[str, Tally]:
        """The same for every account or customer that has calls there: one question for all of them."""
        with self._settled() as connection:
            return derived_of_all(connection, scope, measure, span, self._clock())

    def callers(self, span: Span) -> list[tuple[str, str]]:
        """Each account with a call that started in a cycle, and the customer it was counted for then."""
        with self._settled() as connection:
            return archive_rows.callers(connection, span)

    def pruned_before(self, customer: str) -> float:
        """Calls of the customer that began before this moment may have been pruned."""
        with self._settled() as connection:
            return archive_rows.pruned_before(connection, customer)
