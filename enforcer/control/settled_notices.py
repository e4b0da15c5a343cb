"""Notices of what only the close of a cycle shows: an average that was over its limit.

In: rows of a settlement, the modes, the stationery. Out: notices to put on record, each once: their ids
follow from what they say. Every other rule is told of while the cycle runs (`watch`).
Refuses to know: how a notice is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from enforcer.control.rows import Row
from enforcer.domain.account import unregistered
from enforcer.domain.decision import Level
from enforcer.domain.mode import Mode, Modes
from enforcer.domain.notice import Audience, Notice, created
from enforcer.domain.rules.base import plain
from enforcer.ledger.port import Ledger
from enforcer.notice_text import Stationery
from enforcer.notice_words import Breach


def tell(
    ledger: Ledger, rows: Iterable[Row], stationery: Stationery, modes: Modes, at: float
) -> list[Notice]:
    """Put on record what has to be said of averages that were breached: to ops from mode `monitor` up, to the
    customer from mode `tag` up where the rule acts on notice. Raises LedgerError."""
    known = ledger.registers.notices
    new = {
        notice.id: notice for row in rows if row.rule.settled_only and row.settled.breached
        for notice in _notices(ledger, row, stationery, modes, at) if known.get(notice.id) is None
    }
    if new:
        ledger.put([created(notice) for notice in new.values()])
    return list(new.values())


def _notices(
    ledger: Ledger, row: Row, stationery: Stationery, modes: Modes, at: float
) -> Iterator[Notice]:
    spec, value = row.rule.spec, row.settled.value
    accounts = ledger.accounts(row.customer)
    account = accounts[0] if accounts else replace(unregistered(row.customer), customer=row.customer)
    mode = modes.resolve(account.id, spec.id, "", at).mode
    waits = spec.notice is not None
    gate = ledger.registers.notices.gate(spec.id, row.customer, row.account) if waits else None
    breach = Breach(
        row.rule, account, Level.CRITICAL, "-" if value is None else plain(value),
        plain(row.settled.limit), at, row.span, account.timezone, mode, gate, row.pack,
    )
    tells = waits and mode >= Mode.TAG
    if tells:
        name = next((one.name for one in ledger.customers() if one.id == row.customer), "")
        yield stationery.reached(breach, Audience.CUSTOMER, name=name)
    if mode >= Mode.MONITOR:
        told = "The customer is told." if tells else "The customer is not told."
        yield stationery.reached(breach, Audience.OPS, told)
