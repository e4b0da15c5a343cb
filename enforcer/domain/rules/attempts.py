"""Attempts per billing cycle: how many calls may be tried."""

from __future__ import annotations

from enforcer.domain.decision import Level
from enforcer.domain.rules.base import Judgement, Pacer, Rule, plain
from enforcer.domain.usage import Tally


class Attempts(Rule):
    """Levels are numbers of attempts that are still fine: one more is past the level."""

    metric = "attempts this cycle"
    unit = "attempts"
    __slots__ = ()

    def judge(self, tally: Tally, at: float, pacer: Pacer | None) -> Judgement | None:
        """Past a level when the attempts of the cycle, this one included, exceed it."""
        step, level = self.spec.critical, Level.CRITICAL
        if tally.attempts <= step.at:
            warning = self.spec.warning
            if warning is None or tally.attempts <= warning.at:
                return None
            step, level = warning, Level.WARNING
        return Judgement(level, step, str(tally.attempts), plain(step.at))

    def headroom(self, tally: Tally, at: float) -> int:
        """Attempts left before the first level is passed."""
        return max(0, int(self._first()) - tally.attempts)

    def standing(self, tally: Tally, at: float) -> tuple[str, str]:
        """Attempts so far, and the limit."""
        return str(tally.attempts), plain(self.spec.critical.at)
