"""The calls behind a rule's numbers: which they are, what they have in common, how often.

In: a rule, and the call records of its window in the order they began. Out: how many calls made each counter,
with the ids of the first and the last of them, and what the kind looks for: numbers, callers, runs, chains.
Refuses to know: limits and verdicts, and how it is shown. Output is bounded unless all is asked for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from enforcer.domain.call import CallRecord, Refusal, Source
from enforcer.domain.measure import Window
from enforcer.domain.patterns import Pattern, pattern_of
from enforcer.domain.rules import Rule
from enforcer.domain.rules.trails import TrailCount
from enforcer.domain.trail import MOST_CALLS

FEW = 3                 # calls at either end, where not all are asked for
FEW_GROUPS = 5          # numbers, callers, runs or chains


class Calls(NamedTuple):
    """So many calls, and the ids of the first and the last of them; between those others are left out."""

    words: str
    number: int
    first: tuple[str, ...]
    last: tuple[str, ...] = ()

    @property
    def left_out(self) -> int:
        """Calls whose ids are not told."""
        return self.number - len(self.first) - len(self.last)


class Evidence(NamedTuple):
    """What a kind looks for, as found: `words` say what the groups are and how many there are; those that
    matter most come first, `left_out` are not told."""

    words: str
    groups: tuple[Calls, ...]
    left_out: int


class Some:
    """Calls as they come: how many, and those at both ends. `most` None keeps all."""

    __slots__ = ("_first", "_last", "_most", "number")

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._first: list[str] = []
        self._last: deque[str] = deque(maxlen=most)
        self.number = 0

    def add(self, call_id: str) -> None:
        """One more."""
        self.number += 1
        if self._most is None or len(self._first) < self._most:
            self._first.append(call_id)
        else:
            self._last.append(call_id)

    def told(self, words: str) -> Calls:
        """What there is to tell."""
        return Calls(words, self.number, tuple(self._first), tuple(self._last))


class Behind:
    """The calls of one rule's window at `at`, taken in one by one. `most` ids at either end of each list,
    None for all of them."""

    def __init__(self, rule: Rule, at: float, most: int | None = FEW) -> None:
        self.rule = rule
        self._measure = rule.spec.measure
        self._most = most
        self._edge = self._measure.edge(at) if self._measure.window is Window.ROLLING else None
        self._counted: dict[str, Some] = {}
        self._pattern: Pattern | None = pattern_of(rule)
        self._traced = 0

    def take(self, record: CallRecord) -> None:
        """A record, which may belong elsewhere."""
        measure = self._measure
        if not measure.counts(record):
            return
        if self._edge is not None and record.started_at // measure.step <= self._edge:
            return
        if measure.window is not Window.LIVE or record.live:
            words = outcome(self.rule, record)
            some = self._counted.get(words)
            if some is None:
                some = self._counted[words] = Some(self._most)
            some.add(record.call_id)
        if self._pattern is None or record.refused:
            return
        if isinstance(self.rule, TrailCount):
            self._traced += 1
            if self._traced > MOST_CALLS:       # as its trail, which tells no more
                return
        self._pattern.take(record)

    def counters(self) -> list[Calls]:
        """The calls by what they count as."""
        return [self._counted[words].told(words) for words in OUTCOMES if words in self._counted]

    def evidence(self) -> Evidence | None:
        """What the kind looks for; None where nothing of it was found, or it looks for nothing."""
        if self._pattern is None:
            return None
        groups = self._pattern.groups()
        if not groups:
            return None
        kept = groups if self._most is None else groups[:FEW_GROUPS]
        told = []
        for words, ids in kept:
            some = Some(self._most)
            for call_id in ids:
                some.add(call_id)
            told.append(some.told(words))
        return Evidence(self._pattern.words(len(groups)), tuple(told), len(groups) - len(kept))


OUTCOMES = ("completed", "short", "not answered", "in progress", "sent", "blocked by enforcement",
            "shed by enforcement")


def outcome(rule: Rule, record: CallRecord) -> str:
    """What a call counts as under a rule, in words: one of `OUTCOMES`."""
    if record.refused:
        refused = record.refusal is Refusal.BLOCKED
        return "blocked by enforcement" if refused else "shed by enforcement"
    if record.medium.value == "message":
        return "sent"
    if record.ended_at is None:
        return "in progress"
    if record.answered_at is None and record.billmsec <= 0:
        return "not answered"
    if rule.spec.measure.short(record.billmsec) and record.ended_by is not Source.INFERRED:
        return "short"
    return "completed"


def behind(
    rules: Iterable[Rule], records: Iterable[CallRecord], at: float, most: int | None = FEW
) -> dict[str, Behind]:
    """What lies behind several rules whose windows hold these records, by the id of the rule; the records are
    gone through once."""
    found = {rule.spec.id: Behind(rule, at, most) for rule in rules}
    for record in records:
        for one in found.values():
            one.take(record)
    return found
