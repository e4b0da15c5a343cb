"""Calls per second: how fast calls may be set up."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import floor

from enforcer.domain.decision import Level
from enforcer.domain.measure import Measure, Window
from enforcer.domain.rules.base import Judgement, Rule, RuleSpec, plain
from enforcer.domain.rules.pace import Pace, Pacer
from enforcer.domain.usage import Tally


class CallsPerSecond(Rule):
    """Levels are set-ups per second that are still fine, in any window of one second.

    Counted are calls let through: those that were shed or blocked use nothing up, so an account
    that floods is held to its rate and not shut out. With THROTTLE the limit is also the pace.
    Raises ValueError for a limit of 0 or less.
    """

    per_call = True
    noun = "calls per second"
    unit = "calls/s"
    __slots__ = ("_fine",)

    @classmethod
    def named(cls, measure: Measure) -> str:
        """A matter of the moment."""
        return cls.noun

    def __init__(self, spec: RuleSpec) -> None:
        super().__init__(replace(spec, pace=Pace.of_rate(spec.critical.at, spec.pace.max_hold)))
        seconds = Fraction(self.spec.pace.seconds)
        self._fine = None if spec.warning is None else floor(spec.warning.at * seconds)

    @staticmethod
    def measured(measure: Measure) -> Measure:
        """The rate lives in the pacer; the tally beside it is of calls in progress."""
        return replace(measure, window=Window.LIVE, per_leg=False)

    def judge(self, tally: Tally, at: float, pacer: Pacer | None) -> Judgement | None:
        """Critical when the call would have to wait for its turn."""
        if pacer is None:
            return None
        step, level = self.spec.critical, Level.CRITICAL
        if pacer.hold(at) <= 0.0:
            fine, warning = self._fine, self.spec.warning
            if fine is None or warning is None or (fine > 0 and not pacer.busy(fine, at)):
                return None
            step, level = warning, Level.WARNING
        calls, seconds = pacer.used(at) + 1, self.spec.pace.seconds
        rate = str(calls) if seconds == 1.0 else plain(calls / Fraction(seconds))
        return Judgement(level, step, rate, plain(step.at))

    def headroom(self, tally: Tally, at: float) -> int:
        """None to give away: every call has to be seen."""
        return 0

    def standing(self, tally: Tally, at: float) -> tuple[str, str]:
        """The rate is a matter of the moment; only the limit stands."""
        return "-", plain(self.spec.critical.at)
