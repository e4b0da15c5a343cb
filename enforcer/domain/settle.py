"""What a closed cycle comes to under one rule, to the letter of its clause.

In: a rule, and the tally of a cycle that is over. Out: `Settled`: the figure, the limit, breached or
not, and what is owed. There is no minimum sample and no warning here; those are for running numbers.
Refuses to know: who the customer is, when the cycle was, and what was charged for it before.

A call belongs to the cycle that it started in. One that is still in progress when its cycle is settled
is not held against anybody: it is settled again, and corrected, once it has ended.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

from enforcer.domain.charge import On, Per
from enforcer.domain.rules.asr import AnswerSeizureRatio
from enforcer.domain.rules.attempts import Attempts
from enforcer.domain.rules.average_minutes import AverageMinutes
from enforcer.domain.rules.base import Rule
from enforcer.domain.rules.minutes import Minutes
from enforcer.domain.usage import Tally

# What each kind's limit is a limit of: only that can be charged for as its excess.
EXCESS_OF: dict[type[Rule], Per] = {
    AnswerSeizureRatio: Per.ATTEMPT, Attempts: Per.ATTEMPT, Minutes: Per.MINUTE, AverageMinutes: Per.MINUTE,
}


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


def settle(rule: Rule, tally: Tally, divisor: int = 1) -> Settled | None:
    """Settle a tally. An average is divided by `divisor`: accounts, or channels of trunks.

    None for rules about a moment (calls in progress, calls per second): a cycle has none to settle.
    """
    limit = rule.spec.critical.at
    attempts, completed = tally.attempts, tally.completed
    minutes = Fraction(tally.msec, 60_000)
    value: Fraction | None
    if isinstance(rule, AnswerSeizureRatio):
        attempts -= tally.ringing
        completed += tally.talking
        value = Fraction(attempts, completed) if completed else None if attempts else Fraction()
        breached = attempts > 0 and attempts >= limit * completed
        beyond = Fraction(attempts - max(0, ceil(limit * completed) - 1))
    elif isinstance(rule, Attempts):
        value, beyond = Fraction(attempts), Fraction(attempts - floor(limit))
        breached = attempts > limit
    elif isinstance(rule, Minutes):
        value, beyond = minutes, minutes - limit
        breached = minutes > limit
    elif isinstance(rule, AverageMinutes):
        value = minutes / divisor if divisor else None
        beyond = minutes - limit * divisor
        breached = value is not None and value > limit
    else:
        return None
    units, owed = Fraction(), Decimal(0)
    charge = rule.spec.charge
    if breached and charge is not None:
        all_of = {Per.ATTEMPT: Fraction(attempts), Per.CALL: Fraction(completed), Per.MINUTE: minutes}
        units = beyond if charge.on is On.EXCESS else all_of[charge.per]
        owed = charge.of(units)
    return Settled(value, limit, breached, attempts, completed, tally.short, tally.msec, units, owed)
