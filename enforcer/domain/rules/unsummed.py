"""What rules have in common that look at something else than a sum of one account's calls.

In: nothing of a tally. Out: no judgement by it, and no lease that ends by it.
Refuses to know: what such a rule does look at; see its `weigh`, or its `close`.
"""

from __future__ import annotations

from enforcer.domain.measure import Measure
from enforcer.domain.rules.base import UNLIMITED, Judgement, Rule, plain
from enforcer.domain.rules.pace import Pacer
from enforcer.domain.usage import Tally


class Unsummed(Rule):
    """Strikes, a number that opted out, a share of a busy switch, an average over many accounts."""

    __slots__ = ()

    @classmethod
    def named(cls, measure: Measure) -> str:
        """Its noun says it all: no window that calls are added up in belongs to it."""
        return cls.noun

    def judge(self, tally: Tally, at: float, pacer: Pacer | None) -> Judgement | None:
        """Nothing to say of any sum."""
        return None

    def headroom(self, tally: Tally, at: float) -> int:
        """No sum ever reaches it."""
        return UNLIMITED

    def standing(self, tally: Tally, at: float) -> tuple[str, str]:
        """No sum stands anywhere; only the limit does."""
        return "-", plain(self.spec.critical.at)
