"""Where an account stands: its calls in one billing cycle, and each rule about it.

In: a ledger, a policy, the modes, an account, a cycle. Out: a `Report`.
Refuses to know: how it is shown. Past cycles are derived from the records alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from enforcer.control.facts import counters
from enforcer.control.words import iso
from enforcer.domain.account import Account
from enforcer.domain.call import Direction
from enforcer.domain.cycle import BillingCycle, Span
from enforcer.domain.decision import Level
from enforcer.domain.measure import Measure, Scope, Window
from enforcer.domain.mode import Modes, ModeSetting
from enforcer.domain.policy import Policy
from enforcer.domain.rules import Rule
from enforcer.domain.rules.base import UNLIMITED
from enforcer.domain.usage import Usage
from enforcer.errors import BadInput
from enforcer.ledger.port import Ledger


@dataclass(frozen=True, slots=True)
class RuleLine:
    """One rule about the account. `headroom` is the attempts, however they end, that surely stay
    below its first level; None where the cycle is over or nothing can reach it."""

    rule: Rule
    key: str                    # the account or customer whose calls it counts
    span: Span
    usage: Usage
    value: str
    limit: str
    level: Level
    headroom: int | None
    mode: ModeSetting

    def facts(self, timezone: str) -> dict[str, Any]:
        """For programs."""
        spec = self.rule.spec
        return {
            "rule": spec.id, "clause": spec.clause, "policy": spec.policy, "scope": spec.measure.scope.value,
            "metric": self.rule.metric, "value": self.value, "limit": self.limit,
            "level": self.level.name.lower(), "headroom": self.headroom, "mode": self.mode.mode.word,
            "mode_set": self.mode.subject, "cycle": self.span.label,
            "from": iso(self.span.start, timezone), "until": iso(self.span.end, timezone),
        } | counters(self.usage)


@dataclass(frozen=True, slots=True)
class Report:
    """One account in one cycle: all its calls by direction, and its rules."""

    account: Account
    span: Span
    at: float                   # seen from then: now, or the end of the cycle
    totals: tuple[tuple[Direction, Usage], ...]
    lines: tuple[RuleLine, ...]

    def facts(self) -> dict[str, Any]:
        """For programs."""
        account, zone = self.account, self.account.timezone
        return {
            "account": account.id, "customer": account.customer, "standing": account.standing.value,
            "cycle": self.span.label, "from": iso(self.span.start, zone), "until": iso(self.span.end, zone),
            "timezone": zone, "at": iso(self.at, zone),
            "totals": [{"direction": direction.value} | counters(usage) for direction, usage in self.totals],
            "rules": [line.facts(zone) for line in self.lines],
        }


def report(
    ledger: Ledger, policy: Policy, modes: Modes, account: Account, now: float, cycle: str = ""
) -> Report:
    """Where the account stands now, or stood at the end of `cycle` ("2026-11"). Raises BadInput."""
    calendar = BillingCycle(account.anchor_day, account.timezone)
    span = calendar.at(now) if not cycle else named_cycle(calendar, cycle)
    if span.start > now:
        raise BadInput("--cycle", f"{cycle} has not begun yet")
    at = min(now, span.end)
    totals = []
    for direction in Direction:
        measure = Measure(directions=frozenset({direction}))
        usage = ledger.derive(Scope.ACCOUNT, account.id, measure, span).usage()
        if any(usage) or direction is Direction.OUTBOUND:
            totals.append((direction, usage))
    lines = [
        line for rule in policy.about(account)
        if (line := _line(ledger, modes, account, rule, span, now)) is not None
    ]
    return Report(account, span, at, tuple(totals), tuple(lines))


def calendar_of(ledger: Ledger, scope: Scope, account: Account) -> BillingCycle:
    """The calendar of an account, or of its customer: that of the customer's first account by name."""
    first = account
    if scope is Scope.CUSTOMER:
        first = min(ledger.accounts(account.customer), key=lambda a: a.id, default=account)
    return BillingCycle(first.anchor_day, first.timezone)


def _line(
    ledger: Ledger, modes: Modes, account: Account, rule: Rule, cycle: Span, now: float
) -> RuleLine | None:
    measure = rule.spec.measure
    current = cycle.holds(now)
    if measure.window is Window.LIVE and not current:
        return None                     # what was in progress then is not kept
    calendar = calendar_of(ledger, measure.scope, account)
    span = calendar.at(now) if current else named_cycle(calendar, cycle.label)
    at = min(now, span.end)
    key = account.id if measure.scope is Scope.ACCOUNT else account.customer
    tally = ledger.derive(measure.scope, key, measure, span)
    judgement = rule.judge(tally, at, None)
    value, limit = rule.standing(tally, at)
    headroom = rule.headroom(tally, at) if current and not rule.per_call else None
    return RuleLine(
        rule, key, span, tally.usage(), value, limit,
        judgement.level if judgement is not None else Level.FINE,
        None if headroom is None or headroom >= UNLIMITED else headroom,
        modes.resolve(account.id, rule.spec.id, "", at),
    )


def named_cycle(calendar: BillingCycle, label: str) -> Span:
    """The cycle of that name in a calendar. Raises BadInput."""
    try:
        return calendar.named(label)
    except (ValueError, OverflowError):
        raise BadInput("--cycle", f"{label!r} is no billing cycle: year and month, such as 2026-11") from None
