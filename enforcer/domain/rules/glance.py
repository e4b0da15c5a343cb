"""What every question needs of a rule, at a glance.

In: a rule. Out: the few facts that `decide` reads for each call, in an object of one class: Python finds
fields of one class faster than those of twenty kinds.
Refuses to know: what the rule makes of a call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from enforcer.domain.rules.base import Rule


class Glance:
    """`quiet`: while its tally counts fewer attempts than this, the rule surely has nothing to say. 0 where
    no number of attempts tells; a kind that knows better says so when it is made. The rest is the rule's."""

    __slots__ = ("about", "judge", "quiet", "routes", "summed", "weigh")

    def __init__(self, rule: Rule) -> None:
        self.quiet = 0
        self.about = rule.about
        self.routes = rule.routes
        self.summed = rule.summed
        self.judge = rule.judge
        self.weigh = rule.weigh
