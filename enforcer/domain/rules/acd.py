"""Average call duration: calls that are all too short point to dialling for its own sake."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import floor

from enforcer.domain.decision import Level
from enforcer.domain.measure import Detail, Measure
from enforcer.domain.rules.base import UNLIMITED, Closed, Judgement, Rule, RuleSpec, plain
from enforcer.domain.rules.pace import Pacer
from enforcer.domain.usage import Detailed, Tally


class AverageDuration(Rule):
    """Levels are seconds: a level is reached when answered calls last less than `at` on average. So a
    warning has more seconds than the limit. Calls in progress are left out, and so are those whose end nobody
    saw, until a CDR tells how long they were; below `min_answered` calls nothing is judged."""

    noun = "average call duration"
    unit = "s"
    __slots__ = ("_least", "_widest")

    def __init__(self, spec: RuleSpec) -> None:
        super().__init__(spec)
        self._least = self.glance.quiet = max(1, spec.min_answered)
        warning = spec.warning
        self._widest = spec.critical.at if warning is None else max(warning.at, spec.critical.at)

    @staticmethod
    def measured(measure: Measure) -> Measure:
        """Counts apart what has no known length."""
        return replace(measure, details=measure.details | {Detail.UNSEEN})

    def judge(self, tally: Tally, at: float, pacer: Pacer | None) -> Judgement | None:
        """See the class."""
        answered = _over(tally)
        if answered < self._least or not _below(tally.msec, answered, self._widest):
            return None
        step, level = self.spec.critical, Level.CRITICAL
        if self.spec.warning is not None and not _below(tally.msec, answered, step.at):
            step, level = self.spec.warning, Level.WARNING
        return Judgement(level, step, _seconds(tally.msec, answered), f"{plain(step.at)} s")

    def headroom(self, tally: Tally, at: float) -> int:
        """Calls that may all be hung up at once before the average falls below the first level."""
        answered = tally.completed + tally.short + tally.live
        by_length = floor(Fraction(tally.msec, 1000) / self._widest) - answered if self._widest else UNLIMITED
        by_sample = self._least - 1 - answered
        return min(UNLIMITED, max(0, by_length, by_sample))

    def standing(self, tally: Tally, at: float) -> tuple[str, str]:
        """The average so far, and the limit."""
        return _seconds(tally.msec, _over(tally)), f"{plain(self.spec.critical.at)} s"

    def close(self, tally: Tally, divisor: int) -> Closed:
        """The average of the whole cycle. There is no excess of what is too little."""
        answered = _over(tally)
        value = Fraction(tally.msec, 1000 * answered) if answered else Fraction(0)
        breached = answered >= self._least and value < self.spec.critical.at
        return Closed(value, breached, Fraction(0), tally.attempts, tally.completed + tally.talking)


def _over(tally: Tally) -> int:
    """Answered calls whose length is known."""
    return tally.completed + tally.short - (tally.unseen if isinstance(tally, Detailed) else 0)


def _below(msec: int, calls: int, seconds: Fraction) -> bool:
    return msec < 1000 * seconds * calls


def _seconds(msec: int, calls: int) -> str:
    return f"{plain(Fraction(msec, 1000 * calls))} s" if calls else "-"
