"""What a ledger has to keep, however old it is: who is held, which calls a window holds, what is not settled.

In: a ledger, the policy and its revisions, the time. Out: `Needed`, and in words why anything is kept.
Refuses to know: how long the rest is kept, and how it is removed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from enforcer import history
from enforcer.control.parties import Gathering, Party
from enforcer.domain.account import Account
from enforcer.domain.cycle import BillingCycle
from enforcer.domain.journal import Kind
from enforcer.domain.measure import Window
from enforcer.domain.policy import Policy
from enforcer.domain.retention import held
from enforcer.domain.settle import settles
from enforcer.history import Revisions
from enforcer.ledger.port import Ledger
from enforcer.ledger.prunable import Needed

MOST_CYCLES = 60        # cycles back from the youngest call that may go; older ones are looked at later


class Kept(NamedTuple):
    """What is needed, and for each customer of whom a cycle is not settled the first such cycle."""

    needed: Needed
    unsettled: dict[str, str]


def holding(ledger: Ledger) -> Needed:
    """All that is on hold; a customer with every account that is or was its own."""
    accounts, customers = set(), set()
    past = history.past(ledger)
    for customer, account in held(ledger.journal({Kind.HOLD})):
        if account:
            accounts.add(account)
        else:
            customers.add(customer)
            accounts |= {*past.accounts_of(customer), customer}     # a caller nobody registered is its own
    return Needed(frozenset(accounts), frozenset(customers))


def windows_since(policy: Policy, accounts: list[Account], now: float) -> float:
    """When the longest window begins that is open at `now` (Unix seconds)."""
    own = {(account.anchor_day, account.timezone) for account in accounts} | {(1, "UTC")}
    calendars = {calendar for some in policy.calendars.values() for calendar in some}
    starts = [calendar.of(*one).at(now).start for calendar in calendars for one in own]
    starts += [
        measure.rolling_span(now).start for some in policy.measures.values() for measure in some
        if measure.window is Window.ROLLING
    ]
    return min(starts, default=float("inf"))


def kept(
    ledger: Ledger, policy: Policy, revisions: Revisions, now: float, before: float,
    oldest: Callable[[Needed], float],
) -> Kept:
    """What is needed of the calls that began before a moment (Unix seconds); `oldest` tells when the oldest
    of those began that are not needed already."""
    since = windows_since(policy, ledger.accounts(), now)
    needed = holding(ledger)._replace(calls_since=since)
    before = min(before, since)
    unsettled: dict[str, str] = {}
    first = oldest(needed)
    if first >= before:
        return Kept(needed, unsettled)
    past = history.past(ledger)
    callers: set[str] = set()
    labels, earliest = _labels(first, before)
    settled = _settled(ledger)
    for cycle in labels:
        gathering = Gathering(ledger, past, cycle)
        for party in gathering.parties():
            if (
                (party.customer, cycle) not in settled and _settles(revisions, party, before)
                and gathering.called(party)
            ):
                unsettled.setdefault(party.customer, cycle)
                callers |= {account.id for account in (*party.members, *party.former)}
                callers |= {account.id for account, _ in party.accounts}
    return Kept(
        needed._replace(
            callers=frozenset(callers), calling=frozenset(unsettled), calls_since=min(since, earliest)
        ),
        unsettled,
    )


def _settles(revisions: Revisions, party: Party, before: float) -> bool:
    """Whether any rule comes to anything when the cycle closes, as far as it began before a moment."""
    stretches = [one for _, one in party.accounts] + ([party.cycle] if party.cycle else [])
    return any(
        settles(rule) or rule.settled_only
        for start, day in {(one.span.start, one.day) for one in stretches if one.span.start < before}
        for rule in revisions.at(start, day)[0].rules
    )


def _settled(ledger: Ledger) -> set[tuple[str, str]]:
    """Customers and cycles that nothing is to be done about any more: charged for, or nothing was owed."""
    return {
        (entry.customer, entry.ref) for entry in ledger.journal({Kind.SETTLEMENT})
        if entry.body.get("charges") or entry.body.get("owed", 1) == 0
    }


def _labels(first: float, before: float) -> tuple[list[str], float]:
    """The names of all cycles, of whatever anchor and zone, that may hold a call between these moments, the
    oldest first; and up to when (Unix seconds) they were followed: of very many only the first are."""
    calendar = BillingCycle()
    labels: list[str] = []
    span = calendar.at(calendar.at(first).start - 1)
    while len(labels) < MOST_CYCLES:
        labels.append(span.label)
        if span.start > before:
            return labels, float("inf")
        span = calendar.at(span.end)
    return labels, calendar.at(calendar.at(span.start - 1).start - 1).start
