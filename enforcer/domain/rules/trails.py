"""Indicators that no sum of calls shows: how many different numbers, one number again and again, numbers in
a row, many names for one caller, redialling.

Each is a number of the window's calls, looked at one by one (`trail`). They point at what clauses forbid and
signalling cannot prove: harvesting of numbers, harassment, reselling, evasion. So the packs only tag by them,
and give the evidence.
"""

from __future__ import annotations

from dataclasses import replace

from enforcer.domain.measure import Detail, Measure
from enforcer.domain.rules.base import Count
from enforcer.domain.trail import Trail
from enforcer.domain.usage import Detailed, Tally


class TrailCount(Count):
    """Base of them all: levels are numbers that are still fine."""

    detail = Detail.NUMBERS
    __slots__ = ()

    @classmethod
    def with_detail(cls, measure: Measure) -> Measure:
        """The measure, with what this kind has to remember of single calls."""
        return replace(measure, details=measure.details | {cls.detail}, per_leg=False)

    @staticmethod
    def measured(measure: Measure) -> Measure:
        """See `with_detail`; each kind names its own."""
        raise NotImplementedError

    def counted(self, tally: Tally) -> int:
        """The number that the levels are about."""
        assert isinstance(tally, Detailed)
        return 0 if tally.trail is None else self.traced(tally.trail)

    def traced(self, trail: Trail) -> int:
        """The number, as the trail has it."""
        raise NotImplementedError


class DistinctNumbers(TrailCount):
    """How many different numbers were tried (DDC): a household or an extension knows only so many people."""

    noun = "distinct numbers"
    unit = "numbers"
    __slots__ = ()

    @staticmethod
    def measured(measure: Measure) -> Measure:
        """Remembers the numbers."""
        return DistinctNumbers.with_detail(measure)

    def traced(self, trail: Trail) -> int:
        """Different numbers."""
        return trail.numbers.distinct if trail.numbers is not None else 0


class SameNumber(TrailCount):
    """How often the number that was tried most was tried: again and again is harassment, or a broken
    dialler."""

    noun = "calls to one number"
    unit = "calls to one number"
    __slots__ = ()

    @staticmethod
    def measured(measure: Measure) -> Measure:
        """Remembers the numbers."""
        return SameNumber.with_detail(measure)

    def traced(self, trail: Trail) -> int:
        """Calls to the most frequent number."""
        return trail.numbers.most if trail.numbers is not None else 0


class DistinctCallers(TrailCount):
    """How many different numbers were shown as the caller's: one line that speaks for many is resold, or
    changes its name so as not to be known."""

    detail = Detail.CALLERS
    noun = "distinct caller numbers"
    unit = "caller numbers"
    __slots__ = ()

    @staticmethod
    def measured(measure: Measure) -> Measure:
        """Remembers the callers' numbers."""
        return DistinctCallers.with_detail(measure)

    def traced(self, trail: Trail) -> int:
        """Different callers."""
        return trail.callers.distinct if trail.callers is not None else 0


class SequentialNumbers(TrailCount):
    """How many numbers were tried of which the next one was tried as well: whoever dials through a block of
    numbers collects them, or sells at random."""

    detail = Detail.SEQUENCE
    most_at_once = 2            # one number may have two neighbours
    noun = "numbers in a row"
    unit = "numbers in a row"
    __slots__ = ()

    @staticmethod
    def measured(measure: Measure) -> Measure:
        """Remembers the numbers in their order."""
        return SequentialNumbers.with_detail(measure)

    def traced(self, trail: Trail) -> int:
        """Neighbouring pairs."""
        return trail.sequence.pairs if trail.sequence is not None else 0


class Redials(TrailCount):
    """How many calls began soon after another one to the same number began: chains of them stretch one long
    call into many short ones, or hammer at a busy line."""

    detail = Detail.REDIALS
    most_at_once = 2            # a late CDR may stand between two calls
    noun = "redials"
    unit = "redials"
    __slots__ = ()

    @staticmethod
    def measured(measure: Measure) -> Measure:
        """Remembers when each number was tried."""
        return Redials.with_detail(measure)

    def traced(self, trail: Trail) -> int:
        """Calls that began within `redial_seconds` after the one before."""
        return trail.redials.chained if trail.redials is not None else 0
