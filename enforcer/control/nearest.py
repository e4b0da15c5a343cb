"""The accounts that are nearest their limits: one reckoning for `enforcer nearest`, `enforcer top`, the live
page and HTTP.

In: the seats of accounts, a moment. Out: of each account the rule that it has come nearest the limit of, and
of each customer the same for the rules about all its accounts together, the nearest first; how much of the
limit is used, and when it is passed at the pace of its window so far. Refuses to know: disks. Everything is
read from memory, so that the loop that decides calls can do it; the command line has a ledger of its own.

A rule whose sample is too small to say anything yet is left out: it cannot act, however its number looks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from heapq import nlargest
from typing import Any, NamedTuple, Protocol

from enforcer.control.case import calendar_of
from enforcer.control.words import iso
from enforcer.domain.account import Account
from enforcer.domain.decision import Level
from enforcer.domain.forecast import RATIOS, Course, crossings, looks_ahead
from enforcer.domain.measure import Scope
from enforcer.domain.policy import Seat
from enforcer.domain.rules import Rule
from enforcer.domain.rules.base import plain
from enforcer.ledger.port import Ledger

AT_ONCE = 100           # accounts at a look: 2 to 5 ms
SELDOM = 20             # of so many chances to go on one is taken, once everybody was looked at
SHOWN = 20
LESS_IS_WORSE = frozenset({"average_duration"})
METHOD = ("Dates carry on in a straight line, at the pace of the window so far: they know nothing of nights, "
          "weekends or what begins tomorrow. Shares and ratios have none here: an account's page has.")


class Sample(Protocol):
    """What a number was made of: a tally, or what is shown of one."""

    @property
    def attempts(self) -> int:
        """All of them."""

    @property
    def completed(self) -> int:
        """Those that were answered, and no short ones."""

    @property
    def short(self) -> int:
        """Answered, and short."""


class Near(NamedTuple):
    """An account, or its customer as a whole, and the rule that it is nearest the limit of; `used` 1 is at
    the limit."""

    level: Level
    used: Fraction
    account: Account
    seat: Seat
    value: str
    limit: str

    @property
    def whose(self) -> tuple[Scope, str]:
        """What the rule is about."""
        scope = self.seat.rule.spec.measure.scope
        return scope, self.account.id if scope is Scope.ACCOUNT else self.account.customer


def candidates(ledger: Ledger) -> list[str]:
    """The accounts of which a rule may count something, in order."""
    struck = (one.account or one.customer for one in ledger.registers.strikes.all())
    return sorted({*ledger.counted_accounts(), *struck})


def reckoned(ledger: Ledger, accounts: Iterable[str], at: float) -> dict[tuple[Scope, str], Near]:
    """The nearest of each, at `at` (Unix seconds), of those that have used up anything."""
    found: dict[tuple[Scope, str], Near] = {}
    for name in accounts:
        for one in _each(ledger.account(name), ledger.seats(name, at), at):
            there = found.get(one.whose)
            if there is None or _rank(one) > _rank(there):
                found[one.whose] = one
    return found


def sorted_out(found: Iterable[Near], most: int) -> list[Near]:
    """The `most` nearest, the nearest first."""
    by_name = sorted(found, key=lambda one: (one.account.id, one.whose[0]))
    return nlargest(most, by_name, key=_rank)


def facts(ledger: Ledger, one: Near, at: float) -> dict[str, Any]:
    """For programs; `percent` is of the limit. `dated` says whether the rule's numbers have a course that a
    date follows from; `passed` is that date, None where it is not before the window ends, or is over."""
    spec = one.seat.rule.spec
    dated = _dated(one.seat.rule)
    when = _when(ledger, one, at) if dated else None
    return {
        "account": one.account.id, "customer": one.account.customer, "scope": spec.measure.scope.value,
        "rule": spec.id, "metric": one.seat.rule.metric, "value": one.value, "limit": one.limit,
        "used": plain(one.used), "percent": int(one.used * 100),
        "warning_percent": warning_percent(one.seat.rule),
        "level": one.level.name.lower(), "acts": spec.critical.verdict.word,
        "dated": dated, "passed": None if when is None else iso(when),
    }


def nearest(ledger: Ledger, most: int, at: float) -> list[dict[str, Any]]:
    """All in one go, for a ledger that nobody else waits for."""
    found = sorted_out(reckoned(ledger, candidates(ledger), at).values(), most)
    return [facts(ledger, one, at) for one in found]


class Nearest:
    """The same beside calls: some accounts at a look. With many, the list is complete after as many looks as
    it takes to go round; those that are near are looked at each time."""

    def __init__(self, ledger: Ledger, candidates: Callable[[Ledger], Sequence[str]] = candidates) -> None:
        self._ledger = ledger
        self._candidates = candidates
        self._left: list[str] = []
        self._near: list[str] = []
        self._whole = False
        self._chances = 0

    def go_on(self, at: float) -> None:
        """Look at some more though nobody asks: whoever comes first after a start, or in the quiet of a
        night, is to find the list whole."""
        self._chances += 1
        if not self._whole or self._chances % SELDOM == 0:
            self.look(at)

    def look(self, at: float) -> list[dict[str, Any]]:
        """The nearest, the nearest first, at `at` (Unix seconds)."""
        if not self._left:
            self._left = list(self._candidates(self._ledger))
        now, self._left = self._left[:AT_ONCE], self._left[AT_ONCE:]
        self._whole = self._whole or not self._left
        found = reckoned(self._ledger, sorted({*now, *self._near}), at)
        near = sorted_out(found.values(), SHOWN)
        self._near = [one.account.id for one in near]
        return [facts(self._ledger, one, at) for one in near]


def _each(account: Account, seats: Iterable[Seat], at: float) -> Iterator[Near]:
    for seat in seats:
        rule = seat.rule
        if rule.per_call and not rule.counting:
            continue
        value, limit = rule.standing(seat.tally, at)
        judged = rule.look(seat, at)
        level = Level.FINE if judged is None else judged.level
        used = used_up(rule, value, limit, level, seat.tally)
        if used:
            yield Near(level, used, account, seat, value, limit)


def _rank(one: Near) -> tuple[Level, Fraction]:
    return one.level, one.used


def used_up(rule: Rule, value: str, limit: str, level: Level, sample: Sample) -> Fraction:
    """How much of a limit is used, 1 at the limit, of the numbers that a rule shows; 0 where that cannot be
    said. `sample` has what they were made of."""
    now, most = _number(value), _number(limit)
    used = Fraction(0)
    if now is not None and most is not None:
        if rule.spec.kind in LESS_IS_WORSE:
            now, most = most, now
        used = now / most if most else Fraction(2 if now else 0)
    if level is Level.CRITICAL:         # also where the number is one of this moment
        return max(used, Fraction(1))
    spec = rule.spec
    unsaid = sample.attempts < spec.min_attempts or sample.completed + sample.short < spec.min_answered
    return Fraction(0) if level is Level.FINE and (unsaid or used > 1) else used


def warning_percent(rule: Rule) -> int | None:
    """Where the warning lies on a bar whose end is the limit; None for a rule without one."""
    if rule.spec.warning is None:
        return None
    at, limit = rule.spec.warning.at, rule.spec.critical.at
    if rule.spec.kind in LESS_IS_WORSE:
        at, limit = limit, at
    return int(100 * at / limit) if limit else 0


def _dated(rule: Rule) -> bool:
    return looks_ahead(rule) and rule.spec.kind not in RATIOS


def _when(ledger: Ledger, one: Near, at: float) -> float | None:
    """When the limit is passed at the pace of the window so far."""
    measure = one.seat.rule.spec.measure
    own = calendar_of(ledger, measure.scope, one.account)
    span = measure.calendar.of(own.anchor, own.timezone).at(at)
    course = Course(one.seat.tally, at - span.start)
    last = crossings(one.seat.rule, one.seat.tally, course, at, span.end)[-1]
    return last.at if last.more else None


def _number(text: str) -> Fraction | None:
    """The number in "12", "7/2 = 3.5", "12 %" or "60 s"; None where there is none, as in "9/0"."""
    words = text.rpartition("=")[2].split()
    try:
        return Fraction(words[0]) if words and "/" not in words[0] else None
    except ValueError:
        return None
