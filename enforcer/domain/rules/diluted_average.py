"""A diluted average: load that is spread so that a clause about averages does not see it.

Whoever pays by the average may register accounts that nobody uses, and the average falls. This indicator
leaves those out: it is there where the average over all accounts is fine, and that over the accounts in
use is not. Settled like the average itself, and never charged for.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

from enforcer.domain.measure import Measure
from enforcer.domain.rules.average_minutes import AverageMinutes, Share

# An account that uses less than a twentieth of what the average may be is not in use.
IDLE_PART = Fraction(1, 20)


class DilutedAverage(AverageMinutes):
    """The limit is that of the average it watches over, in minutes."""

    noun = "average minutes of accounts in use"
    charged_by = None
    __slots__ = ()

    @classmethod
    def named(cls, measure: Measure) -> str:
        """Over a whole cycle, as every average."""
        return cls.noun


class Spread(NamedTuple):
    """How a customer's load lies: who is in use, who is not, and what that makes of the average."""

    used: list[Share]
    idle: list[Share]

    @property
    def diluted(self) -> bool:
        """Whether the average was brought down by accounts that are not in use."""
        return bool(self.used and self.idle)


def spread(shares: Iterable[Share], limit: Fraction) -> Spread:
    """Tell accounts in use from those that are not, for an average that may come to `limit` minutes.

    >>> [share.account for share in spread([Share("a", 90_000, 1), Share("b", 60, 1)], Fraction(1)).idle]
    ['b']
    """
    found = Spread([], [])
    for share in shares:
        in_use = share.msec >= limit * IDLE_PART * 60_000 * share.units
        (found.used if in_use else found.idle).append(share)
    return found
