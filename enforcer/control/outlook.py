"""Where a rule is heading: how far off each level is, when it comes at this pace, and what brings it back.

In: a case, and a rule with its numbers. Out: an `Outlook`, as sentences and as facts.
Refuses to know: the arithmetic (`forecast`), modes and notices.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import Any

from enforcer.control.case import ALWAYS, INSTANT, Case
from enforcer.control.words import iso, local
from enforcer.domain.account import Account
from enforcer.domain.cycle import BillingCycle, Span
from enforcer.domain.decision import Level
from enforcer.domain.forecast import (
    DAY,
    GOOD,
    RATIOS,
    Course,
    Crossing,
    crossings,
    good_length,
    lapses,
    looks_ahead,
    over,
    restores,
)
from enforcer.domain.measure import Window
from enforcer.domain.rules import Rule
from enforcer.domain.rules.base import Count, plain, window_words
from enforcer.domain.rules.seat import Seat
from enforcer.domain.rules.strikes import RepeatInfringer
from enforcer.domain.trail import MOST_CALLS
from enforcer.domain.usage import Tally, recount
from enforcer.packs.kinds import SHARES

METHOD = ("Forecasts carry on in a straight line: sums at the pace of their window so far, shares and ratios "
          "at that of its last day. They know nothing of nights, weekends or what begins tomorrow.")


@dataclass(frozen=True, slots=True)
class Remedy:
    """What brings the rule below a level: so many of something, None where only time does."""

    level: Level
    number: int | None
    words: str


@dataclass(frozen=True, slots=True)
class Outlook:
    """See the module. `crossings` are what comes at the pace of the `course` (words); `ends` is when the
    level is over by itself, None where it never is or nobody can tell: because its window begins `anew`, or
    because nothing more is added."""

    crossings: tuple[Crossing, ...] = ()
    course: str = ""
    per_day: Fraction = Fraction(0)     # of the crossings' unit
    remedies: tuple[Remedy, ...] = ()
    ends: float | None = None
    anew: bool = False

    def sentences(self, zone: str) -> list[str]:
        """For people; times in their zone."""
        to_come = [one for one in self.crossings if one.more != 0]
        never = next((n for n, one in enumerate(to_come, 1) if one.at is None), len(to_come))
        lines = [_ahead(one, self, zone) for one in to_come[:never]]
        lines += [remedy.words for remedy in self.remedies]
        if self.ends is not None:
            how = "it begins anew" if self.anew else "if nothing more is added it is over"
            lines.append(f"{how} on {local(self.ends, zone)}")
        return lines

    def facts(self, zone: str) -> dict[str, Any]:
        """For programs: the same."""
        return {
            "forecast": [
                {"level": one.level.name.lower(), "at": plain(one.limit), "more": _number(one),
                 "unit": _unit(one), "when": None if one.at is None else iso(one.at, zone),
                 "pace_of": self.course, "a_day": plain(self.per_day)}
                for one in self.crossings
            ],
            "remedies": [
                {"below": remedy.level.name.lower(), "number": remedy.number, "words": remedy.words}
                for remedy in self.remedies
            ],
            "over_by_itself": None if self.ends is None else iso(self.ends, zone),
        }


NOTHING_AHEAD = Outlook()


def outlook(case: Case, seat: Seat, account: Account, at: float, span: Span, level: Level) -> Outlook:
    """The outlook of a rule whose window, that of now, is `span`, and that has come to this level."""
    rule, tally = seat.rule, seat.tally
    found: tuple[Crossing, ...] = ()
    course, per_day = "", Fraction(0)
    if looks_ahead(rule) and span.end > at:
        pace, course = _course(case, seat, account, at, span)
        found = tuple(crossings(rule, tally, pace, at, span.end))
        per_day = _per_day(rule, pace)
    return Outlook(
        found, course, per_day, tuple(remedies(rule, tally, level, at)),
        _ends(case, seat, account, at, span) if level else None,
        rule.spec.measure.window is Window.CYCLE,
    )


def remedies(rule: Rule, tally: Tally, level: Level, at: float) -> list[Remedy]:
    """What brings the rule below the level it is at, and below the first."""
    spec, found = rule.spec, []
    for one, step in ((Level.CRITICAL, spec.critical), (Level.WARNING, spec.warning)):
        if step is None or one > level:
            continue
        name = "its limit" if one is Level.CRITICAL else "its warning"
        where = f"{name} ({at_words(rule, step.at)})"
        if spec.kind in GOOD or spec.kind == "average_duration":
            calls = restores(rule, tally, one, at)
            if calls:
                length = f"of {plain(good_length(rule))} s" if spec.kind == "average_duration" else ""
                call, several = GOOD.get(spec.kind) or (f"call {length}", f"calls {length} in a row")
                words = f"{calls:,} {call if calls == 1 else several} would bring it below {where}"
                found.append(Remedy(one, calls, words))
        elif spec.kind == "concurrent_calls":
            assert isinstance(rule, Count)
            calls = over(rule, tally, step.at)
            ended = "1 call in progress ends" if calls == 1 else f"{calls:,} calls in progress end"
            found.append(Remedy(one, calls, f"once {ended} it is below {where}"))
    return found


def _course(case: Case, seat: Seat, account: Account, at: float, span: Span) -> tuple[Course, str]:
    """What the forecast goes by, and its name. A ratio goes by the last day, where the window is longer."""
    since, measure = at - DAY, seat.rule.spec.measure
    if seat.rule.spec.kind not in RATIOS or span.start >= since:
        return Course(seat.tally, at - span.start), f"{window_words(measure)} so far"
    lately = case.tally(measure, account, Span(since, at + INSTANT, span.label), at)
    return Course(lately, DAY), "the last 24 hours"


def _per_day(rule: Rule, course: Course) -> Fraction:
    if course.seconds <= 0:
        return Fraction(0)
    number = Fraction(course.added.attempts)
    if rule.spec.kind == "minutes":
        number = Fraction(course.added.msec, 60_000)
    elif isinstance(rule, Count):
        number = Fraction(rule.counted(course.added))
    return number * 86_400 / Fraction(course.seconds)


def _ends(case: Case, seat: Seat, account: Account, at: float, span: Span) -> float | None:
    """When the level is over if nothing more is added."""
    rule = seat.rule
    if isinstance(rule, RepeatInfringer):
        return _strikes_end(rule, seat, at)
    if rule.spec.measure.window is Window.ROLLING:
        measure = rule.spec.measure
        until = Span(span.start, at + INSTANT, "")
        every = case.records(measure.scope, account, until)
        records = list(islice((r for r in every if measure.counts(r)), MOST_CALLS + 1))
        if len(records) > MOST_CALLS:       # gone through a dozen times: too many for an answer in time
            return None

        def holds(when: float) -> bool:
            return rule.judge(recount(records, measure, when), when, None) is not None

        return lapses((r.started_at for r in records), measure, holds, at)
    return None if span == ALWAYS or span.end <= at else span.end


def _strikes_end(rule: RepeatInfringer, seat: Seat, at: float) -> float | None:
    """When enough strikes are too old to count. Windows of cycles end with a cycle; that is looked for month
    by month, no further than their length."""
    if not rule.spec.cycles:
        times = sorted({strike.at + rule.spec.measure.seconds for strike in rule.found(seat, at)})
        return next((when + INSTANT for when in times if rule.look(seat, when + INSTANT) is None), None)
    account = seat.on_file().account
    calendar, when = BillingCycle(account.anchor_day, account.timezone), at
    for _ in range(rule.spec.cycles):
        when = calendar.at(when).end
        if rule.look(seat, when) is None:
            return when
    return None


def _ahead(one: Crossing, outlook: Outlook, zone: str) -> str:
    name = "its limit" if one.level is Level.CRITICAL else "its warning"
    pace = plain(Fraction(round(outlook.per_day * 10), 10))
    how = f"at the pace of {outlook.course} ({pace} {_unit(one)} a day) {name} ({plain(one.limit)}) is"
    if one.at is None:
        return f"{how} not passed before the window ends"
    return f"{how} passed after {_number(one)} more {_unit(one)}, on {local(one.at, zone)}"


def at_words(rule: Rule, at: Fraction) -> str:
    """A level with its sign: "15 %", "60 s"."""
    sign = " %" if rule.spec.kind in SHARES else " s" if rule.spec.kind == "average_duration" else ""
    return f"{plain(at)}{sign}"


def _unit(one: Crossing) -> str:
    return "minutes" if one.unit == "msec" else one.unit


def _number(one: Crossing) -> str | None:
    if one.more is None:
        return None
    return plain(Fraction(one.more, 60_000)) if one.unit == "msec" else str(one.more)
