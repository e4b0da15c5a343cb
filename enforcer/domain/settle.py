"""What a closed cycle comes to under one rule, to the letter of its clause.

In: a rule, and the tallies of a cycle that is over. Out: `Settled`: the figure, the limit, breached or
not, and what is owed. There is no warning here; that is for running numbers.
Refuses to know: who the customer is, when the cycle was, and what was charged for it before.

A call belongs to the cycle that it started in. One that is still in progress when its cycle is settled
is not held against anybody: it is settled again, and corrected, once it has ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from enforcer.domain.charge import On, Per
from enforcer.domain.rules import Rule
from enforcer.domain.usage import Tally


class Settled(NamedTuple):
    """One rule in one closed cycle. `value` and `limit` are in the rule's own unit.

    `value` is None where there is no such number: breached, it is beyond all numbers (attempts and not
    one completed call); not breached, there was nothing to divide by (a trunk without channels).
    """

    value: Fraction | None
    limit: Fraction
    breached: bool
    attempts: int
    completed: int
    short: int
    msec: int
    units: Fraction         # of what the rule charges for; 0 where it charges nothing
    owed: Decimal


def settles(rule: Rule) -> bool:
    """Whether the close of a billing cycle settles this rule: its window, and those of all its signals, are
    that cycle."""
    return (rule.settled_only or rule.counting) and rule.spec.measure.billing and all(
        settles(signal) for signal in rule.spec.also
    )


def settle(rule: Rule, tally: Tally, divisor: int = 1, signals: Sequence[Tally] = ()) -> Settled | None:
    """Settle a tally. An average is divided by `divisor`: accounts, or channels of trunks. `signals` are the
    tallies of what has to be there as well, in the rule's order; without them the rule is not breached.

    None for rules about a moment or a window of their own: a cycle has none to settle.
    """
    if not settles(rule):
        return None
    closed = rule.close(tally, divisor)
    if closed is None:
        return None
    others = [one.close(its, 1) for one, its in zip(rule.spec.also, signals, strict=True)]
    breached = closed.breached and all(other is not None and other.breached for other in others)
    minutes = Fraction(tally.msec, 60_000)
    units, owed = Fraction(), Decimal(0)
    charge = rule.spec.charge
    if breached and charge is not None:
        all_of = {
            Per.ATTEMPT: Fraction(closed.attempts), Per.CALL: Fraction(closed.completed),
            Per.MINUTE: minutes, Per.MESSAGE: Fraction(closed.attempts),
        }
        units = closed.beyond if charge.on is On.EXCESS else all_of[charge.per]
        owed = charge.of(units)
    return Settled(
        closed.value, rule.spec.critical.at, breached, closed.attempts, closed.completed, tally.short,
        tally.msec, units, owed,
    )
