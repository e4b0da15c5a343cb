"""The accounts that are nearest their limits just now, for whoever looks at the overview.

In: the seats of accounts that called lately. Out: for the nearest few: rule, value, limit, how much of it is
used, and when it is passed at the pace of its window so far. Refuses to know: disks. Everything is read from
memory, a bounded number of accounts at a time: calls are decided in the same loop.

With many accounts they are gone through in turns, so the list is complete after as many looks as it takes;
those that were near are looked at each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from enforcer.control.words import iso
from enforcer.domain.account import Account
from enforcer.domain.cycle import BillingCycle
from enforcer.domain.decision import Level
from enforcer.domain.forecast import RATIOS, Course, crossings, looks_ahead
from enforcer.domain.measure import Scope
from enforcer.domain.policy import Seat
from enforcer.domain.rules.base import plain

AT_ONCE = 100           # accounts at a look: 2 to 5 ms
SHOWN = 20
LESS_IS_WORSE = frozenset({"average_duration"})


class Near(NamedTuple):
    """One account and the rule that it is nearest to the limit of; `used` 1 is at the limit."""

    used: Fraction
    level: Level
    account: str
    seat: Seat
    value: str
    limit: str


class Nearest:
    """See the module. `callers` are the accounts worth a look."""

    def __init__(
        self, seats: Callable[[str, float], Sequence[Seat]], account: Callable[[str], Account],
        callers: Callable[[], Iterable[str]],
    ) -> None:
        self._seats = seats
        self._account = account
        self._callers = callers
        self._left: list[str] = []
        self._near: list[Near] = []

    def look(self, at: float) -> list[dict[str, Any]]:
        """The nearest, the nearest first, at `at` (Unix seconds)."""
        if not self._left:
            self._left = sorted(set(self._callers()))
        now, self._left = self._left[:AT_ONCE], self._left[AT_ONCE:]
        found = (self._of(account, at) for account in {*now, *(one.account for one in self._near)})
        self._near = sorted(
            (one for one in found if one is not None), key=lambda one: (-one.level, -one.used, one.account)
        )[:SHOWN]
        return [self._facts(one, at) for one in self._near]

    def _of(self, account: str, at: float) -> Near | None:
        """The rule that the account is nearest the limit of; None where none has a number."""
        return max(self._each(account, at), key=lambda one: (one.level, one.used), default=None)

    def _each(self, account: str, at: float) -> Iterator[Near]:
        for seat in self._seats(account, at):
            value, limit = seat.rule.standing(seat.tally, at)
            judgement = seat.rule.look(seat, at)
            level = Level.FINE if judgement is None else judgement.level
            used = _used(seat, value, limit)
            if level is Level.CRITICAL:         # also where the number is one of this moment
                used = max(used, Fraction(1))
            if used or level:
                yield Near(used, level, account, seat, value, limit)

    def _facts(self, one: Near, at: float) -> dict[str, Any]:
        account = self._account(one.account)
        when = self._when(one.seat, account, at)
        return {
            "account": one.account, "customer": account.customer, "rule": one.seat.rule.spec.id,
            "value": one.value, "limit": one.limit, "used": plain(one.used),
            "level": one.level.name.lower(), "passed": None if when is None else iso(when),
        }

    @staticmethod
    def _when(seat: Seat, account: Account, at: float) -> float | None:
        """When the limit is passed at the pace of the window so far; None where it is, where it will not be
        within the window, or where that would need more than the account's own numbers."""
        measure = seat.rule.spec.measure
        if measure.scope is not Scope.ACCOUNT or seat.rule.spec.kind in RATIOS or not looks_ahead(seat.rule):
            return None
        own = BillingCycle(account.anchor_day, account.timezone)
        span = measure.calendar.of(own.anchor, own.timezone).at(at)
        course = Course(seat.tally, at - span.start)
        last = crossings(seat.rule, seat.tally, course, at, span.end)[-1]
        return last.at if last.more else None


def _used(seat: Seat, value: str, limit: str) -> Fraction:
    """How much of the limit is used; a sample that is too small to be judged counts for less."""
    now, most = _number(value), _number(limit)
    if now is None or not most:
        return Fraction(0)
    spec, tally = seat.rule.spec, seat.tally
    if spec.kind in LESS_IS_WORSE:
        used = most / now if now else Fraction(0)
    else:
        used = now / most
    for least, sample in ((spec.min_attempts, tally.attempts),
                          (spec.min_answered, tally.completed + tally.short)):
        if sample < least:
            used = min(used, Fraction(1)) * Fraction(sample, least)
    return used


def _number(text: str) -> Fraction | None:
    """The number in "7/2 = 3.5", "12 %" or "60 s"; None where there is none."""
    word = text.rpartition("= ")[2].split(" ", 1)[0]
    try:
        return Fraction(word) if "/" not in word else None
    except ValueError:
        return None
