"""Attempts and messages in a stretch of time: how many may be tried, how many may be sent."""

from __future__ import annotations

from dataclasses import replace

from enforcer.domain.call import Medium
from enforcer.domain.charge import Per
from enforcer.domain.measure import Measure
from enforcer.domain.rules.base import Count
from enforcer.domain.usage import Tally


class Attempts(Count):
    """Levels are numbers of attempts that are still fine: one more is past the level."""

    noun = "attempts"
    unit = "attempts"
    charged_by = Per.ATTEMPT
    __slots__ = ()

    def counted(self, tally: Tally) -> int:
        """Attempts, however they ended."""
        return tally.attempts


class Messages(Count):
    """Levels are numbers of text messages that are still fine: one more is past the level."""

    noun = "messages"
    unit = "messages"
    charged_by = Per.MESSAGE
    __slots__ = ()

    @staticmethod
    def measured(measure: Measure) -> Measure:
        """Messages, and no calls."""
        return replace(measure, mediums=frozenset({Medium.MESSAGE}))

    def counted(self, tally: Tally) -> int:
        """Messages that were let go."""
        return tally.attempts
