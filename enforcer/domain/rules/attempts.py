"""Attempts and messages in a stretch of time: how many may be tried, how many may be sent."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from enforcer.domain.call import Medium
from enforcer.domain.charge import Per
from enforcer.domain.decision import Verdict
from enforcer.domain.measure import Measure, Window
from enforcer.domain.rules.base import Count
from enforcer.domain.usage import Tally

if TYPE_CHECKING:
    from enforcer.domain.rules.seat import Seat


class Tried(Count):
    """Base of both: whatever is tried adds to the number."""

    __slots__ = ()

    def exhausted(self, seat: Seat, at: float) -> bool:
        """Whether one more would be past a limit that blocks, in a cycle that only ever adds."""
        spec = self.spec
        return (
            spec.critical.verdict is Verdict.BLOCK and spec.measure.window is Window.CYCLE
            and not spec.also and not spec.measure.routes
            and self.counted(seat.tally) + 1 > spec.critical.at
        )


class Attempts(Tried):
    """Levels are numbers of attempts that are still fine: one more is past the level."""

    noun = "attempts"
    unit = "attempts"
    charged_by = Per.ATTEMPT
    __slots__ = ()

    def counted(self, tally: Tally) -> int:
        """Attempts, however they ended."""
        return tally.attempts


class Messages(Tried):
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
