"""Strikes from settled cycles: a breach of a rule that says so is one, until a corrected record says no.

In: rows, and the strikes on record. Out: journal entries that bring the two in line; none where they are.
Refuses to know: what follows from strikes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable

from enforcer.control.rows import Row
from enforcer.domain.charge import Subject
from enforcer.domain.journal import JournalEntry, Kind
from enforcer.domain.registers import Strike, Strikes
from enforcer.domain.rules.base import plain
from enforcer.domain.settle import CORRECTED


def strike_id(about: Subject, nth: int = 1) -> str:
    """The name of a strike, which follows from customer, account, rule and cycle: the same breach is never
    two strikes. One that a correction withdrew, and that is a breach after all, is the next of that name."""
    text = "\0".join(about)
    name = f"s-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"
    return name if nth == 1 else f"{name}-{nth}"


def strikes(
    known: Strikes, rows: Iterable[Row], customers: Collection[str], in_force: Collection[tuple[str, str]],
    cycle: str, at: float,
) -> list[JournalEntry]:
    """The strikes to enter, and those to withdraw. A strike that people withdrew stays withdrawn."""
    found = []
    breached = set()
    for row in rows:
        if not row.rule.spec.strike or not row.settled.breached:
            continue
        breached.add(row.about)
        last = _last(known, row.about)
        if last is None or last.pardoned == CORRECTED:
            found.append(_entry(row, 1 if last is None else _number(last.id) + 1, at))
    for customer in sorted(customers):
        for strike in known.all(customer):
            about = strike.customer, strike.account, strike.kind, strike.cycle
            if (
                strike.cycle == cycle and not strike.pardoned and about not in breached
                and (customer, strike.kind) in in_force and strike.id.startswith(strike_id(about))
            ):
                body = {"why": CORRECTED, "who": "settlement"}
                found.append(JournalEntry(Kind.PARDON, at, strike.id, customer, strike.account, body))
    return found


def _last(known: Strikes, about: Subject) -> Strike | None:
    last, nth = None, 1
    while (strike := known.get(strike_id(about, nth))) is not None:
        last, nth = strike, nth + 1
    return last


def _number(name: str) -> int:
    _, _, nth = name.removeprefix("s-").partition("-")
    return int(nth or 1)


def _entry(row: Row, nth: int, at: float) -> JournalEntry:
    settled = row.settled
    value = f"{settled.attempts}/0" if settled.value is None else plain(settled.value)
    return JournalEntry(Kind.STRIKE, at, strike_id(row.about, nth), row.customer, row.account, {
        "kind": row.rule.spec.id, "at": row.span.start, "cycle": row.cycle, "who": "settlement",
        "why": f"{row.rule.spec.clause}: {row.rule.metric} {value}, limit {plain(settled.limit)}",
        "policy": row.rule.spec.policy,
    })
