"""Which billing cycles are due: closed a while ago, and not settled yet.

In: a ledger, the revisions of the policy, the time. Out: what was settled, cycle by cycle.
Refuses to know: who asks for it, a person or a running enforcer, and how a cycle is settled.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from enforcer import history
from enforcer.control.parties import Gathering
from enforcer.control.settlement import Settlement, settlement
from enforcer.domain.cycle import BillingCycle
from enforcer.domain.journal import Kind
from enforcer.history import Revisions
from enforcer.ledger.port import Ledger

LOOK_BACK = 3           # cycles: an enforcer that did not run for longer leaves the older ones to people


class Done(NamedTuple):
    """One cycle, the customers that were due in it, and what their settlement came to."""

    cycle: str
    customers: list[str]
    charging: bool
    outcome: Settlement

    def facts(self) -> dict[str, Any]:
        """For programs."""
        rows = self.outcome.rows
        return {
            "cycle": self.cycle, "customers": len(self.customers), "charges": self.charging,
            "breaches": sum(1 for row in rows if row.settled.breached),
            "owed": sum(1 for row in rows if row.claim().amount),
            "entries": len(self.outcome.written), "strikes": len(self.outcome.struck),
        }


def settle_due(
    ledger: Ledger, revisions: Revisions, now: float, after: float, charging: bool
) -> Iterator[Done]:
    """Settle, oldest first, what closed at least `after` seconds ago, each customer's cycle once (and once
    more when charges are wanted that were not before). Raises LedgerError."""
    for cycle in labels(now - after):
        customers = due(ledger, cycle, now - after, charging)
        if customers:
            outcome = settlement(
                ledger, revisions, cycle, now, customers, over=now - after, charging=charging
            )
            yield Done(cycle, customers, charging, outcome)


def labels(at: float) -> list[str]:
    """The names of the cycles that may have closed last, whatever their anchor and zone; oldest first."""
    calendar, found = BillingCycle(), []
    span = calendar.at(at)
    for _ in range(LOOK_BACK + 1):
        found.append(span.label)
        span = calendar.at(span.start - 1)
    return found[::-1]


def due(ledger: Ledger, cycle: str, over: float, charging: bool) -> list[str]:
    """Customers with calls in a cycle that was over at `over` and that nobody settled yet."""
    done = {
        entry.customer for entry in ledger.journal({Kind.SETTLEMENT}, ref=cycle)
        if entry.body["charges"] or not charging
    }
    gathering = Gathering(ledger, history.past(ledger), cycle)
    return [
        party.customer for party in gathering.parties()
        if party.customer not in done and not party.still_open(cycle, over) and gathering.called(party)
    ]
