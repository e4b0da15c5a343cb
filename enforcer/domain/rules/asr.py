"""Answer-seizure ratio: attempts against completed calls, over a billing cycle.

Source of the arithmetic: IP2Call, "Answer to Seizure Ratio (ASR)": breached when attempts
"exceed their completed calls by a factor of four (4) or more": A >= 4 * C, and A > 0.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil

from enforcer.domain.decision import Level
from enforcer.domain.rules.base import UNLIMITED, Judgement, Pacer, Rule, RuleSpec, plain
from enforcer.domain.usage import Tally


class AnswerSeizureRatio(Rule):
    """Levels are factors: attempts per completed call. A level is reached at A >= factor * C.

    A running ratio must not punish calls whose end nobody knows yet, so ringing calls are left
    out, and calls being talked on count as completed until they end short. Below `min_attempts`
    nothing is judged (live only: settlement at the close of a cycle is literal).
    """

    metric = "attempts per completed call"
    unit = "attempts/completed"
    __slots__ = ("_least",)

    def __init__(self, spec: RuleSpec) -> None:
        super().__init__(spec)
        self._least = max(1, spec.min_attempts)

    def judge(self, tally: Tally, at: float, pacer: Pacer | None) -> Judgement | None:
        """See the class. C = 0 with A > 0 reaches every factor."""
        attempts = tally.attempts - tally.ringing
        completed = tally.completed + tally.talking
        first = self._first
        if attempts < self._least or attempts * first.denominator < first.numerator * completed:
            return None
        step, level = self.spec.critical, Level.CRITICAL
        if attempts < step.at * completed and self.spec.warning is not None:
            step, level = self.spec.warning, Level.WARNING
        return Judgement(level, step, _ratio(attempts, completed), plain(step.at))

    def headroom(self, tally: Tally, at: float) -> int:
        """Failing attempts until the first factor is reached, or until the sample is judged."""
        attempts = tally.attempts       # calls still ringing may all fail
        reach = ceil(self._first * tally.completed)     # calls being talked on may all end short
        return min(UNLIMITED, max(0, max(reach, self._least) - 1 - attempts))

    def standing(self, tally: Tally, at: float) -> tuple[str, str]:
        """The running ratio and the critical factor."""
        attempts = tally.attempts - tally.ringing
        return _ratio(attempts, tally.completed + tally.talking), plain(self.spec.critical.at)


def _ratio(attempts: int, completed: int) -> str:
    if completed == 0:
        return f"{attempts}/0"
    return f"{attempts}/{completed} = {plain(Fraction(attempts, completed))}"
