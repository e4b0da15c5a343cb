"""Shares: which part of an account's calls is short, fails, costs much, or ends just above the cut-off.

Source of the kinds: what carriers publish about short-duration traffic. Telnyx: more than 15 % of connected
calls at most 6 s long; Genesys: 15 % or more, of at least 100; CallTrackingMetrics: more than 20 % under
6 s, more than 25 % of calls incomplete. Flowroute: more than 20 % of the calls of 24 hours to high-cost
numbers.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

from enforcer.domain.charge import Per
from enforcer.domain.decision import Level
from enforcer.domain.measure import Measure
from enforcer.domain.rules.base import UNLIMITED, Closed, Judgement, Rule, RuleSpec, plain
from enforcer.domain.rules.pace import Pacer
from enforcer.domain.usage import Detailed, Tally


class Share(Rule):
    """Levels are percentages: a level is passed when the share is more than `at`, or, where the policy says
    "or more", `at` itself. Below `min_attempts` and `min_answered` nothing is judged (live only)."""

    unit = "%"
    rings_count = False         # whether a call belongs to the whole while it rings
    charged_by = Per.CALL
    __slots__ = ("_reaches",)

    def __init__(self, spec: RuleSpec) -> None:
        super().__init__(spec)
        self._reaches = spec.exceeds is False
        self.glance.quiet = max(1, spec.min_attempts, spec.min_answered)

    def part(self, tally: Tally) -> int:
        """The calls that the share is of."""
        raise NotImplementedError

    def whole(self, tally: Tally) -> int:
        """All calls that they are a share of. Calls whose end nobody knows yet speak for the account."""
        raise NotImplementedError

    def doubtful(self, tally: Tally) -> int:
        """Calls in progress that may turn out to belong to the part."""
        return tally.live

    def judge(self, tally: Tally, at: float, pacer: Pacer | None) -> Judgement | None:
        """See the class. A share of nothing is no share."""
        part, whole = self.part(tally), self.whole(tally)
        if not self._passed(part, whole, self._first) or not self._sampled(tally):
            return None
        step, level = self.spec.critical, Level.CRITICAL
        if self.spec.warning is not None and not self._passed(part, whole, step.at):
            step, level = self.spec.warning, Level.WARNING
        return Judgement(level, step, _percent(part, whole), f"{plain(step.at)} %")

    def headroom(self, tally: Tally, at: float) -> int:
        """Attempts that may all add to the part before the first level is passed, or the sample is judged.

        After n more of them the share is (part + n) / (whole + n): solved for n. Calls in progress may turn
        out to belong to the part as well.
        """
        fine, all_of_it = self._first.numerator, 100 * self._first.denominator      # whole numbers: it is hot
        if fine > all_of_it or (fine == all_of_it and not self._reaches):
            return UNLIMITED
        part = self.part(tally) + self.doubtful(tally)
        whole = max(self.whole(tally), part)
        over, under = fine * whole - all_of_it * part, all_of_it - fine
        if not under:
            more = -1
        else:
            more = -(-over // under) - 1 if self._reaches else over // under
        unjudged = max(self.spec.min_attempts - tally.attempts,
                       self.spec.min_answered - self._answered(tally) - tally.live) - 1
        return min(UNLIMITED, max(0, more, unjudged))

    def standing(self, tally: Tally, at: float) -> tuple[str, str]:
        """The share so far, and the limit."""
        return _percent(self.part(tally), self.whole(tally)), f"{plain(self.spec.critical.at)} %"

    def close(self, tally: Tally, divisor: int) -> Closed | None:
        """The share of the whole cycle, where the sample is large enough for the clause to speak of it."""
        part, whole, limit = self.part(tally), self.whole(tally), self.spec.critical.at
        value = Fraction(100 * part, whole) if whole else Fraction(0)
        fine = limit * whole / 100
        allowed = max(0, ceil(fine) - 1) if self._reaches else floor(fine)
        breached = self._passed(part, whole, limit) and self._sampled(tally)
        completed = tally.completed + tally.talking
        return Closed(value, breached, Fraction(part - allowed), tally.attempts, completed)

    def _passed(self, part: int, whole: int, percent: Fraction) -> bool:
        if not whole:
            return False
        ours, theirs = 100 * part * percent.denominator, percent.numerator * whole
        return ours >= theirs and part > 0 if self._reaches else ours > theirs

    def _sampled(self, tally: Tally) -> bool:
        """Whether there are enough calls; one that still rings is none of them where it has no share yet."""
        enough = tally.attempts - (0 if self.rings_count else tally.ringing) >= self.spec.min_attempts
        return enough and self._answered(tally) >= self.spec.min_answered

    @staticmethod
    def _answered(tally: Tally) -> int:
        return tally.completed + tally.short + tally.talking


class ShortCalls(Share):
    """Short calls: answered, and over before they count as completed. Of all answered ones, or of all
    attempts."""

    noun = "short calls"
    __slots__ = ()

    def part(self, tally: Tally) -> int:
        """Answered calls that ended short."""
        return tally.short

    def whole(self, tally: Tally) -> int:
        """Answered calls, or attempts whose end is known."""
        if self.spec.of_attempts:
            return tally.attempts - tally.ringing
        return self._answered(tally)


class FailedCalls(Share):
    """Calls that nobody answered."""

    noun = "failed calls"
    charged_by = Per.ATTEMPT
    __slots__ = ()

    def part(self, tally: Tally) -> int:
        """Attempts that are over and were never answered."""
        return tally.attempts - tally.ringing - self._answered(tally)

    def whole(self, tally: Tally) -> int:
        """Attempts whose end is known, or that were answered."""
        return tally.attempts - tally.ringing


class ClassShare(Share):
    """Attempts to certain classes of number, such as those that cost the carrier much."""

    noun = "calls to such numbers"
    rings_count = True          # its number tells
    charged_by = Per.ATTEMPT
    __slots__ = ()

    @classmethod
    def named(cls, measure: Measure) -> str:
        """Says which numbers."""
        classes = " and ".join(sorted(kind.value.replace("_", " ") for kind in measure.marked))
        return super().named(measure).replace("such", classes) if classes else super().named(measure)

    def part(self, tally: Tally) -> int:
        """Attempts to those classes."""
        assert isinstance(tally, Detailed)
        return tally.marked

    def whole(self, tally: Tally) -> int:
        """All attempts."""
        return tally.attempts

    def doubtful(self, tally: Tally) -> int:
        """None: its number tells."""
        return 0


class DurationCliff(Share):
    """Completed calls that lasted only just long enough to count as completed: many of them, where people
    talk as long as they like, show that somebody keeps lines open for the cut-off's sake."""

    noun = "calls just above the cut-off"
    __slots__ = ()

    def part(self, tally: Tally) -> int:
        """Completed calls that would have been short a moment before."""
        assert isinstance(tally, Detailed)
        return tally.near

    def whole(self, tally: Tally) -> int:
        """Completed calls."""
        return tally.completed + tally.talking


def _percent(part: int, whole: int) -> str:
    if not whole:
        return f"{part}/0"
    return f"{part}/{whole} = {plain(Fraction(100 * part, whole))} %"
