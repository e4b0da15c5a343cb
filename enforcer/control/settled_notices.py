"""Notices of breaches that only the close of a cycle shows: averages, and what CDRs told later than calls.

In: rows of a settlement, the modes, the stationery. Out: notices on record, each once: their ids follow from
what they say; a running enforcer delivers them.
Refuses to know: how a cycle is settled, and how notices are sent.

A rule that acts only on notice charges nothing for a cycle of which nobody was told. So its first breach
costs nothing and is told, and one more while that notice holds is charged for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from enforcer.control.report import calendar_of
from enforcer.control.rows import Row
from enforcer.domain.account import Standing, unregistered
from enforcer.domain.decision import Level
from enforcer.domain.measure import Scope
from enforcer.domain.mode import Mode, Modes
from enforcer.domain.notice import About, Audience, Notice, created
from enforcer.domain.rules.base import plain
from enforcer.ledger.port import Ledger
from enforcer.notices.text import Stationery
from enforcer.notices.words import Breach

# Cycles settled later than that are history: nobody is written to about last spring because its CDRs came in.
LATELY = 31 * 86_400.0


def tell(
    ledger: Ledger, rows: Iterable[Row], stationery: Stationery, modes: Modes, at: float
) -> list[Notice]:
    """Put on record, durably, what has to be said of these breaches at `at` (Unix seconds) and was not yet:
    to customers from mode `tag` up where the rule acts on notice; to ops from `monitor` up of averages, since
    they hear of all other rules while the cycle runs. Raises LedgerError."""
    new = [
        notice for row in rows
        if row.settled.breached and row.span.end <= at < row.span.end + LATELY
        for notice in _notices(ledger, row, stationery, modes, at)
    ]
    if new:
        ledger.put([created(notice) for notice in new])
    return new


def _notices(ledger: Ledger, row: Row, stationery: Stationery, modes: Modes, at: float) -> Iterator[Notice]:
    breach = _breach(ledger, row, modes, at)
    known = ledger.registers.notices

    def unsaid(audience: Audience) -> bool:
        return known.get(breach.id(audience, About.LEVEL)) is None

    tells = row.rule.spec.notice is not None and breach.mode >= Mode.TAG
    tells = tells and breach.account.standing is not Standing.TERMINATED
    if tells and unsaid(Audience.CUSTOMER):
        name = next((one.name for one in ledger.customers() if one.id == row.customer), "")
        yield stationery.reached(breach, Audience.CUSTOMER, name=name)
    if row.rule.settled_only and breach.mode >= Mode.MONITOR and unsaid(Audience.OPS):
        told = "The customer is told." if tells else "The customer is not told."
        yield stationery.reached(breach, Audience.OPS, told)


def _breach(ledger: Ledger, row: Row, modes: Modes, at: float) -> Breach:
    accounts = [ledger.account(row.account)] if row.account else ledger.accounts(row.customer)
    covered = [one for one in accounts if row.rule.spec.covers(one)] or accounts
    whose = covered or [replace(unregistered(row.customer), customer=row.customer)]
    zone = calendar_of(ledger, Scope.ACCOUNT if row.account else Scope.CUSTOMER, whose[0]).timezone
    mode = max(modes.resolve(one.id, row.rule.spec.id, "", at).mode for one in whose)
    settled = row.settled
    value = f"{settled.attempts}/0" if settled.value is None else plain(settled.value)
    gate = ledger.registers.notices.gate(row.rule.spec.id, row.customer, row.account)
    return Breach(
        row.rule, whose[0], Level.CRITICAL, value, plain(settled.limit), at, row.span, zone, mode, gate,
        row.pack,
    )
