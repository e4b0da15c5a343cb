"""An average while its cycle runs: where it stands, who pulls it up, and when it will be crossed.

In: what each account brings to the average (`Share`), the limit in minutes. Out: exact figures.
Refuses to know: rules, customers, and how the minutes were counted. The close of the cycle is `settle`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import floor

from enforcer.domain.rules.average_minutes import Share


def average(shares: Sequence[Share]) -> Fraction | None:
    """Minutes for each unit so far; None where there is nothing to divide by."""
    divisor = sum(share.units for share in shares)
    return Fraction(sum(share.msec for share in shares), 60_000 * divisor) if divisor else None


def left(shares: Sequence[Share], limit: Fraction) -> int:
    """Milliseconds that may still be talked, all together, with the average exactly at its limit; below 0 by
    how much it is beyond."""
    return floor(limit * 60_000 * sum(share.units for share in shares)) - sum(s.msec for s in shares)


def crossed_at(
    shares: Sequence[Share], limit: Fraction, start: float, at: float, until: float
) -> float | None:
    """When the average passes its limit at the pace of the cycle so far, from `start` to `at` (Unix seconds);
    None where that is not before `until`. `at` where it has passed it already."""
    room, used = left(shares, limit), sum(share.msec for share in shares)
    if room < 0:
        return at
    if not used or at <= start:
        return None
    when = float(Fraction(at) + (room + 1) * (Fraction(at) - Fraction(start)) / used)
    return when if when < until else None


def fewest(shares: Sequence[Share], limit: Fraction) -> list[Share]:
    """The smallest set of accounts such that the average would be within its limit had each of these used no
    more than the limit, those that are furthest beyond it first; empty where it is within.

    >>> [share.account for share in fewest([Share("a", 90, 1), Share("b", 70, 1), Share("c", 0, 1)],
    ...                                    Fraction(50, 60_000))]
    ['a']
    """
    beyond = Fraction(-left(shares, limit))
    ranked = sorted(shares, key=lambda s: (limit * 60_000 * s.units - s.msec, s.account))
    chosen: list[Share] = []
    for share in ranked:
        if beyond <= 0:
            break
        beyond -= share.msec - limit * 60_000 * share.units
        chosen.append(share)
    return chosen
