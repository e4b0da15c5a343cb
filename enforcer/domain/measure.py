"""Which calls and messages a rule counts, and over what stretch of time.

In: what a policy says. Out: `Measure`s; rules that count the same things share one tally.
Refuses to know: what is counted about them (`usage`), limits, verdicts, the clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from itertools import product
from math import floor
from typing import NamedTuple

from enforcer.domain.call import UNTOUCHED, CallRecord, Direction, Medium, NumberClass
from enforcer.domain.cycle import BillingCycle, Period, Span

SHORT_CALL_MSEC = 6000      # IP2Call, Answer to Seizure Ratio: "duration less than 6 seconds"
# A rolling window moves on in so many steps of its length: a day's in 12 minutes, an hour's in 30 seconds.
STEPS = 120


class Scope(StrEnum):
    """Whose calls are added up."""

    ACCOUNT = "account"
    CUSTOMER = "customer"


class Window(StrEnum):
    """Over which calls: those that started in a cycle of a calendar, those that started in the last so many
    seconds, or those in progress."""

    CYCLE = "cycle"
    ROLLING = "rolling"
    LIVE = "live"


class Detail(StrEnum):
    """What has to be remembered of single calls, for metrics that no sum can tell."""

    NUMBERS = "numbers"         # which numbers were tried, and how often each
    CALLERS = "callers"         # which numbers were shown as the caller's
    SEQUENCE = "sequence"       # numbers whose neighbour was tried as well
    REDIALS = "redials"         # numbers tried again within `redial_seconds`
    UNSEEN = "unseen"           # answered calls whose end nobody saw: how long they were, nobody knows


class Calendar(NamedTuple):
    """Whose cycles a window is: the subject's own billing cycle unless something else is said. An anchor of 0
    and a zone of "" are the subject's."""

    period: Period = Period.MONTH
    anchor: int = 0
    timezone: str = ""

    def of(self, anchor_day: int, timezone: str) -> BillingCycle:
        """The cycles for a subject whose billing cycle has this anchor and zone."""
        zone = self.timezone or timezone
        if self.period is Period.MONTH:
            return BillingCycle(self.anchor or anchor_day, zone)
        return BillingCycle(self.anchor or 1, zone, self.period)


OWN = Calendar()
Calls = frozenset[tuple[Medium, Direction, NumberClass]]


@dataclass(frozen=True, slots=True)
class Measure:
    """Which calls a rule counts.

    A completed call was answered and lasted at least `short_msec`; with `short_includes_equal` it must
    have lasted longer. `only` (where not empty) and `without` filter number classes, and
    `without_inbound` those of calls received: the toll-free number that was called is one's own.
    `routes` (where not empty) are the carriers or trunks that a call went or came by.
    Emergency calls and calls back after them are never counted, whatever these say. `calls` follows from all.

    `per_leg`: each leg dialled is an attempt, else each call is one. `marked` classes are counted apart
    as well, and completed calls that lasted less than `near_msec` longer than a short one.
    """

    scope: Scope = Scope.ACCOUNT
    window: Window = Window.CYCLE
    directions: frozenset[Direction] = frozenset({Direction.OUTBOUND})
    short_msec: int = SHORT_CALL_MSEC
    short_includes_equal: bool = False
    only: frozenset[NumberClass] = frozenset()
    without: frozenset[NumberClass] = frozenset()
    without_inbound: frozenset[NumberClass] = frozenset()
    mediums: frozenset[Medium] = frozenset({Medium.CALL})
    routes: frozenset[str] = frozenset()
    per_leg: bool = False
    seconds: int = 0                    # the length of a rolling window
    calendar: Calendar = OWN
    marked: frozenset[NumberClass] = frozenset()
    near_msec: int = 0
    redial_seconds: int = 0
    details: frozenset[Detail] = frozenset()
    calls: Calls = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Look up, for each call, rather than work out: `calls` says it all."""
        kinds = (self.only or frozenset(NumberClass)) - self.without - UNTOUCHED
        wanted = frozenset(product(self.mediums, self.directions, kinds))
        left_out = frozenset(product(self.mediums, (Direction.INBOUND,), self.without_inbound))
        object.__setattr__(self, "calls", wanted - left_out)

    def counts(self, record: CallRecord) -> bool:
        """Whether this record belongs here, its time aside."""
        return (record.medium, record.direction, record.number_class) in self.calls and (
            not self.routes or record.route in self.routes
        )

    def includes(self, direction: Direction, kind: NumberClass, medium: Medium = Medium.CALL) -> bool:
        """Whether calls (or messages) in this direction to this class of number belong here."""
        return (medium, direction, kind) in self.calls

    def short(self, billmsec: int) -> bool:
        """Whether an answered call of this length is short, hence not completed."""
        return billmsec <= self.short_msec if self.short_includes_equal else billmsec < self.short_msec

    @property
    def summed(self) -> bool:
        """Whether sums of calls are all it takes; else calls are looked at one by one."""
        return self.window is not Window.ROLLING and not self.details

    @property
    def billing(self) -> bool:
        """Whether its window is the subject's own billing cycle, so that the close of that one settles it."""
        return self.window is Window.CYCLE and self.calendar == OWN

    @property
    def step(self) -> float:
        """By how many seconds a rolling window moves on at a time."""
        return self.seconds / STEPS

    def edge(self, at: float) -> int:
        """The last step that lies outside of the rolling window at `at`: what started in it, or earlier, does
        not count any more. So the window is never longer than `seconds`, and at most a step shorter."""
        return floor((at - self.seconds) / self.step)

    def rolling_span(self, at: float) -> Span:
        """The rolling window at `at`."""
        return Span((self.edge(at) + 1) * self.step, float("inf"), f"last {self.seconds} s")
