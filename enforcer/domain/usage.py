"""Numbers from calls: what each call adds to a tally.

In: call records. Out: tallies. `contribute` is the one definition of every counter; the
ledger keeps tallies by taking back what a record added before and adding what it adds now,
and `recount` derives the same tally from nothing but records.
Refuses to know: limits, verdicts, the clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from enforcer.domain.call import CallRecord, Refusal, Source, milliseconds
from enforcer.domain.measure import Detail, Measure, Window
from enforcer.domain.trail import Trail


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


@dataclass(slots=True)
class Tally:
    """The counters of one measure, for one account or customer and one cycle.

    `attempts` = `ringing` + `talking` + `completed` + `short` + unanswered. Refused calls
    (`blocked`, `shed`) are in none of these: otherwise blocking would feed itself.
    `unheard` of the `ringing` are in progress no more: they had not been answered when they were last
    heard of, and nobody saw their end, so that no ratio holds them against anybody until a CDR tells.
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
    unheard: int = 0

    @property
    def live(self) -> int:
        """Calls in progress."""
        return self.ringing + self.talking - self.unheard

    @property
    def figures(self) -> tuple[int, ...]:
        """All counters in one tuple, for comparisons."""
        return tuple(getattr(self, name) for name in COUNTERS)

    def msec_at(self, at: float) -> int:
        """Billed time including what calls in progress have used up by `at`, in milliseconds."""
        if not self.talking and not self.talking_since:
            return self.msec        # nobody talks: no clock need be read off
        return self.msec + max(0, self.talking * milliseconds(at) - self.talking_since)

    def usage(self) -> Usage:
        """A snapshot that no later call can change."""
        live = self.ringing + self.talking - self.unheard
        return Usage(self.attempts, self.completed, self.short, live, self.msec, self.blocked, self.shed)

    def add(self, other: Tally, sign: int = 1) -> None:
        """Add what another tally counts, or take it back."""
        for name in COUNTERS:
            setattr(self, name, getattr(self, name) + sign * getattr(other, name))

    def become(self, other: Tally) -> None:
        """Count what another tally of the same measure counts, and be no other object than before."""
        for name in COUNTERS:
            setattr(self, name, getattr(other, name))


COUNTERS = Tally.__slots__


@dataclass(slots=True, eq=False)
class Detailed(Tally):
    """A tally that counts some calls apart, or remembers single ones, as its measure asks.

    `marked` attempts went to certain classes of number; `near` calls were completed, and only just; the end
    of `unseen` ones nobody saw, where somebody asks for those.
    """

    marked: int = 0
    near: int = 0
    unseen: int = 0
    trail: Trail | None = None

    @property
    def figures(self) -> tuple[int, ...]:
        """All counters in one tuple, for comparisons."""
        return (*(getattr(self, name) for name in COUNTERS), self.marked, self.near, self.unseen,
                *(self.trail.figures if self.trail is not None else ()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Detailed) and self.figures == other.figures

    def add(self, other: Tally, sign: int = 1) -> None:
        """Add what another tally counts, or take it back; trails stay as they are."""
        Tally.add(self, other, sign)
        if isinstance(other, Detailed):
            self.marked += sign * other.marked
            self.near += sign * other.near
            self.unseen += sign * other.unseen

    def become(self, other: Tally) -> None:
        """Count what another tally of the same measure counts."""
        assert isinstance(other, Detailed)
        Tally.become(self, other)
        self.marked, self.near, self.unseen = other.marked, other.near, other.unseen
        self.trail = other.trail


NO_STEP = 1 << 62       # later than any


@dataclass(slots=True, eq=False)
class Rolling(Detailed):
    """A tally of what started in the last `seconds`, kept in steps: what a step counted is taken back in one
    piece when the window has moved past it."""

    seconds: int = 0
    step: float = 1.0
    edge: int = -NO_STEP
    first: int = NO_STEP        # no step before this one counted anything
    steps: dict[int, Detailed] | None = None
    calls: dict[int, list[str]] | None = None       # of the trail, by step

    def move(self, at: float, measure: Measure) -> None:
        """The window is the one at `at` (Unix seconds), or a later one where it has been moved already."""
        edge = measure.edge(at)
        if edge > self.edge:
            self.roll(edge)

    def roll(self, edge: int) -> None:
        """The window begins after this step, which is later than before."""
        self.edge = edge
        if edge < self.first:
            return
        steps, calls = self.steps or {}, self.calls or {}
        for index in [index for index in steps if index <= edge]:
            self.add(steps.pop(index), -1)
        if self.trail is not None:
            for index in [index for index in calls if index <= edge]:
                for call_id in calls.pop(index):
                    started = self.trail.started(call_id)
                    if started is not None and int(started // self.step) == index:
                        self.trail.remove(call_id)
        self.first = min(chain(steps, calls), default=NO_STEP)

    def become(self, other: Tally) -> None:
        """Count what another tally of the same measure counts."""
        assert isinstance(other, Rolling)
        Detailed.become(self, other)
        self.edge, self.first, self.steps, self.calls = other.edge, other.first, other.steps, other.calls


def tally_for(measure: Measure) -> Tally:
    """An empty tally that can hold what the measure counts."""
    traced = measure.details - {Detail.UNSEEN}
    trail = Trail(traced, measure.redial_seconds) if traced else None
    if measure.window is Window.ROLLING:
        return Rolling(trail=trail, seconds=measure.seconds, step=measure.step)
    if measure.details or measure.marked or measure.near_msec:
        return Detailed(trail=trail)
    return Tally()


def succeed(tally: Tally, known: CallRecord, record: CallRecord, measure: Measure) -> None:
    """What `record` adds in the place of what `known` added, both `alike`: its trail stays as it is."""
    contribute(tally, known, measure, -1, trailed=False)
    contribute(tally, record, measure, 1, trailed=False)


def contribute(
    tally: Tally, record: CallRecord, measure: Measure, sign: int, trailed: bool = True
) -> None:
    """Add (`sign` 1) or take back (`sign` -1) what one record that `measure` counts adds; to its trail only
    where `trailed`."""
    if tally.__class__ is not Tally:
        assert isinstance(tally, Detailed)
        if not _detail(tally, record, measure, sign, trailed):
            return
    if record.refused:
        if measure.window is not Window.LIVE:
            if record.refusal is Refusal.BLOCKED:
                tally.blocked += sign
            else:
                tally.shed += sign
        return
    ended = record.ended_at is not None
    if ended and measure.window is Window.LIVE:
        return
    tried = sign * record.seizures if measure.per_leg else sign
    tally.attempts += tried
    if not ended:
        if record.answered_at is None:
            tally.ringing += tried
        else:
            tally.talking += sign
            tally.talking_since += sign * milliseconds(record.answered_at)
        return
    billmsec = record.billmsec
    if record.answered_at is None and record.ended_by is Source.INFERRED:
        tally.ringing += tried
        tally.unheard += tried
    elif record.answered_at is not None or billmsec > 0:
        tally.msec += sign * billmsec
        # An answered call whose end nobody saw is not held against anybody until a CDR tells.
        if measure.short(billmsec) and record.ended_by is not Source.INFERRED:
            tally.short += sign
        else:
            tally.completed += sign


def _detail(tally: Detailed, record: CallRecord, measure: Measure, sign: int, trailed: bool) -> bool:
    """What only some tallies count. False where the window has moved past this call."""
    if isinstance(tally, Rolling):
        index = int(record.started_at // tally.step)
        if index <= tally.edge:
            return False
        tally.first = min(tally.first, index)
        if tally.steps is None:
            tally.steps = {}
        step = tally.steps.get(index)
        if step is None:
            step = tally.steps[index] = Detailed()
        contribute(step, record, measure, sign)
        if trailed and tally.trail is not None and sign > 0 and not record.refused:
            if tally.calls is None:
                tally.calls = {}
            tally.calls.setdefault(index, []).append(record.call_id)
    if record.refused:
        return True
    if record.number_class in measure.marked:
        tally.marked += sign
    if measure.near_msec and _near(record, measure):
        tally.near += sign
    lost = record.ended_by is Source.INFERRED and record.answered_at is not None
    if lost and Detail.UNSEEN in measure.details:
        tally.unseen += sign
    if trailed and tally.trail is not None:
        if sign > 0:
            tally.trail.add(record)
        else:
            tally.trail.remove(record.call_id)
    return True


def _near(record: CallRecord, measure: Measure) -> bool:
    """Completed, and only just."""
    if record.ended_at is None or record.ended_by is Source.INFERRED:
        return False
    billmsec = record.billmsec
    if record.answered_at is None and billmsec <= 0:
        return False
    return not measure.short(billmsec) and billmsec < measure.short_msec + measure.near_msec


def recount(records: Iterable[CallRecord], measure: Measure, at: float | None = None) -> Tally:
    """The tally that these records make, from nothing: the oracle of every ledger. A rolling window is the
    one at `at` (Unix seconds)."""
    tally = tally_for(measure)
    if isinstance(tally, Rolling) and at is not None:
        tally.move(at, measure)
    for record in records:
        if measure.counts(record):
            contribute(tally, record, measure, 1)
    return tally

