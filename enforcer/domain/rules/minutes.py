"""Minutes per billing cycle: how long one may talk, all calls together."""

from __future__ import annotations

from fractions import Fraction

from enforcer.domain.decision import Level
from enforcer.domain.rules.base import UNLIMITED, Judgement, Pacer, Rule, plain
from enforcer.domain.usage import Tally

# A call that lasts longer than this between two looks at a leased account is not expected;
# it bounds how much talk one leased attempt can add before it is counted.
LEASED_CALL_MSEC = 3_600_000


class Minutes(Rule):
    """Levels are minutes; a level is reached when they are used up, calls in progress included.

    While something is left of the limit, it is the longest this call may last.
    """

    metric = "minutes this cycle"
    unit = "minutes"
    __slots__ = ()

    def judge(self, tally: Tally, at: float, pacer: Pacer | None) -> Judgement | None:
        """Critical with nothing left; before that the rest is the call's maximal duration."""
        used = tally.msec_at(at)
        critical = self.spec.critical
        left = int(critical.at * 60_000) - used
        if left <= 0:
            return Judgement(Level.CRITICAL, critical, _minutes(used), plain(critical.at))
        seconds = max(1, left // 1000)
        warning = self.spec.warning
        if warning is not None and used >= warning.at * 60_000:
            return Judgement(Level.WARNING, warning, _minutes(used), plain(warning.at), seconds)
        return Judgement(Level.FINE, None, _minutes(used), plain(critical.at), seconds)

    def headroom(self, tally: Tally, at: float) -> int:
        """Attempts of an hour each that surely stay below the first level."""
        left = int(self._first() * 60_000) - tally.msec_at(at) - tally.live * LEASED_CALL_MSEC
        return max(0, min(UNLIMITED, left // LEASED_CALL_MSEC))

    def standing(self, tally: Tally, at: float) -> tuple[str, str]:
        """Minutes used, calls in progress included, and the limit."""
        return _minutes(tally.msec_at(at)), plain(self.spec.critical.at)


def _minutes(msec: int) -> str:
    return plain(Fraction(msec, 60_000))
