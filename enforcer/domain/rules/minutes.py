"""Minutes per billing cycle: how long one may talk, all calls together."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

from enforcer.domain.charge import Per
from enforcer.domain.decision import Level, Verdict
from enforcer.domain.rules.base import UNLIMITED, Closed, Judgement, Rule, RuleSpec, plain
from enforcer.domain.rules.pace import Pacer
from enforcer.domain.usage import Tally

# A call that lasts longer than this between two looks at a leased account is not expected;
# it bounds how much talk one leased attempt can add before it is counted.
LEASED_CALL_MSEC = 3_600_000
# No call lasts a day; an allowance longer than that limits nothing, and need not be set on a channel.
LONGEST_CALL_MSEC = 86_400_000


class Minutes(Rule):
    """Levels are minutes; a level is reached when they are used up, calls in progress included.

    Where the limit blocks, what is left of it is the longest that this call may last.
    """

    noun = "minutes"
    unit = "minutes"
    charged_by = Per.MINUTE
    __slots__ = ("_caps", "_limit", "_near")

    def __init__(self, spec: RuleSpec) -> None:
        super().__init__(spec)
        self._limit = ceil(spec.critical.at * 60_000)       # milliseconds, as tallies have them
        self._near = self._limit if spec.warning is None else ceil(spec.warning.at * 60_000)
        self._caps = spec.critical.verdict is Verdict.BLOCK

    def judge(self, tally: Tally, at: float, pacer: Pacer | None) -> Judgement | None:
        """Critical with nothing left; before that the rest is the call's maximal duration."""
        used = tally.msec_at(at)
        left = self._limit - used
        critical, warning = self.spec.critical, self.spec.warning
        if left <= 0:
            return Judgement(Level.CRITICAL, critical, _minutes(used), plain(critical.at))
        seconds = max(1, left // 1000) if self._caps and left < LONGEST_CALL_MSEC else None
        if warning is not None and used >= self._near:
            return Judgement(Level.WARNING, warning, _minutes(used), plain(warning.at), seconds)
        return None if seconds is None else Judgement(Level.FINE, None, "", "", seconds)

    def headroom(self, tally: Tally, at: float) -> int:
        """Attempts of an hour each that surely stay below the first level."""
        left = min(self._near, self._limit) - 1 - tally.msec_at(at) - tally.live * LEASED_CALL_MSEC
        return min(UNLIMITED, max(0, left // LEASED_CALL_MSEC))

    def standing(self, tally: Tally, at: float) -> tuple[str, str]:
        """Minutes used, calls in progress included, and the limit."""
        return _minutes(tally.msec_at(at)), plain(self.spec.critical.at)

    def close(self, tally: Tally, divisor: int) -> Closed:
        """The minutes of the whole cycle; exactly the limit is fine."""
        limit, minutes = self.spec.critical.at, Fraction(tally.msec, 60_000)
        return Closed(minutes, minutes > limit, minutes - limit, tally.attempts, tally.completed)


def _minutes(msec: int) -> str:
    return plain(Fraction(msec, 60_000))
