"""Numbers from calls: which calls a rule counts, and what each of them adds.

In: call records. Out: tallies. `contribute` is the one definition of every counter; the
ledger keeps tallies by taking back what a record added before and adding what it adds now,
and `recount` derives the same tally from nothing but records.
Refuses to know: limits, verdicts, the clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import product
from typing import NamedTuple

from enforcer.domain.call import CallRecord, Direction, NumberClass, Refusal, Source, milliseconds

SHORT_CALL_MSEC = 6000      # IP2Call, Answer to Seizure Ratio: "duration less than 6 seconds"


class Scope(StrEnum):
    """Whose calls are added up."""

    ACCOUNT = "account"
    CUSTOMER = "customer"


class Window(StrEnum):
    """Over which calls: those that started in the billing cycle, or those in progress."""

    CYCLE = "cycle"
    LIVE = "live"


@dataclass(frozen=True, slots=True)
class Measure:
    """Which calls a rule counts. Two rules that count the same calls share one tally.

    A completed call was answered and lasted at least `short_msec`; with `short_includes_equal`
    it must have lasted longer. `only` (where not empty) and `without` filter number classes, and
    `without_inbound` those of calls received: the toll-free number that was called is one's own.
    Emergency calls are never counted, whatever these say. `calls` follows from these.
    """

    scope: Scope = Scope.ACCOUNT
    window: Window = Window.CYCLE
    directions: frozenset[Direction] = frozenset({Direction.OUTBOUND})
    short_msec: int = SHORT_CALL_MSEC
    short_includes_equal: bool = False
    only: frozenset[NumberClass] = frozenset()
    without: frozenset[NumberClass] = frozenset()
    without_inbound: frozenset[NumberClass] = frozenset()
    calls: frozenset[tuple[Direction, NumberClass]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Look up, for each call, rather than work out: `calls` says it all."""
        kinds = (self.only or frozenset(NumberClass)) - self.without - {NumberClass.EMERGENCY}
        left_out = product((Direction.INBOUND,), self.without_inbound)
        object.__setattr__(self, "calls", frozenset(product(self.directions, kinds)).difference(left_out))

    def counts(self, record: CallRecord) -> bool:
        """Whether this record belongs here, its time aside."""
        return (record.direction, record.number_class) in self.calls

    def includes(self, direction: Direction, kind: NumberClass) -> bool:
        """Whether calls in this direction to this class of number belong here."""
        return (direction, kind) in self.calls

    def short(self, billmsec: int) -> bool:
        """Whether an answered call of this length is short, hence not completed."""
        return billmsec <= self.short_msec if self.short_includes_equal else billmsec < self.short_msec


@dataclass(slots=True)
class Tally:
    """The counters of one measure, for one account or customer and one cycle.

    `attempts` = `ringing` + `talking` + `completed` + `short` + unanswered. Refused calls
    (`blocked`, `shed`) are in none of these: otherwise blocking would feed itself.
    `msec` is the billed time of ended calls; `talking_since` the sum of the answer times of
    calls in progress (milliseconds), which gives their running time at any instant.
    """

    attempts: int = 0
    ringing: int = 0
    talking: int = 0
    completed: int = 0
    short: int = 0
    msec: int = 0
    talking_since: int = 0
    blocked: int = 0
    shed: int = 0

    @property
    def live(self) -> int:
        """Calls in progress."""
        return self.ringing + self.talking

    def msec_at(self, at: float) -> int:
        """Billed time including what calls in progress have used up by `at`, in milliseconds."""
        return self.msec + max(0, self.talking * milliseconds(at) - self.talking_since)

    def usage(self) -> Usage:
        """A snapshot that no later call can change."""
        live = self.ringing + self.talking
        return Usage(self.attempts, self.completed, self.short, live, self.msec, self.blocked, self.shed)


class Usage(NamedTuple):
    """A frozen snapshot of a tally, for decisions, reports and comparisons."""

    attempts: int = 0
    completed: int = 0
    short: int = 0
    live: int = 0
    msec: int = 0
    blocked: int = 0
    shed: int = 0

    @property
    def words(self) -> str:
        """The snapshot as people read it."""
        text = (
            f"{self.attempts} attempts, {self.completed} completed, {self.short} short, "
            f"{self.live} in progress, {self.msec / 60_000:.1f} min"
        )
        if self.blocked:
            text += f", {self.blocked} blocked"
        return text + f", {self.shed} shed" if self.shed else text


def contribute(tally: Tally, record: CallRecord, measure: Measure, sign: int) -> None:
    """Add (`sign` 1) or take back (`sign` -1) what one record that `measure` counts adds."""
    if record.refused:
        if measure.window is Window.CYCLE:
            if record.refusal is Refusal.BLOCKED:
                tally.blocked += sign
            else:
                tally.shed += sign
        return
    ended = record.ended_at is not None
    if ended and measure.window is Window.LIVE:
        return
    tally.attempts += sign
    if not ended:
        if record.answered_at is None:
            tally.ringing += sign
        else:
            tally.talking += sign
            tally.talking_since += sign * milliseconds(record.answered_at)
        return
    billmsec = record.billmsec
    if record.answered_at is not None or billmsec > 0:
        tally.msec += sign * billmsec
        # An answered call whose end nobody saw is not held against anybody until a CDR tells.
        if measure.short(billmsec) and record.ended_by is not Source.INFERRED:
            tally.short += sign
        else:
            tally.completed += sign


def recount(records: Iterable[CallRecord], measure: Measure) -> Tally:
    """The tally that these records make, from nothing: the oracle of every ledger."""
    tally = Tally()
    for record in records:
        if measure.counts(record):
            contribute(tally, record, measure, 1)
    return tally
