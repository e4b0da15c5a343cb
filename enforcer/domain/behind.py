"""The calls behind a rule's numbers: which they are, what they have in common, how often.

In: a rule, and the call records of its window in the order they began. Out: how many calls made each counter,
with the ids of the first and the last of them, and what the kind looks for: numbers, callers, runs, chains.
Refuses to know: limits and verdicts, and how it is shown. Output is bounded unless all is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from enforcer.domain.call import CallRecord, Medium, Refusal, Source
from enforcer.domain.measure import Measure, Window
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


OUTCOMES = ("completed", "short", "not answered", "in progress", "sent", "blocked by enforcement",
            "shed by enforcement")


def outcome(measure: Measure, record: CallRecord) -> str:
    """What a call counts as under a measure, in words: one of `OUTCOMES`."""
    if record.refused:
        refused = record.refusal is Refusal.BLOCKED
        return "blocked by enforcement" if refused else "shed by enforcement"
    if record.medium is Medium.MESSAGE:
        return "sent"
    if record.ended_at is None:
        return "in progress"
    if record.answered_at is None and record.billmsec <= 0:
        return "not answered"
    if measure.short(record.billmsec) and record.ended_by is not Source.INFERRED:
        return "short"
    return "completed"


class Counted:
    """The calls of one measure by what they count as. Rules that count the same calls share one."""

    __slots__ = ("_live", "_measure", "_most", "_samples")

    def __init__(self, measure: Measure, most: int | None) -> None:
        self._measure = measure
        self._live = measure.window is Window.LIVE
        self._most = most
        self._samples: dict[str, Sample] = {}

    def take(self, record: CallRecord) -> None:
        """A record that the measure counts."""
        if self._live and not record.live:
            return
        words = outcome(self._measure, record)
        sample = self._samples.get(words)
        if sample is None:
            sample = self._samples[words] = Sample(self._most)
        sample.add(record.call_id)

    def told(self) -> list[Calls]:
        """What there is to tell."""
        return [self._samples[words].told(words) for words in OUTCOMES if words in self._samples]


class Behind:
    """The calls of one rule's window: those it counts (`counted`, None where nobody asks), its pattern."""

    __slots__ = ("_most", "_pattern", "_room", "counted")

    def __init__(self, rule: Rule, counted: Counted | None, most: int | None) -> None:
        self.counted = counted
        self._most = most
        self._pattern: Pattern | None = pattern_of(rule, most)
        # As a trail, which tells no more.
        self._room: int | None = MOST_CALLS if isinstance(rule, TrailCount) else None

    def take(self, record: CallRecord) -> None:
        """A record that the rule's measure counts, for the pattern."""
        if self._pattern is None or record.refused:
            return
        if self._room is not None:
            if not self._room:
                return
            self._room -= 1
        self._pattern.take(record)

    def counters(self) -> list[Calls]:
        """The calls by what they count as."""
        return [] if self.counted is None else self.counted.told()

    def evidence(self) -> Evidence | None:
        """What the kind looks for; None where nothing of it was found, or it looks for nothing."""
        if self._pattern is None:
            return None
        groups = self._pattern.groups()
        if not groups:
            return None
        kept = groups if self._most is None else groups[:FEW_GROUPS]
        return Evidence(self._pattern.words(len(groups)), tuple(kept), len(groups) - len(kept))


def behind(
    rules: Iterable[Rule], records: Iterable[CallRecord], at: float, most: int | None = FEW,
    sorts: bool = True,
) -> dict[str, Behind]:
    """What lies behind several rules whose windows at `at` hold these records, by the id of the rule; the
    records are gone through once. `most` ids at either end of each list, None for all of them. `sorts` the
    calls by what they count as, or only looks for what each kind looks for."""
    counted: dict[Measure, Counted] = {}
    found: dict[str, Behind] = {}
    looking: dict[Measure, list[Counted | Behind]] = {}     # by what they count, for one look at each record
    for rule in rules:
        measure = _bare(rule.spec.measure)
        shared = None
        if sorts:
            shared = counted.get(measure)
            if shared is None:
                shared = counted[measure] = Counted(measure, most)
                looking.setdefault(measure, []).append(shared)
        one = found[rule.spec.id] = Behind(rule, shared, most)
        looking.setdefault(measure, []).append(one)
    edges = {
        measure: measure.edge(at) if measure.window is Window.ROLLING else None for measure in looking
    }
    for record in records:
        for measure, some in looking.items():
            if not measure.counts(record):
                continue
            edge = edges[measure]
            if edge is None or record.started_at // measure.step > edge:
                for taker in some:
                    taker.take(record)
    return found


def _bare(measure: Measure) -> Measure:
    """The measure, apart from what is looked at in single calls."""
    return replace(measure, details=frozenset(), marked=frozenset(), near_msec=0, redial_seconds=0)
