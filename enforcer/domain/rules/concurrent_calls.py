"""Concurrent calls: how many may be in progress at once."""

from __future__ import annotations

from dataclasses import replace

from enforcer.domain.decision import Level
from enforcer.domain.rules.base import Judgement, Pacer, Rule, plain
from enforcer.domain.usage import Measure, Tally, Window


class ConcurrentCalls(Rule):
    """Levels are numbers of calls in progress that are still fine, this one included.

    THROTTLE has nothing to pace here: a call over the limit is shed, as a full trunk would.
    """

    per_call = True
    metric = "calls in progress"
    unit = "calls"
    __slots__ = ()

    @staticmethod
    def measured(measure: Measure) -> Measure:
        """Calls in progress, whichever cycle they began in."""
        return replace(measure, window=Window.LIVE)

    def judge(self, tally: Tally, at: float, pacer: Pacer | None) -> Judgement | None:
        """Past a level when the calls in progress, this one included, exceed it."""
        live = tally.live
        step, level = self.spec.critical, Level.CRITICAL
        if live <= step.at:
            warning = self.spec.warning
            if warning is None or live <= warning.at:
                return None
            step, level = warning, Level.WARNING
        return Judgement(level, step, str(live), plain(step.at))

    def headroom(self, tally: Tally, at: float) -> int:
        """Calls that may still be added."""
        return max(0, int(self._first()) - tally.live)

    def standing(self, tally: Tally, at: float) -> tuple[str, str]:
        """Calls in progress, and the limit."""
        return str(tally.live), plain(self.spec.critical.at)
