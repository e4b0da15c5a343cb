"""Answer-seizure ratio: attempts against completed calls, over a billing cycle.

Source of the arithmetic: IP2Call, "Answer to Seizure Ratio (ASR)": breached when attempts
"exceed their completed calls by a factor of four (4) or more": A >= 4 * C, and A > 0.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

from enforcer.domain.charge import Per
from enforcer.domain.decision import Level
from enforcer.domain.measure import Measure
from enforcer.domain.rules.base import UNLIMITED, Closed, Judgement, Rule, RuleSpec, plain
from enforcer.domain.rules.pace import Pacer
from enforcer.domain.usage import Tally


class AnswerSeizureRatio(Rule):
    """Levels are factors: attempts per completed call. A level is reached at A >= factor * C, or, where the
    policy says "more than", at A > factor * C.

    A running ratio must not punish calls whose end nobody knows yet, so ringing calls are left
    out, and calls being talked on count as completed until they end short. Below `min_attempts`
    nothing is judged (live only: settlement at the close of a cycle is literal).
    """

    noun = "attempts per completed call"
    unit = "attempts/completed"
    charged_by = Per.ATTEMPT
    __slots__ = ("_exceeds", "_least")

    def __init__(self, spec: RuleSpec) -> None:
        super().__init__(spec)
        self._least = self.glance.quiet = max(1, spec.min_attempts)
        self._exceeds = bool(spec.exceeds)

    @classmethod
    def named(cls, measure: Measure) -> str:
        """A ratio is one over its cycle, unless something else is said."""
        name = super().named(measure)
        return cls.noun if name.endswith("this cycle") else name

    def judge(self, tally: Tally, at: float, pacer: Pacer | None) -> Judgement | None:
        """See the class. C = 0 with A > 0 reaches every factor."""
        attempts = tally.attempts - tally.ringing
        completed = tally.completed + tally.talking
        if attempts < self._least or not self._reached(attempts, completed, self._first):
            return None
        step, level = self.spec.critical, Level.CRITICAL
        if self.spec.warning is not None and not self._reached(attempts, completed, step.at):
            step, level = self.spec.warning, Level.WARNING
        return Judgement(level, step, _ratio(attempts, completed), plain(step.at))

    def headroom(self, tally: Tally, at: float) -> int:
        """Failing attempts until the first factor is reached, or until the sample is judged."""
        attempts = tally.attempts       # calls still ringing may all fail
        limit = self._first * tally.completed       # calls being talked on may all end short
        last_fine = floor(limit) if self._exceeds else ceil(limit) - 1
        return min(UNLIMITED, max(0, max(last_fine, self._least - 1) - attempts))

    def standing(self, tally: Tally, at: float) -> tuple[str, str]:
        """The running ratio and the critical factor."""
        attempts = tally.attempts - tally.ringing
        return _ratio(attempts, tally.completed + tally.talking), plain(self.spec.critical.at)

    def close(self, tally: Tally, divisor: int) -> Closed:
        """The ratio to the letter, whatever the size of the sample."""
        limit = self.spec.critical.at
        attempts, completed = tally.attempts - tally.ringing, tally.completed + tally.talking
        value = Fraction(attempts, completed) if completed else None if attempts else Fraction()
        fine = floor(limit * completed) if self._exceeds else max(0, ceil(limit * completed) - 1)
        breached = attempts > 0 and self._reached(attempts, completed, limit)
        return Closed(value, breached, Fraction(attempts - fine), attempts, completed)

    def _reached(self, attempts: int, completed: int, factor: Fraction) -> bool:
        ours, theirs = attempts * factor.denominator, factor.numerator * completed
        return ours > theirs if self._exceeds else ours >= theirs


def _ratio(attempts: int, completed: int) -> str:
    if completed == 0:
        return f"{attempts}/0"
    return f"{attempts}/{completed} = {plain(Fraction(attempts, completed))}"
