"""Notices of breaches that only the close of a cycle shows: averages, and what CDRs told later than calls.

In: rows of the cycle that closed last. Out: notices on record, each once; a running enforcer delivers them.
Refuses to know: how a cycle is settled, and how notices are sent.

A rule that acts only on notice charges nothing for a cycle of which nobody was told. So its first breach
costs nothing and is told, and one more while that notice holds is charged for.
"""

from __future__ import annotations

from collections.abc import Iterable

from enforcer.control.report import calendar_of
from enforcer.control.rows import Row
from enforcer.domain.account import Standing, unregistered
from enforcer.domain.decision import Level
from enforcer.domain.measure import Scope
from enforcer.domain.mode import Mode, Modes
from enforcer.domain.notice import About, Audience, Notice, created
from enforcer.domain.policy import Policy
from enforcer.domain.rules.base import plain
from enforcer.ledger.port import Ledger
from enforcer.notice_text import Stationery
from enforcer.notice_words import Breach

# Cycles settled later than that are history: nobody is written to about last spring because its CDRs came in.
LATELY = 31 * 86_400.0


def give_notice(
    ledger: Ledger, stationery: Stationery, policy: Policy, modes: Modes, rows: Iterable[Row], now: float
) -> list[Notice]:
    """Put on record, durably, the notices of these rows that were not given yet. Customers are told from mode
    `tag` up. Raises LedgerError."""
    names = {customer.id: customer.name for customer in ledger.customers()}
    known, new = ledger.registers.notices, []
    for row in rows:
        spec = row.rule.spec
        if not row.settled.breached or spec.notice is None or not row.span.end <= now < row.span.end + LATELY:
            continue
        breach = _breach(ledger, policy, modes, row, now)
        given = known.get(breach.id(Audience.CUSTOMER, About.LEVEL)) is not None
        if given or breach.mode < Mode.TAG or breach.account.standing is Standing.TERMINATED:
            continue
        new.append(stationery.reached(breach, Audience.CUSTOMER, name=names.get(row.customer, "")))
    if new:
        ledger.put([created(notice) for notice in new])
    return new


def _breach(ledger: Ledger, policy: Policy, modes: Modes, row: Row, now: float) -> Breach:
    accounts = [ledger.account(row.account)] if row.account else ledger.accounts(row.customer)
    covered = [one for one in accounts if row.rule.spec.covers(one)] or accounts
    first = covered[0] if covered else unregistered(row.customer)
    scope = Scope.ACCOUNT if row.account else Scope.CUSTOMER
    zone = calendar_of(ledger, scope, first).timezone
    whose = covered or [first]
    mode = max(modes.resolve(one.id, row.rule.spec.id, "", now).mode for one in whose)
    settled = row.settled
    value = f"{settled.attempts}/0" if settled.value is None else plain(settled.value)
    gate = ledger.registers.notices.gate(row.rule.spec.id, row.customer, row.account)
    return Breach(
        row.rule, first, Level.CRITICAL, value, plain(settled.limit), now, row.span, zone, mode, gate,
        policy.pack_of(row.rule),
    )
