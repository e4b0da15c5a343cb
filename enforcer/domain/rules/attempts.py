"""Attempts per billing cycle: how many calls may be tried."""

from __future__ import annotations

from enforcer.domain.rules.base import Count
from enforcer.domain.usage import Tally


class Attempts(Count):
    """Levels are numbers of attempts that are still fine: one more is past the level."""

    metric = "attempts this cycle"
    unit = "attempts"
    __slots__ = ()

    def counted(self, tally: Tally) -> int:
        """Attempts of the cycle, however they ended."""
        return tally.attempts
