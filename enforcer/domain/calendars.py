"""The billing cycles of one subject whose anchor day or time zone may be changed.

In: its calendars, and when each was entered. Out: the cycle that holds an instant, or that has a name.
Refuses to know: whose calendars they are.

A change counts from the end of the cycle in which it was made. Where the new calendar's cycle of that moment
has the same name, the cycle goes on until the new calendar begins the next one:

    day 1 of the month      |  2026-10  |                       changed to day 15 on 20 October
    day 15 of the month                 .      |  2026-11  |
    what is billed          |     2026-10      |  2026-11  |

So every instant lies in exactly one cycle, no two cycles have one name, and no cycle that is over is touched.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from enforcer.domain.cycle import BillingCycle, Span

ALWAYS = float("-inf")


class _Part(NamedTuple):
    """A calendar, from when it counts, and the cycle that ends there under the calendar before."""

    since: float
    calendar: BillingCycle
    start: float                # of the cycle that ends at `since`
    label: str


class Calendars:
    """See the module. `changes` are (Unix seconds, calendar), oldest first; the first counts for all time
    before it as well."""

    def __init__(self, changes: Iterable[tuple[float, BillingCycle]]) -> None:
        (_, first), *later = changes
        self._parts = [_Part(ALWAYS, first, ALWAYS, "")]
        for at, calendar in later:
            last = self._parts[-1]
            if at < last.since:         # changed again before the change counted: the last word stands
                self._parts[-1] = last._replace(calendar=calendar)
            elif calendar != last.calendar:
                ending = self.at(at)
                self._parts.append(_Part(ending.end, calendar, ending.start, ending.label))

    def timezone(self, at: float) -> str:
        """The zone whose midnights its cycles began at then."""
        return next(part.calendar.timezone for part in reversed(self._parts) if part.since <= at)

    def at(self, at: float) -> Span:
        """The cycle in which the instant `at` (Unix seconds) lies."""
        nth = max(n for n, part in enumerate(self._parts) if part.since <= at)
        part = self._parts[nth]
        span = part.calendar.at(at)
        if span.label <= part.label:        # the cycle before goes on
            span = Span(part.start, part.calendar.named(part.label).end, part.label)
        elif span.start < part.since:
            span = span._replace(start=part.since)
        for following in self._parts[nth + 1:]:
            if following.since == span.end and following.calendar.at(span.end).label <= span.label:
                span = span._replace(end=following.calendar.named(span.label).end)
        return span

    def named(self, label: str) -> Span | None:
        """The cycle that people call `label`; None where a change skipped it. Raises ValueError where no
        month has that name."""
        probes = [max(part.calendar.named(label).start, part.since) for part in self._parts]
        probes += [part.start for part in self._parts[1:]]
        return next((span for span in map(self.at, probes) if span.label == label), None)
