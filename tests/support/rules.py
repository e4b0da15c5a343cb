"""Rules, attempts and records in few words, for tests of the arithmetic."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from enforcer.domain.account import Account
from enforcer.domain.call import CallAttempt, CallEvent, CallRecord, Direction, NumberClass, Phase, Source
from enforcer.domain.decision import Verdict
from enforcer.domain.load import Loads
from enforcer.domain.measure import Measure
from enforcer.domain.notice import Gate
from enforcer.domain.registers import Registers
from enforcer.domain.rules import KINDS, Pace, Rule, RuleSpec, Step
from enforcer.domain.rules.seat import File, Seat
from enforcer.domain.usage import Tally, tally_for

NOON = 1_795_348_800.0      # 2026-11-22 12:00:00 UTC


def rule(
    kind: str,
    critical: Fraction | str | int,
    warning: Fraction | str | int | None = None,
    *,
    verdict: Verdict = Verdict.BLOCK,
    warn: Verdict = Verdict.TAG,
    name: str = "",
    measure: Measure | None = None,
    pace: Pace | None = None,
    **more: Any,
) -> Rule:
    """A rule of this kind, that blocks at its limit and tags at its warning unless told otherwise."""
    return KINDS[kind](RuleSpec(
        name or kind, kind, f"clause of {kind}", measure or Measure(), Step(Fraction(critical), verdict),
        None if warning is None else Step(Fraction(warning), warn), pace=pace or Pace(), **more,
    ))


def attempt(
    at: float = NOON,
    *,
    account: str = "acme",
    number: str = "12125550100",
    direction: Direction = Direction.OUTBOUND,
    call_id: str = "pbx1/1",
) -> CallAttempt:
    """One seizure of acme's on pbx1."""
    return CallAttempt(call_id, "pbx1", account, direction, number, "100", at, "PJSIP/acme-1")


def record(started_at: float = NOON, **facts: Any) -> CallRecord:
    """A call of acme's, ringing unless told otherwise."""
    ringing = CallRecord(
        "pbx1/1", "pbx1", "acme", "acme", Direction.OUTBOUND, "12125550100", "100",
        NumberClass.ORDINARY, "", "PJSIP/acme-1", started_at,
    )
    return ringing._replace(**facts)


def talked(seconds: float, started_at: float = NOON) -> CallRecord:
    """A call that was answered at once and lasted so long, as events tell it."""
    return record(
        started_at, answered_at=started_at, answered_by=Source.EVENT,
        ended_at=started_at + seconds, ended_by=Source.EVENT, hangup_cause=16,
    )


def started(seizure: CallAttempt) -> CallEvent:
    """The event that begins a call."""
    return CallEvent(Phase.STARTED, seizure, seizure.at)


def seated(one: Rule, tally: Tally | None = None, account: Account | None = None) -> Seat:
    """A rule at acme's, with nothing on file unless an account brings it."""
    file = File(account or Account("acme", "acme"), Registers(), Loads(), lambda number: number)
    also = tuple(Seat(signal, tally_for(signal.spec.measure), file=file) for signal in one.spec.also)
    return Seat(one, tally_for(one.spec.measure) if tally is None else tally, None, Gate(), also, file)
