"""The accounts nearest their limits: how full each is, and when it is full at this pace.

In: a ledger that counts for a policy, a moment. Out: the fullest seats of all accounts, with their forecasts.
Refuses to know: how they are shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from heapq import nlargest
from typing import Any

from enforcer.control.case import Case
from enforcer.control.outlook import NOTHING_AHEAD, Outlook, outlook
from enforcer.domain.account import Account
from enforcer.domain.decision import Level
from enforcer.domain.measure import Scope
from enforcer.domain.rules import Rule
from enforcer.domain.rules.seat import Seat


@dataclass(frozen=True, slots=True)
class Near:
    """One rule and one account, or its customer as a whole. `full` is 1 where the limit is reached."""

    account: Account
    rule: Rule
    value: str
    limit: str
    level: Level
    full: Fraction
    ahead: Outlook = NOTHING_AHEAD

    def facts(self) -> dict[str, Any]:
        """For programs; `percent` is of the limit."""
        spec = self.rule.spec
        warning = spec.warning
        return {
            "account": self.account.id, "customer": self.account.customer, "rule": spec.id,
            "scope": spec.measure.scope.value, "metric": self.rule.metric, "value": self.value,
            "limit": self.limit, "level": self.level.name.lower(), "percent": int(self.full * 100),
            "warning_percent": None if warning is None else percent_of(
                warning.at, spec.critical.at, self.rule
            ),
            "acts": spec.critical.verdict.word,
        } | self.ahead.facts(self.account.timezone)


def fullest(case: Case, accounts: Iterable[Account], most: int) -> list[Near]:
    """The `most` fullest, the fullest first; a customer's numbers are told once, with its first account."""
    told: set[tuple[str, str]] = set()
    found: list[tuple[Near, Seat]] = []
    for account in accounts:
        for seat in case.ledger.seats(account.id, case.now):
            rule = seat.rule
            if rule.per_call and not rule.counting:
                continue
            whose = account.id if rule.spec.measure.scope is Scope.ACCOUNT else f"\0{account.customer}"
            if (rule.spec.id, whose) in told:
                continue
            judged = rule.look(seat, case.now)
            level = judged.level if judged is not None else Level.FINE
            value, limit = rule.standing(seat.tally, case.now)
            full = fullness(rule, value, limit, level)
            if not full:
                continue
            told.add((rule.spec.id, whose))
            found.append((Near(account, rule, value, limit, level, full), seat))
    top = nlargest(most, found, key=lambda one: (one[0].level, one[0].full))
    return [replace(near, ahead=_ahead(case, near, seat)) for near, seat in top]


def _ahead(case: Case, near: Near, seat: Seat) -> Outlook:
    span = case.window(near.rule, near.account, case.now)
    return outlook(case, seat, near.account, case.now, span, near.level)


def fullness(rule: Rule, value: str, limit: str, level: Level) -> Fraction | None:
    """How far a rule has come to its limit, from the numbers that it shows; None where it shows none, or
    where a sample is too small to say anything yet: its number is beyond the limit, and no level is reached.

    A ratio without one completed call has no number; an average that has to be long is fuller as it falls.
    """
    amount, most = _number(value), _number(limit)
    if most is None or amount is None:
        return Fraction(1) if level is Level.CRITICAL else None
    if rule.spec.kind == "average_duration":
        amount, most = most, amount
    full = amount / most if most else Fraction(2 if amount else 0)
    return None if full > 1 and level is Level.FINE else full


def percent_of(at: Fraction, limit: Fraction, rule: Rule) -> int:
    """Where the warning lies on a bar whose end is the limit."""
    if rule.spec.kind == "average_duration":
        at, limit = limit, at
    return int(100 * at / limit) if limit else 0


def _number(text: str) -> Fraction | None:
    """The figure that stands for a value: "12", "4 s", "9/2 = 4.5", "3/40 = 7.5 %"; "9/0" has none."""
    words = text.rpartition("=")[2].split()
    try:
        return Fraction(words[0]) if words and "/" not in words[0] else None
    except ValueError:
        return None
