"""The line of one rule: its numbers in its window, what they come to, and the calls behind them.

In: a case, an account, a rule. Out: `RuleLine`s. Refuses to know: averages, and how lines are shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from enforcer.control.case import ALWAYS, INSTANT, Case, key_of
from enforcer.control.outlook import NOTHING_AHEAD, outlook
from enforcer.control.report_line import RuleLine
from enforcer.control.words import local, shown
from enforcer.domain.account import Account
from enforcer.domain.behind import FEW_GROUPS, Behind, Calls, Evidence, behind
from enforcer.domain.cycle import BillingCycle, Span
from enforcer.domain.decision import Level
from enforcer.domain.measure import Scope, Window
from enforcer.domain.mode import Modes
from enforcer.domain.registers import OptOut, Strike
from enforcer.domain.rules import Rule
from enforcer.domain.rules.base import UNLIMITED
from enforcer.domain.rules.opt_out import OptedOut
from enforcer.domain.rules.seat import Seat
from enforcer.domain.rules.strikes import RepeatInfringer

TOGETHER = "it speaks only where all its signals are there as well; what lies ahead is told of its own number"
LIVE_NOTES = {
    "cps": "how fast calls are set up just now is known to the running enforcer only",
    "fair_share": "how busy each switch is just now is known to the running enforcer only",
}


def rule_line(case: Case, modes: Modes, account: Account, rule: Rule, cycle: Span) -> RuleLine | None:
    """Where a rule stands now, or stood at the end of a cycle that is over; None for what was true of a
    moment then, which nobody kept."""
    current = cycle.holds(case.now)
    moment = rule.spec.measure.window is Window.LIVE
    if moment and not current and not isinstance(rule, RepeatInfringer):
        return None
    at = case.now if current else cycle.end - INSTANT
    label = "" if current else cycle.label
    span = case.window(rule, account, at, label)
    seat = case.seat(rule, account, at, label)
    judgement = rule.look(seat, at)
    level = judgement.level if judgement is not None else Level.FINE
    value, limit = rule.standing(seat.tally, at)
    evidence = None
    edges = None if span == ALWAYS else span
    if isinstance(rule, RepeatInfringer):
        found = rule.found(seat, at)
        value, evidence = f"{len(found)} in {rule.window}", strikes_on_file(found, account.timezone)
        calendar = BillingCycle(account.anchor_day, account.timezone)
        edges = Span(rule.since(calendar, at), float("inf"), "")
    elif isinstance(rule, OptedOut):
        entries = opt_outs_about(rule, seat)
        value = f"{len(entries):,} number{'' if len(entries) == 1 else 's'}"
        evidence = opt_outs_on_file(entries, account.timezone)
    elif rule.spec.kind == "fair_share":
        value = f"{case.tally(rule.spec.measure, account, ALWAYS, at).live} in progress"
    room = rule.room(seat, at, "") if current and not rule.per_call else UNLIMITED
    return RuleLine(
        rule, key_of(rule.spec.measure, account), at, edges, seat.tally.usage(), value, limit, level,
        None if room >= UNLIMITED else room, modes.resolve(account.id, rule.spec.id, "", at),
        TOGETHER if rule.spec.also else LIVE_NOTES.get(rule.spec.kind, ""),
        tuple(_signals(seat, at)), seat.gate,
        outlook(case, seat, account, at, span, level) if current else NOTHING_AHEAD, evidence=evidence,
    )


def with_calls(
    case: Case, account: Account, lines: Iterable[RuleLine], cycle: str = "", sorts: bool = True
) -> list[RuleLine]:
    """The lines with the calls behind them; not `sorts`, with the evidence alone. Rules with one and the same
    window are looked at in one pass."""
    lines = list(lines)
    passes: dict[tuple[Scope, Span], list[RuleLine]] = {}
    for line in lines:
        if line.rule.counting and not line.rule.settled_only:
            looked_at = case.looked_at(line.rule, account, line.at, cycle)
            passes.setdefault((line.rule.spec.measure.scope, looked_at), []).append(line)
    told: dict[str, Behind] = {}
    for (scope, span), some in passes.items():
        records = case.records(scope, account, span)
        told |= behind((one.rule for one in some), records, some[0].at, case.most, sorts)
    return [
        line if (found := told.get(line.rule.spec.id)) is None
        else replace(line, counters=tuple(found.counters()), evidence=found.evidence())
        for line in lines
    ]


def _signals(seat: Seat, at: float) -> Iterator[str]:
    for signal in seat.also:
        rule = signal.rule
        value, limit = rule.standing(signal.tally, at)
        found = rule.look(signal, at)
        there = "is there" if found is not None and found.level else "is not there"
        yield f"{rule.metric} {value}, limit {limit}: this signal {there}"


def opt_outs_about(rule: OptedOut, seat: Seat) -> list[OptOut]:
    """The opt-outs that a rule holds against an account."""
    file = seat.on_file()
    customer, account = file.account.customer, file.account.id
    return [
        one for one in file.registers.opt_outs.all(customer)
        if rule.spec.measure.scope is Scope.CUSTOMER or one.account in ("", account)
    ]


def opt_outs_on_file(entries: list[OptOut], zone: str) -> Evidence | None:
    """Opt-outs, the latest first."""
    if not entries:
        return None
    latest = sorted(entries, key=lambda one: (-one.at, one.number))
    groups = [Calls(_opt_out(one, zone), 0, ()) for one in latest[:FEW_GROUPS]]
    return Evidence("opted out, the latest first", tuple(groups), len(entries) - len(groups))


def _opt_out(one: OptOut, zone: str) -> str:
    whom = f"account {shown(one.account)}" if one.account else "all of the customer's accounts"
    how = {"message": "by message", "import": "from a list"}.get(one.source, "entered by hand")
    who = f" by {shown(one.who)}" if one.who else ""
    return f"{shown(one.number)}, of {whom}, {local(one.at, zone)} {how}{who}"


def strikes_on_file(found: list[Strike], zone: str) -> Evidence | None:
    """Strikes that count, oldest first."""
    if not found:
        return None
    groups = [Calls(_strike(one, zone), 0, ()) for one in found[:FEW_GROUPS]]
    return Evidence("strikes that count, the oldest first", tuple(groups), len(found) - len(groups))


def _strike(one: Strike, zone: str) -> str:
    whose = f"account {shown(one.account)}" if one.account else "the customer"
    when = f"cycle {one.cycle}" if one.cycle else local(one.at, zone)
    who = f", by {shown(one.who)}" if one.who else ""
    why = f" ({shown(one.why)})" if one.why else ""
    return f"{shown(one.id)}: {shown(one.kind)} of {whose}, {when}{who}{why}"
