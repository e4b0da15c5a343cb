"""Concurrent calls: how many may be in progress at once."""

from __future__ import annotations

from dataclasses import replace

from enforcer.domain.measure import Measure, Window
from enforcer.domain.rules.base import Count
from enforcer.domain.usage import Tally


class ConcurrentCalls(Count):
    """Levels are numbers of calls in progress that are still fine, this one included.

    THROTTLE has nothing to pace here: a call over the limit is shed, as a full trunk would.
    """

    per_call = True
    sheds = True
    noun = "calls in progress"
    unit = "calls"
    __slots__ = ()

    @classmethod
    def named(cls, measure: Measure) -> str:
        """A matter of the moment."""
        return cls.noun

    @staticmethod
    def measured(measure: Measure) -> Measure:
        """Calls in progress, whichever cycle they began in."""
        return replace(measure, window=Window.LIVE, per_leg=False)

    def counted(self, tally: Tally) -> int:
        """Calls ringing and talking."""
        return tally.ringing + tally.talking
