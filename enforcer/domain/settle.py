"""What a closed cycle comes to under one rule, to the letter of its clause.

In: a rule, and the tallies of a cycle that is over. Out: `Settled`: the figure, the limit, breached or
not, and what is owed. There is no warning here; that is for running numbers.
Refuses to know: who the customer is, when the cycle was, and what was charged for it before.

A call belongs to the cycle that it started in. One that is still in progress when its cycle is settled
is not held against anybody: it is settled again, and corrected, once it has ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from enforcer.domain.charge import On, Per
from enforcer.domain.cycle import Span
from enforcer.domain.notice import Notice
from enforcer.domain.rules import Rule
from enforcer.domain.rules.average_minutes import Share
from enforcer.domain.rules.diluted_average import DilutedAverage, spread
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


# Breached, and then the record was put right: what a strike of that cycle is withdrawn with.
CORRECTED = "its cycle was settled anew, and is no breach any more"


def why_not_owed(notices: Iterable[Notice], span: Span) -> str:
    """Why the charge of a rule that acts only on notice is not owed for a cycle, given the notices about that
    rule and subject; "" where it is: one was delivered, and its time of grace ended before the cycle did."""
    given = list(notices)
    told = [one for one in given if one.told_at is not None and one.told_at < span.end]
    held = [one for one in told if one.acts_until > span.start]
    if any(one.acts_from < span.end for one in held):
        return ""
    if held:
        return "the time of grace had not ended"
    if told:
        return "its notice no longer held"
    return "its notice was not delivered before the cycle was over" if given else "no notice was given"


def settles(rule: Rule) -> bool:
    """Whether the close of a billing cycle settles this rule: its window, and those of all its signals, are
    that cycle."""
    return (rule.settled_only or rule.counting) and rule.spec.measure.billing and all(
        settles(signal) for signal in rule.spec.also
    )


def settle(rule: Rule, tally: Tally, divisor: int = 1, signals: Sequence[Tally] = ()) -> Settled | None:
    """Settle a tally. An average is divided by `divisor`: accounts, or channels of trunks. `signals` are the
    tallies of what has to be there as well, one for each signal in the rule's order (ValueError otherwise).

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


def settle_average(rule: Rule, parts: Sequence[tuple[Share, Tally]]) -> Settled | None:
    """Settle an average over accounts, each with what it stands for and its tally.

    A diluted one is the average of the accounts in use: breached where it is over the limit, accounts are not
    in use, and the average of all does not show it. None where no account is left to settle.
    """
    if not parts:
        return None
    all_of = _settled_over(rule, parts)
    if not isinstance(rule, DilutedAverage):
        return all_of
    found = spread((share for share, _ in parts), rule.spec.critical.at)
    used = {share.account for share in found.used}
    if not used:
        return _settled_over(rule, parts)._replace(breached=False)
    in_use = _settled_over(rule, [one for one in parts if one[0].account in used])
    return in_use._replace(breached=in_use.breached and found.diluted and not all_of.breached)


def _settled_over(rule: Rule, parts: Sequence[tuple[Share, Tally]]) -> Settled:
    total = Tally()
    for _, tally in parts:
        total.add(tally)
    settled = settle(rule, total, sum(share.units for share, _ in parts))
    assert settled is not None
    return settled
