"""An average of a customer's accounts while its cycle runs, or as it came to be: who pulls it up, and when it
will be crossed.

In: a case, an account, a rule that is settled when the cycle is over. Out: its line.
Refuses to know: what the close of the cycle charges; that is `settlement`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from enforcer.control.case import Case, calendar_of, named_cycle
from enforcer.control.outlook import NOTHING_AHEAD, Outlook, Remedy
from enforcer.control.report_line import RuleLine
from enforcer.domain.account import Account, Standing
from enforcer.domain.averages import crossed_at, fewest, left
from enforcer.domain.behind import FEW_GROUPS, Calls, Evidence
from enforcer.domain.cycle import Span
from enforcer.domain.decision import Level
from enforcer.domain.forecast import Crossing
from enforcer.domain.measure import Scope
from enforcer.domain.mode import Modes
from enforcer.domain.rules import Rule
from enforcer.domain.rules.average_minutes import Share, pulling_up, units
from enforcer.domain.rules.base import plain, window_words
from enforcer.domain.rules.diluted_average import DilutedAverage, spread
from enforcer.domain.settle import settle_average
from enforcer.domain.usage import Tally

SETTLED = "settled when the cycle is over; no call is touched"
MANY = 50       # accounts, from which on one question about all costs less than one about each


def average_line(case: Case, modes: Modes, account: Account, rule: Rule, cycle: str) -> RuleLine:
    """The average as it stands now, or at the end of a named cycle. Raises BadInput."""
    calendar = calendar_of(case.ledger, Scope.CUSTOMER, account)
    span = named_cycle(calendar, cycle) if cycle else calendar.at(case.now)
    at = min(case.now, span.end)
    parts = _parts(case, account, rule, span)
    shares = [share for share, _ in parts]
    settled = settle_average(rule, parts)
    limit, breached = rule.spec.critical.at, settled is not None and settled.breached
    judged, evidence = shares, _pulling(shares)
    if isinstance(rule, DilutedAverage):
        lying = spread(shares, limit)
        judged, evidence = lying.used, _idle(lying.idle)
    value = settled.value if settled is not None else None
    trouble = "nothing to divide by: trunks without channels" if settled is not None and value is None else ""
    total = Tally()
    for _, tally in parts:
        total.add(tally)
    return RuleLine(
        rule, account.customer, at, span, total.usage(), "-" if value is None else plain(value), plain(limit),
        Level.CRITICAL if breached else Level.FINE, None, modes.resolve(account.id, rule.spec.id, "", at),
        trouble or SETTLED,
        outlook=_outlook(rule, judged, limit, span, at, breached) if span.holds(case.now) else NOTHING_AHEAD,
        evidence=evidence,
    )


def _parts(case: Case, account: Account, rule: Rule, span: Span) -> list[tuple[Share, Tally]]:
    """What the customer's accounts that the rule covers bring to the average; as the settlement does, a
    terminated one only where it called."""
    covered = [one for one in case.ledger.accounts(account.customer) if rule.spec.covers(one)]
    measure = replace(rule.spec.measure, scope=Scope.ACCOUNT)
    everybody = case.ledger.derive_all(Scope.ACCOUNT, measure, span) if len(covered) > MANY else None
    found = []
    for one in covered:
        if everybody is None:
            tally = case.ledger.derive(Scope.ACCOUNT, one.id, measure, span)
        else:
            tally = everybody.get(one.id, Tally())
        if one.standing is not Standing.TERMINATED or tally.attempts:
            found.append((Share(one.id, tally.msec, units(one)), tally))
    return found


def _outlook(
    rule: Rule, shares: Sequence[Share], limit: Fraction, span: Span, at: float, breached: bool
) -> Outlook:
    room, used = left(shares, limit), sum(share.msec for share in shares)
    when = crossed_at(shares, limit, span.start, at, span.end)
    per_day = Fraction(0)
    if at > span.start:
        per_day = Fraction(used, 60_000) * 86_400 / (Fraction(at) - Fraction(span.start))
    crossing = Crossing(Level.CRITICAL, limit, max(0, room + 1), "msec", when)
    found: list[Remedy] = []
    if breached and rule.spec.kind != "diluted_average":
        chosen = fewest(shares, limit)
        names = ", ".join(share.account for share in chosen[:FEW_GROUPS])
        more = f" and {len(chosen) - FEW_GROUPS} more" if len(chosen) > FEW_GROUPS else ""
        who = "account" if len(chosen) == 1 else "accounts"
        found.append(Remedy(Level.CRITICAL, len(chosen), (
            f"the fewest to act on: had {len(chosen)} {who} ({names}{more}) used no more than "
            f"{plain(limit)} minutes for each, the average would be within its limit"
        )))
    return Outlook(
        (crossing,), f"{window_words(rule.spec.measure)} so far", per_day, tuple(found),
        span.end if breached else None, anew=True,
    )


def _pulling(shares: Sequence[Share]) -> Evidence | None:
    """The accounts above the average."""
    found = pulling_up(shares)
    if not found:
        return None
    groups = [
        Calls(f"{s.account}: {plain(Fraction(s.msec, 60_000))} minutes" + (
            f", {plain(s.minutes)} for each of {s.units}" if s.units != 1 and s.minutes is not None else ""
        ), 0, ())
        for s in found[:FEW_GROUPS]
    ]
    heading = f"{len(found)} of {len(shares)} accounts pull{'s' if len(found) == 1 else ''} the average up"
    return Evidence(heading, tuple(groups), len(found) - len(groups))


def _idle(idle: Sequence[Share]) -> Evidence | None:
    """The accounts that nobody uses."""
    if not idle:
        return None
    groups = [
        Calls(f"{s.account}: {plain(Fraction(s.msec, 60_000))} minutes", 0, ()) for s in idle[:FEW_GROUPS]
    ]
    plural = "s are" if len(idle) != 1 else " is"
    return Evidence(f"{len(idle)} account{plural} not in use", tuple(groups), len(idle) - len(groups))
