"""When a rule will be crossed if things go on as they do, and what would bring it back.

In: a rule, its tally, what was added to it lately, an instant, the end of its window. Out: how many further
attempts (or how much talk) until a level is reached, and when that is; how many good calls restore it.
Refuses to know: the clock, modes, and whose calls these are.

The method is a straight line: what was added in the stretch looked at (`Course`) goes on being added at the
same pace and in the same mixture, and the rule itself is asked at each step whether it speaks now. So a
forecast is never at odds with the rule; but it knows nothing of nights, weekends or a campaign that starts
tomorrow. A count is carried on by its whole window so far. A share or a ratio would never change that way, so
it is carried on by the last day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from math import floor
from typing import NamedTuple

from enforcer.domain.decision import Level
from enforcer.domain.measure import Measure, Window
from enforcer.domain.rules import Rule, Step
from enforcer.domain.rules.base import Count
from enforcer.domain.rules.trails import TrailCount
from enforcer.domain.usage import Tally

DAY = 86_400.0
# Kinds that weigh one number of calls against another: their own whole window never moves them.
RATIOS = frozenset({
    "asr", "average_duration", "class_share", "duration_cliff", "failed_calls", "short_calls",
})
_SUMS = frozenset({"attempts", "messages", "minutes"})
_SCALED = ("attempts", "completed", "short", "msec", "marked", "near", "unseen")
_MOST = 1 << 40         # calls that nobody will ever make
# What kind of call brings each ratio back, one and several of them, as part of a sentence.
GOOD = {
    "asr": ("completed call", "completed calls in a row"),
    "short_calls": ("completed call", "completed calls in a row"),
    "failed_calls": ("answered call", "answered calls in a row"),
    "class_share": ("call to another number", "calls in a row to other numbers"),
    "duration_cliff": ("longer call", "longer calls in a row"),
}  # fmt: skip


class Course(NamedTuple):
    """What was added to a tally in the last `seconds`, calls in progress included."""

    added: Tally
    seconds: float


class Crossing(NamedTuple):
    """How far off a level is: `more` further `unit` reach it, one fewer does not; 0 where it is reached
    already. `at` is when, at the pace of the course (Unix seconds); None where that is not within the
    window, and then `more` is None as well unless a count says it anyhow."""

    level: Level
    limit: Fraction
    more: int | None
    unit: str
    at: float | None


def looks_ahead(rule: Rule) -> bool:
    """Whether a forecast means something for the rule: what it counts adds up over a cycle, a day or a week.
    A rolling window stays where it is at a steady pace, and a moment has no course."""
    kind = rule.spec.kind
    return rule.spec.measure.window is Window.CYCLE and (
        kind in RATIOS or kind in _SUMS or isinstance(rule, TrailCount)
    )


def crossings(rule: Rule, tally: Tally, course: Course, at: float, until: float) -> list[Crossing]:
    """Each level of the rule, the first first: how far off it is at `at`, within a window that ends at
    `until` (Unix seconds). What has to be there as well (`also`) is left out."""
    steps = ((Level.WARNING, rule.spec.warning), (Level.CRITICAL, rule.spec.critical))
    return [_crossing(rule, tally, course, at, until, level, step) for level, step in steps if step]


def _crossing(
    rule: Rule, tally: Tally, course: Course, at: float, until: float, level: Level, step: Step
) -> Crossing:
    unit, pace = _unit(rule, course)
    if reached(rule, tally, level, at):
        return Crossing(level, step.at, 0, unit, at)
    seconds = Fraction(course.seconds)
    most = _before(Fraction(until) - Fraction(at), pace, seconds)
    if isinstance(rule, Count):
        # One more than what is still fine: exact, whether it comes to that in time or not.
        more: int | None = floor(step.at) + 1 - rule.counted(tally)
        assert more is not None
        return Crossing(level, step.at, more, unit, _when(at, more, pace, seconds) if more <= most else None)
    more = first(
        lambda steps: reached(rule, ahead(tally, course.added, steps, unit), level, at), most,
        _samples(rule, tally, course),
    )
    return Crossing(level, step.at, more, unit, None if more is None else _when(at, more, pace, seconds))


def _unit(rule: Rule, course: Course) -> tuple[str, int]:
    """What one step of the forecast is, and how many of them the course has."""
    if rule.spec.kind == "minutes":
        return "msec", course.added.msec
    if isinstance(rule, TrailCount):
        return rule.unit, rule.counted(course.added)
    return "messages" if rule.spec.kind == "messages" else "attempts", course.added.attempts


def _before(left: Fraction, pace: int, seconds: Fraction) -> int:
    """Whole steps at this pace in less than the time that is left."""
    if left <= 0 or seconds <= 0:
        return 0
    return max(0, -floor(-left * pace / seconds) - 1)


def _when(at: float, more: int, pace: int, seconds: Fraction) -> float:
    return float(Fraction(at) + more * seconds / pace)


def reached(rule: Rule, tally: Tally, level: Level, at: float) -> bool:
    """Whether the rule says that much of these numbers."""
    judgement = rule.judge(tally, at, None)
    return judgement is not None and judgement.level >= level


def ahead(tally: Tally, added: Tally, steps: int, unit: str) -> Tally:
    """The tally after so many more steps ("attempts", or "msec" of talk), each of the mixture that was added
    before; what is talked on counts as completed, as in the ratio."""
    whole = added.msec if unit == "msec" else added.attempts
    after = replace(tally)
    if not whole:               # nothing of the kind was added: it goes on like that
        return after
    for name in _SCALED:
        more = getattr(added, name, 0) + (added.talking if name == "completed" else 0)
        if more and hasattr(after, name):
            setattr(after, name, getattr(after, name) + more * steps // whole)
    return after


def first(holds: Callable[[int], bool], most: int, marks: Iterable[int] = ()) -> int | None:
    """A number of steps, at most `most`, at which it holds while at one fewer it does not; the only one where
    it begins to hold once. `marks` are steps worth a look besides the powers of two. 0 where it holds from
    the beginning, None where it is found nowhere.

    >>> first(lambda steps: steps >= 300, 1000), first(lambda steps: steps >= 300, 299)
    (300, None)
    """
    if holds(0):
        return 0
    doubled = (1 << power for power in range(most.bit_length()))
    low = 0
    for high in sorted({*doubled, *marks, most}):
        if not low < high <= most:
            continue
        if holds(high):
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (low, middle) if holds(middle) else (middle, high)
            return high
        low = high
    return None


def _samples(rule: Rule, tally: Tally, course: Course) -> list[int]:
    """Steps at which a sample becomes large enough to be judged: a ratio that is bad now speaks then."""
    spec, added = rule.spec, course.added
    marks = [spec.min_attempts - tally.attempts + tally.ringing]
    answered = added.completed + added.short + added.talking
    if answered:
        missing = spec.min_answered - tally.completed - tally.short - tally.talking
        marks.append(-(-missing * added.attempts // answered))
    return [mark + more for mark in marks for more in (0, 1)]


def restores(rule: Rule, tally: Tally, level: Level, at: float) -> int | None:
    """The fewest good calls in a row (see `GOOD`) after which the rule is below this level; None where no
    number of them helps, or for a kind that no call brings back."""
    if rule.spec.kind not in GOOD and rule.spec.kind != "average_duration":
        return None
    return first(lambda calls: not reached(rule, _better(rule, tally, calls), level, at), _MOST)


def good_length(rule: Rule) -> Fraction:
    """Seconds of a call that brings an average duration back: twice what the average has to be."""
    steps = [step.at for step in (rule.spec.warning, rule.spec.critical) if step is not None]
    return 2 * max(steps)


def _better(rule: Rule, tally: Tally, calls: int) -> Tally:
    """The tally after so many calls of the kind that helps."""
    after = replace(tally)
    after.attempts += calls
    after.completed += calls
    if rule.spec.kind == "average_duration":
        after.msec += floor(calls * 1000 * good_length(rule))
    return after


def over(rule: Count, tally: Tally, limit: Fraction) -> int:
    """By how many a count is beyond what is fine; 0 where it is not."""
    return max(0, rule.counted(tally) - floor(limit))


def lapses(
    times: Iterable[float], measure: Measure, holds: Callable[[float], bool], at: float
) -> float | None:
    """When a level of a rolling window is over at the latest if nothing more is added: `times` are when its
    calls started, `holds` says whether the level would still be there at an instant. None where it never
    lapses by itself."""
    leaves = sorted({_leaves(measure, started) for started in times})
    leaves = [when for when in leaves if when > at]
    if not leaves or holds(leaves[-1]):
        return None
    low, high = -1, len(leaves) - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(leaves[middle]) else (low, middle)
    return leaves[high]


def _leaves(measure: Measure, started: float) -> float:
    """When a rolling window has moved past what started then, with its step; a hair later, for floats."""
    return (started // measure.step) * measure.step + measure.seconds + 0.001
