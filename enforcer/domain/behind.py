"""The calls behind a rule's numbers: which they are, what they have in common, how often.

In: a rule, and the call records of its window in the order they began. Out: how many calls made each counter,
with the ids of the first and the last of them, and what the kind looks for: numbers, callers, runs, chains.
Refuses to know: limits and verdicts, and how it is shown. Output is bounded unless all is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from enforcer.domain.call import CallRecord, Refusal, Source
from enforcer.domain.measure import Window
from enforcer.domain.patterns import Pattern, pattern_of
from enforcer.domain.rules import Rule
from enforcer.domain.rules.trails import TrailCount
from enforcer.domain.samples import Calls, Sample
from enforcer.domain.trail import MOST_CALLS

__all__ = ["FEW", "FEW_GROUPS", "Behind", "Calls", "Evidence", "behind", "outcome"]

FEW = 3                 # calls at either end, where not all are asked for
FEW_GROUPS = 5          # numbers, callers, runs or chains


class Evidence(NamedTuple):
    """What a kind looks for, as found: `words` say what the groups are and how many there are; those that
    matter most come first, `left_out` are not told."""

    words: str
    groups: tuple[Calls, ...]
    left_out: int


class Behind:
    """The calls of one rule's window at `at`, taken in one by one. `most` ids at either end of each list,
    None for all of them. `sorts` the calls by what they count as, or only looks for the kind's pattern."""

    def __init__(self, rule: Rule, at: float, most: int | None = FEW, sorts: bool = True) -> None:
        self._sorts = sorts
        self.rule = rule
        self._measure = rule.spec.measure
        self._most = most
        self._edge = self._measure.edge(at) if self._measure.window is Window.ROLLING else None
        self._counted: dict[str, Sample] = {}
        self._pattern: Pattern | None = pattern_of(rule, most)
        self._traced = 0

    def take(self, record: CallRecord) -> None:
        """A record, which may belong elsewhere."""
        measure = self._measure
        if not measure.counts(record):
            return
        if self._edge is not None and record.started_at // measure.step <= self._edge:
            return
        if self._sorts and (measure.window is not Window.LIVE or record.live):
            words = outcome(self.rule, record)
            some = self._counted.get(words)
            if some is None:
                some = self._counted[words] = Sample(self._most)
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
        return Evidence(self._pattern.words(len(groups)), tuple(kept), len(groups) - len(kept))


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
    rules: Iterable[Rule], records: Iterable[CallRecord], at: float, most: int | None = FEW,
    sorts: bool = True,
) -> dict[str, Behind]:
    """What lies behind several rules whose windows hold these records, by the id of the rule; the records are
    gone through once."""
    found = {rule.spec.id: Behind(rule, at, most, sorts) for rule in rules}
    for record in records:
        for one in found.values():
            one.take(record)
    return found
