"""Interruptions: the stretches of time in which enforcement, and nothing else, kept an account from service.

In: what enforcement did to single calls, when people stopped an account, and the ceilings in force meanwhile.
Out: intervals, each with its rule, clause, mode, calls and decisions.
Refuses to know: where decisions and records are kept, and what a credit is worth.

Source: 247VoIP, 9 SLA: "No credit will be available under a 247VoIP service level guaranty or agreement, if
applicable, for interruptions of service resulting from AUP violations."

    a call is blocked or shed   touches of one account and rule, each within `gap` of the one before, are one
                                interruption, from the first to the last
    people stop an account      an interruption from then until it is resumed, as far as the ceiling allows
    a call is held              slows service down; told apart, for it is no interruption
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from enforcer.domain.account import Standing
from enforcer.domain.call import CallRecord, Medium, Refusal
from enforcer.domain.cycle import Span
from enforcer.domain.decision import Decision, Verdict
from enforcer.domain.journal import JournalEntry
from enforcer.domain.mode import Mode, Modes, ModeSetting

GAP = 900.0             # seconds between two refused attempts that are still one interruption
STANDING = "standing"   # the rule of decisions that people's own word on an account made
BY_SWITCH = "switch"    # a limit or a word that the switch kept by itself; which rule wrote it, it cannot say


class How(StrEnum):
    """What was done to a call or message."""

    BLOCKED = "blocked"
    SHED = "shed"
    HELD = "held"


class Kind(StrEnum):
    """What an interval is."""

    REFUSED = "refused"     # attempts were refused
    STOPPED = "stopped"     # people had stopped the account
    SLOWED = "slowed"       # attempts were held: no interruption


class Touch(NamedTuple):
    """What enforcement did to one attempt. `decision` is "" where the switch did it by itself."""

    at: float               # Unix seconds
    account: str
    rule: str
    clause: str
    mode: str
    how: How
    decision: str = ""
    medium: str = Medium.CALL.value
    hold: float = 0.0       # seconds


class Interval(NamedTuple):
    """One stretch of time, from `start` to `end` (Unix seconds). `mode` names the modes that allowed it, and
    `open` says that it has not ended."""

    kind: Kind
    account: str
    rule: str
    clause: str
    start: float
    end: float
    mode: str = ""
    standing: str = ""
    open: bool = False
    blocked: int = 0
    shed: int = 0
    held: int = 0
    messages: int = 0       # how many of these were text messages
    longest_hold: float = 0.0
    decisions: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """How long it was; 0 for a single attempt."""
        return self.end - self.start

    def counting(self, touches: Sequence[Touch]) -> Interval:
        """The interval, these touches counted in."""
        modes = dict.fromkeys([*filter(None, [self.mode]), *(touch.mode for touch in touches if touch.mode)])
        how = Counter(touch.how for touch in touches)
        return self._replace(
            mode=", ".join(modes), blocked=how[How.BLOCKED], shed=how[How.SHED], held=how[How.HELD],
            messages=sum(touch.medium == Medium.MESSAGE.value for touch in touches),
            longest_hold=max((touch.hold for touch in touches), default=0.0),
            decisions=tuple(touch.decision for touch in touches if touch.decision),
        )


class Stop(NamedTuple):
    """An account that people stopped, from `start` until `end`; None while it is."""

    account: str
    standing: Standing
    reason: str
    start: float
    end: float | None = None


def touch_of(decision: Decision) -> Touch | None:
    """What a decision did to its attempt; None where it went on at once."""
    leader = next((f for f in decision.findings if f.rule == decision.rule), None)
    if decision.refused:
        how = How.BLOCKED if decision.verdict is Verdict.BLOCK else How.SHED
    elif decision.verdict is Verdict.THROTTLE and decision.hold > 0:
        how = How.HELD
    else:
        return None
    return Touch(
        decision.at, decision.account, decision.rule, decision.clause, leader.mode if leader else "", how,
        decision.decision_id, decision.medium, decision.hold,
    )


def touch_by_switch(record: CallRecord) -> Touch | None:
    """What a record says that the switch did in our name, while nobody was asked."""
    if not record.refused or not record.account:
        return None
    how = How.BLOCKED if record.refusal is Refusal.BLOCKED else How.SHED
    return Touch(record.started_at, record.account, BY_SWITCH, "", "", how, medium=record.medium.value)


def merged(touches: Iterable[Touch], gap: float = GAP) -> list[Interval]:
    """The intervals that touches make, by their start; touches may come in any order."""
    going: dict[tuple[str, str, bool], list[Touch]] = {}
    done: list[list[Touch]] = []
    for touch in sorted(touches, key=lambda one: (one.at, one.decision)):
        place = touch.account, touch.rule, touch.how is How.HELD
        so_far = going.get(place)
        if so_far is None or touch.at - so_far[-1].at > gap:
            so_far = going[place] = []
            done.append(so_far)
        so_far.append(touch)
    return sorted((_interval(one) for one in done), key=_order)


def _interval(touches: Sequence[Touch]) -> Interval:
    first, last = touches[0], touches[-1]
    kind = Kind.SLOWED if first.how is How.HELD else Kind.REFUSED
    return Interval(kind, first.account, first.rule, first.clause, first.at, last.at).counting(touches)


def stops(entries: Iterable[JournalEntry]) -> list[Stop]:
    """When people stopped accounts, from the journal's entries about accounts, in their order."""
    going: dict[str, Stop] = {}
    done = []
    for entry in entries:
        account, standing = entry.ref, Standing(entry.body.get("standing", Standing.ACTIVE))
        current = going.get(account)
        if current is not None and standing is not current.standing:
            done.append(going.pop(account)._replace(end=entry.at))
        if standing is not Standing.ACTIVE and account not in going:
            going[account] = Stop(account, standing, entry.body.get("standing_reason", ""), entry.at)
    return sorted([*done, *going.values()], key=lambda stop: (stop.start, stop.account))


def enforced(stop: Stop, span: Span, now: float, ceilings: Sequence[ModeSetting]) -> Iterator[Interval]:
    """The parts of a stop that lie in a span, and in which the site's ceiling let it be in force."""
    start, until = max(stop.start, span.start), min(now, span.end)
    end = until if stop.end is None else min(stop.end, until)
    if start >= end:
        return
    edges = sorted({start, *(
        at for ceiling in ceilings for at in (ceiling.at, ceiling.until)
        if at is not None and start < at < end
    )})
    pieces: list[tuple[float, float]] = []
    for first, last in zip(edges, [*edges[1:], end], strict=True):
        ceiling = Modes(c for c in ceilings if c.at <= first).ceiling(first)
        if ceiling is not None and ceiling.mode is not Mode.BLOCK:
            continue
        if pieces and pieces[-1][1] == first:
            pieces[-1] = pieces[-1][0], last
        else:
            pieces.append((first, last))
    for first, last in pieces:
        yield Interval(
            Kind.STOPPED, stop.account, STANDING, stop.reason, first, last, Mode.BLOCK.word,
            stop.standing.value, open=last == now and stop.end is None,
        )


def together(stopped: Sequence[Interval], touches: Iterable[Touch], gap: float = GAP) -> list[Interval]:
    """All intervals by their start: calls that an account's standing refused are counted in the time for
    which it was stopped."""
    mine: dict[str, list[tuple[Interval, list[Touch]]]] = {}
    for interval in stopped:
        mine.setdefault(interval.account, []).append((interval, []))
    rest = []
    for touch in touches:
        for interval, counted in mine.get(touch.account, ()):
            if touch.rule == STANDING and interval.start <= touch.at <= interval.end:
                counted.append(touch)
                break
        else:
            rest.append(touch)
    found = [interval.counting(counted) for some in mine.values() for interval, counted in some]
    return sorted([*found, *merged(rest, gap)], key=_order)


def total(intervals: Iterable[Interval]) -> float:
    """Seconds for which there was an interruption, those that overlap counted once."""
    seconds, reached = 0.0, float("-inf")
    for interval in sorted(intervals, key=lambda one: one.start):
        if interval.kind is not Kind.SLOWED:
            seconds += max(0.0, interval.end - max(interval.start, reached))
            reached = max(reached, interval.end)
    return seconds


def _order(interval: Interval) -> tuple[float, str, str, str]:
    return interval.start, interval.account, interval.rule, interval.kind
