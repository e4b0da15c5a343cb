"""Where an account stands: its calls in one billing cycle, and each rule about it.

In: a ledger, a policy, the modes, an account, a cycle. Out: a `Report`.
Refuses to know: how it is shown. Past cycles are derived from the records alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from enforcer.control.case import INSTANT, Case, calendar_of, named_cycle
from enforcer.control.facts import counters
from enforcer.control.gaps import bounds_words, gap_facts, gap_lines
from enforcer.control.outlook import METHOD
from enforcer.control.report_average import average_line
from enforcer.control.report_line import RuleLine
from enforcer.control.report_rules import rule_line, with_calls
from enforcer.control.words import iso
from enforcer.domain.account import Account
from enforcer.domain.call import Direction, Medium
from enforcer.domain.cycle import BillingCycle, Span
from enforcer.domain.gap import Gap
from enforcer.domain.measure import Measure, Scope
from enforcer.domain.mode import Mode, Modes
from enforcer.domain.policy import Policy
from enforcer.domain.rules.base import plain
from enforcer.domain.usage import Usage
from enforcer.errors import BadInput
from enforcer.ledger.port import Ledger

__all__ = ["Report", "RuleLine", "calendar_of", "named_cycle", "report", "standing"]


@dataclass(frozen=True, slots=True)
class Report:
    """One account in one cycle: all its calls and messages by direction, and its rules."""

    account: Account
    span: Span
    at: float                   # seen from then: now, or the end of the cycle
    totals: tuple[tuple[Direction, Usage], ...]
    messages: tuple[tuple[Direction, Usage], ...]
    lines: tuple[RuleLine, ...]
    moments: tuple[str, ...] = ()       # rules about a moment, of which nobody kept how they stood then
    gaps: tuple[Gap, ...] = ()          # open, and of this cycle

    @property
    def pace(self) -> dict[str, Fraction]:
        """Per day of the cycle so far, all directions: attempts, completed calls, minutes, messages."""
        days = (Fraction(self.at) - Fraction(self.span.start)) / 86_400
        calls, messages = [u for _, u in self.totals], [u for _, u in self.messages]
        sums = {
            "attempts": Fraction(sum(u.attempts for u in calls)),
            "completed": Fraction(sum(u.completed for u in calls)),
            "minutes": Fraction(sum(u.msec for u in calls), 60_000),
            "messages": Fraction(sum(u.attempts for u in messages)),
        }
        return {name: number / days if days > 0 else Fraction(0) for name, number in sums.items()}

    @property
    def pace_words(self) -> str:
        """The pace as a sentence."""
        told = {name: plain(Fraction(round(number * 10), 10)) for name, number in self.pace.items()}
        return (f"pace so far: {told['attempts']} attempts, {told['completed']} completed calls, "
                f"{told['minutes']} minutes and {told['messages']} messages a day")

    @property
    def gap_lines(self) -> list[str]:
        """What may be missing in the numbers, and between which bounds they lie then; nothing where all is
        known."""
        if not self.gaps:
            return []
        bounds = bounds_words((usage for _, usage in self.totals), list(self.gaps), self.account.id)
        return [*gap_lines(self.gaps, self.account.timezone, self.account.id), bounds]

    def facts(self) -> dict[str, Any]:
        """For programs."""
        account, zone = self.account, self.account.timezone
        return {
            "account": account.id, "customer": account.customer, "standing": account.standing.value,
            "cycle": self.span.label, "from": iso(self.span.start, zone), "until": iso(self.span.end, zone),
            "timezone": zone, "at": iso(self.at, zone),
            "totals": [{"direction": direction.value} | counters(usage) for direction, usage in self.totals],
            "messages": [
                {"direction": direction.value, "messages": usage.attempts, "blocked": usage.blocked,
                 "shed": usage.shed}
                for direction, usage in self.messages
            ],
            "pace_a_day": {name: plain(number) for name, number in self.pace.items()},
            "rules": [line.facts(zone) for line in self.lines], "not_kept": list(self.moments),
            "gaps": [gap_facts(gap, account.id) for gap in self.gaps], "forecast_method": METHOD,
        }


def report(
    ledger: Ledger, policy: Policy, modes: Modes, account: Account, now: float, cycle: str = ""
) -> Report:
    """Where the account stands now, or stood at the end of `cycle` ("2026-11"). Raises BadInput."""
    return standing(Case(ledger, policy, Mode.MONITOR, now), modes, account, cycle)


def standing(case: Case, modes: Modes, account: Account, cycle: str = "", *, calls: bool = False) -> Report:
    """The same for a case: with the calls behind every rule, or (not `calls`) only with the evidence of those
    that have reached a level. Raises BadInput."""
    ledger, now = case.ledger, case.now
    calendar = BillingCycle(account.anchor_day, account.timezone)
    span = calendar.at(now) if not cycle else named_cycle(calendar, cycle)
    if span.start > now:
        raise BadInput("--cycle", f"{cycle} has not begun yet")
    named = "" if span.holds(now) else span.label
    lines: list[RuleLine] = []
    covering = [rule for rule in case.policy.rules if rule.spec.covers(account)]
    case.count(covering, account, now if not named else span.end - INSTANT, named)
    for rule in covering:
        if rule.settled_only:
            lines.append(average_line(case, modes, account, rule, named))
        elif (line := rule_line(case, modes, account, rule, span)) is not None:
            lines.append(line)
    seen = with_calls(case, account, [line for line in lines if calls or line.level], named, calls)
    known = {line.rule.spec.id: line for line in seen}
    return Report(
        account, span, min(now, span.end), _totals(ledger, account, span, Medium.CALL),
        _totals(ledger, account, span, Medium.MESSAGE),
        tuple(known.get(line.rule.spec.id, line) for line in lines),
        tuple(rule.spec.id for rule in covering if all(line.rule is not rule for line in lines)),
        tuple(
            gap for gap in ledger.registers.gaps.of(account.id)
            if gap.since < span.end and gap.until >= span.start
        ),
    )


def _totals(
    ledger: Ledger, account: Account, span: Span, medium: Medium
) -> tuple[tuple[Direction, Usage], ...]:
    found = []
    for direction in Direction:
        measure = replace(Measure(directions=frozenset({direction})), mediums=frozenset({medium}))
        usage = ledger.derive(Scope.ACCOUNT, account.id, measure, span).usage()
        if any(usage) or (direction is Direction.OUTBOUND and medium is Medium.CALL):
            found.append((direction, usage))
    return tuple(found)
