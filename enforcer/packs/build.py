"""A checked table becomes a rule.

In: a rule's table and the pack it stands in. Out: the `Rule`.
Refuses to know: files, and what could be wrong.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from enforcer.domain.account import Standing
from enforcer.domain.call import Medium
from enforcer.domain.charge import Charge
from enforcer.domain.decision import Verdict
from enforcer.domain.measure import Calendar, Measure, Scope, Window
from enforcer.domain.notice import NoticeTerms
from enforcer.domain.policy import Pack
from enforcer.domain.rules import KINDS, Pace, Rule, RuleSpec, Step
from enforcer.packs.checks import Page, check_numbers, check_signal, verdict_of
from enforcer.packs.tables import MAX_HOLD, CountedTable, PaceTable, RuleTable, SignalTable, StepTable

_MEDIUMS = {"calls": Medium.CALL, "messages": Medium.MESSAGE}
# What a signal has from its rule unless it says something else.
_INHERITED = (
    "directions", "only", "without", "without_inbound", "routes", "window", "short_call_seconds", "short_is",
)
_STANDING = {"suspend": Standing.SUSPENDED, "terminate": Standing.TERMINATED}


def built(page: Page, table: RuleTable, signals: list[tuple[Page, SignalTable]], pack: Pack) -> Rule:
    """The rule that a table states. Raises BadInput for a length of calls that is no whole milliseconds."""
    kind = KINDS[table.kind]
    charge, notice = table.charge, table.notice
    return kind(RuleSpec(
        id=table.id, kind=table.kind, clause=table.clause,
        measure=kind.measured(measure_of(page, table.kind, table, table.scope)),
        critical=_step(table.critical, kind), warning=_step(table.warning, kind) if table.warning else None,
        text=table.text, policy=pack.label, on_failure=table.on_failure, pace=_pace(table.pace),
        min_attempts=table.min_attempts, min_answered=table.min_answered, exceeds=_exceeds(table),
        hang_up=table.hang_up, types=table.types, plans=table.plans, customers=table.customers,
        accounts=table.accounts,
        charge=Charge(charge.amount, charge.per, charge.on, pack.currency) if charge else None,
        notice=NoticeTerms(float(notice.grace), float(notice.holds)) if notice else None,
        also=tuple(_signal(its_page, table, signal) for its_page, signal in signals),
        strike=table.strike, propose=_STANDING[table.propose] if table.propose else None,
        of_attempts=table.of == "attempts", strikes=table.strikes, cycles=table.window.cycles or 0,
        contended=Fraction(table.contended),
    ))


def _signal(page: Page, rule: RuleTable, signal: SignalTable) -> Rule:
    """A signal as a rule of its own, without a verdict. What it does not say, it has from its rule, as far as
    that means something to its kind."""
    told = CountedTable.model_fields
    says = {name: getattr(signal, name) for name in signal.model_fields_set if name in told}
    check_signal(page, signal)
    merged = CountedTable.model_construct(**{
        name: says[name] if name in says
        else getattr(rule, name) if name in _INHERITED
        else field.get_default(call_default_factory=True)
        for name, field in told.items()
    })
    check_numbers(page, signal.kind, merged)
    kind = KINDS[signal.kind]
    return kind(RuleSpec(
        id=f"{rule.id}+{signal.kind}", kind=signal.kind, clause=rule.clause,
        measure=kind.measured(measure_of(page, signal.kind, merged, rule.scope)),
        critical=Step(Fraction(signal.at), Verdict.ALLOW), min_attempts=merged.min_attempts,
        min_answered=merged.min_answered, exceeds=_exceeds(merged), of_attempts=merged.of == "attempts",
    ))


def measure_of(page: Page, kind: str, table: CountedTable, scope: Scope) -> Measure:
    """Which calls a table says to count."""
    window, rolling = Window.CYCLE, 0
    if table.window.rolling is not None:
        window, rolling = Window.ROLLING, table.window.rolling
    mediums = {_MEDIUMS[word] for word in table.counts}
    if not mediums:
        mediums = set(Medium) if kind in ("opt_out", "strikes") else {Medium.CALL}
    near = table.near_seconds if kind == "duration_cliff" else Decimal(0)
    return Measure(
        scope, window, table.directions, _milliseconds(page, "short_call_seconds", table.short_call_seconds),
        table.short_is == "<=", table.only, table.without, table.without_inbound, frozenset(mediums),
        table.routes, table.attempt == "leg", rolling,
        Calendar(table.window.period, table.window.anchor or 0, table.window.timezone or ""),
        table.classes, _milliseconds(page, "near_seconds", near),
        _whole_seconds(page, "redial_seconds", table.redial_seconds) if kind == "redials" else 0,
    )


def _milliseconds(page: Page, key: str, seconds: Decimal) -> int:
    milliseconds = seconds * 1000
    if milliseconds != int(milliseconds):
        raise page.wrong(key, "must be in whole milliseconds")
    return int(milliseconds)


def _whole_seconds(page: Page, key: str, seconds: Decimal) -> int:
    if seconds != int(seconds):
        raise page.wrong(key, "must be a whole number of seconds")
    return int(seconds)


def _exceeds(table: CountedTable) -> bool | None:
    return None if table.breached is None else table.breached == ">"


def _step(step: StepTable, kind: type[Rule]) -> Step:
    verdict = Verdict.ALLOW if kind.settled_only else verdict_of(step)
    return Step(Fraction(step.at), verdict, 403 if step.sip_code is None else step.sip_code)


def _pace(pace: PaceTable | None) -> Pace:
    if pace is None:
        return Pace(max_hold=float(MAX_HOLD))
    if not pace.calls_per_second:
        return Pace(max_hold=float(pace.max_hold))
    return Pace.of_rate(Fraction(pace.calls_per_second), float(pace.max_hold))
