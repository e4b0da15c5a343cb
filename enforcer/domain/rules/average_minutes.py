"""Average consumption: how long the accounts of one type talk, all of a customer's together.

Source of the arithmetic: IP2Call, "Average Consumption" and "Excessive Use": total inbound and
outbound minutes of a month, divided by the number of PBX or of residential accounts, or by the number
of trunk channels subscribed to; breached when that average "exceeds" its limit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

from enforcer.domain.account import Account, AccountType
from enforcer.domain.charge import Per
from enforcer.domain.measure import Measure, Scope
from enforcer.domain.rules.base import Closed
from enforcer.domain.rules.unsummed import Unsummed
from enforcer.domain.usage import Tally


class AverageMinutes(Unsummed):
    """The limit is minutes on average that are still fine, over the accounts that the rule covers.

    Settled at the close of the cycle only. No call is to blame for an average, and what it comes to
    depends on how many accounts there are then; so no call is judged, none has to ask, and the ledger
    counts nothing for it meanwhile.
    """

    settled_only = True
    noun = "average minutes"
    unit = "minutes"
    charged_by: Per | None = Per.MINUTE
    __slots__ = ()

    @staticmethod
    def measured(measure: Measure) -> Measure:
        """The average is one of a customer."""
        return replace(measure, scope=Scope.CUSTOMER)

    def close(self, tally: Tally, divisor: int) -> Closed:
        """The minutes of all, divided by so many accounts or channels; no value where there are none."""
        limit, minutes = self.spec.critical.at, Fraction(tally.msec, 60_000)
        value = minutes / divisor if divisor else None
        breached = value is not None and value > limit
        return Closed(value, breached, minutes - limit * divisor, tally.attempts, tally.completed)


class Share(NamedTuple):
    """What one account brings to the average: its milliseconds, and how many it stands for."""

    account: str
    msec: int
    units: int

    @property
    def minutes(self) -> Fraction | None:
        """Its own average; None where it stands for nothing, as a trunk without channels."""
        return Fraction(self.msec, 60_000 * self.units) if self.units else None


def units(account: Account) -> int:
    """By how many an account's minutes are divided: the channels of a trunk, one of anything else."""
    return account.channels if account.type is AccountType.TRUNK else 1


def pulling_up(shares: Iterable[Share]) -> list[Share]:
    """The accounts that talk more than the average does, those that add most to it first.

    >>> [s.account for s in pulling_up([Share("a", 90, 1), Share("b", 10, 1), Share("c", 400, 2)])]
    ['c']
    """
    everybody = list(shares)
    msec, divisor = sum(s.msec for s in everybody), sum(s.units for s in everybody)
    over = [(s.msec * divisor - msec * s.units, s) for s in everybody]
    return [s for excess, s in sorted(over, key=lambda one: (-one[0], one[1].account)) if excess > 0]
