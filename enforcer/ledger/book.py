"""One book: the tallies of one account or one customer, and which tallies a call belongs to.

In: a policy. Out: empty books, and for each kind of call the places in a book that count it.
Refuses to know: calls, and whose book it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from enforcer.domain.call import Direction, Medium, NumberClass
from enforcer.domain.cycle import Span
from enforcer.domain.measure import Measure, Scope, Window
from enforcer.domain.policy import Policy
from enforcer.domain.usage import Rolling, tally_for

WHENEVER = -1       # in the place of a calendar: of measures that have no cycles


class Book:
    """The tallies of one account or customer: of the cycles of today, and of the calls in progress.

    `tallies` stand in the order of the policy's measures, `spans` in that of its calendars. `ahead` is True
    where a call was seen that begins after a span: the tallies of the next one do not begin empty then.
    """

    __slots__ = ("ahead", "spans", "tallies")

    def __init__(self, spans: list[Span], measures: Sequence[Measure]) -> None:
        self.spans = spans
        self.tallies = [tally_for(measure) for measure in measures]
        self.ahead = [False] * len(spans)

    def move(self, at: float, measures: Sequence[Measure]) -> None:
        """Rolling windows are those at `at` from now on."""
        for measure, tally in zip(measures, self.tallies, strict=True):
            if isinstance(tally, Rolling):
                tally.move(at, measure)


# For a kind of call: by scope, by calendar (or `WHENEVER`), the measures that count it and their places.
Placed = tuple[tuple[int, Measure], ...]
Columns = tuple[tuple[Scope, tuple[tuple[int, Placed], ...]], ...]


def columns(
    policy: Policy, wanted: Callable[[Measure], bool] = lambda _measure: True
) -> dict[tuple[Medium, Direction, NumberClass], Columns]:
    """Which tallies count a call or message in this direction to this class of number, of those measures that
    are `wanted`: found once a policy, not once a call."""
    return {
        (medium, direction, kind): tuple(
            (scope, groups) for scope in Scope
            if (groups := _groups(policy, scope, medium, direction, kind, wanted))
        )
        for medium in Medium for direction in Direction for kind in NumberClass
    }


def _groups(
    policy: Policy, scope: Scope, medium: Medium, direction: Direction, kind: NumberClass,
    wanted: Callable[[Measure], bool],
) -> tuple[tuple[int, Placed], ...]:
    calendars = policy.calendars[scope]
    groups: dict[int, list[tuple[int, Measure]]] = {}
    for place, measure in enumerate(policy.measures[scope]):
        if wanted(measure) and measure.includes(direction, kind, medium):
            cycles = measure.window is Window.CYCLE
            which = calendars.index(measure.calendar) if cycles else WHENEVER
            groups.setdefault(which, []).append((place, measure))
    return tuple((which, tuple(placed)) for which, placed in groups.items())


