"""READ THIS PAGE FIRST: how one call attempt becomes one decision.

    1. An emergency call goes. Nothing below is even read.
    2. A call that belongs to no account goes: there is nobody a policy could be about.
    3. An account that people suspended or terminated is blocked.
    4. Every rule about the account judges its numbers. The attempt is counted already
       ("count first, then decide"), so the numbers include it.
    5. A judgement proposes the verdict of its level; the mode in force for that rule and
       account caps it. Both are kept: `would_be` is what `block` mode had said.
    6. The severest capped verdict is the decision. THROTTLE holds the call until its turn,
       and sheds it where its turn would come too late.

In: the attempt, the numbers, the policy's seats, the modes. Out: a Decision.
Refuses to know: the clock (`at` comes in), the ledger, the switch, the logs.
"""

from __future__ import annotations

from collections.abc import Sequence

from enforcer.domain.account import Account, Standing
from enforcer.domain.call import CallAttempt, Direction, NumberClass
from enforcer.domain.decision import Decision, Finding, Level, Verdict
from enforcer.domain.mode import CEILING, Mode, Modes
from enforcer.domain.policy import Seat
from enforcer.domain.rules.base import Judgement
from enforcer.domain.rules.concurrent_calls import ConcurrentCalls
from enforcer.domain.rules.cps import CallsPerSecond

EMERGENCY = "emergency call"
NO_ACCOUNT = "belongs to no account"
SHED_CODE = 503         # RFC 3261, 21.5.4: temporarily unable to process; the caller may retry


def decide(
    attempt: CallAttempt,
    number_class: NumberClass,
    account: Account,
    seats: Sequence[Seat],
    modes: Modes,
    decision_id: str,
    policy: str = "",
    degraded: str = "",
) -> Decision:
    """The decision on one attempt, already counted in the seats' tallies.

    The only side effect: a call that goes on takes its turn from the pacers it waited for.
    """
    at = attempt.at
    if number_class is NumberClass.EMERGENCY:
        return _exempt(attempt, decision_id, policy, degraded, EMERGENCY)
    if not attempt.account:
        return _exempt(attempt, decision_id, policy, degraded, NO_ACCOUNT)

    findings: list[Finding] = []
    paced: list[tuple[Seat, Finding | None]] = []
    if account.standing is not Standing.ACTIVE:
        finding = _standing(attempt, account, modes)
        if finding is not None:
            findings.append(finding)
    for seat in seats:
        rule = seat.rule
        if not rule.applies(attempt.direction):
            continue
        finding = None
        judgement = rule.judge(seat.tally, at, seat.pacer)
        if judgement is not None:
            mode = modes.resolve(account.id, rule.spec.id, attempt.switch, at).mode
            finding = _weigh(seat, judgement, mode, at)
            if finding is not None:
                findings.append(finding)
        if seat.pacer is not None and (finding is not None or isinstance(rule, CallsPerSecond)):
            paced.append((seat, finding))

    usage = tuple((seat.rule.spec.id, seat.tally.usage()) for seat in seats)
    if not findings:
        for seat, _ in paced:
            seat.pacing().take(at)
        return Decision(
            decision_id, at, attempt.call_id, attempt.switch, attempt.account, attempt.number,
            attempt.direction, Verdict.ALLOW, Verdict.ALLOW, policy=policy, usage=usage, degraded=degraded,
        )
    decision = _severest(attempt, findings, decision_id, policy, degraded)._replace(usage=usage)
    if decision.verdict is not Verdict.BLOCK:
        for seat, finding in paced:
            if finding is None or not finding.shed:
                seat.pacing().take(at + max(decision.hold, finding.hold if finding else 0.0))
    return decision


def _weigh(seat: Seat, judgement: Judgement, mode: Mode, at: float) -> Finding | None:
    """What a judgement comes to under a mode; None where it neither proposes nor limits anything."""
    spec = seat.rule.spec
    step = judgement.step
    proposed = step.verdict if step is not None else Verdict.ALLOW
    capped = min(proposed, CEILING[mode])
    hold, shed = 0.0, False
    if Verdict.THROTTLE in (proposed, capped):
        if isinstance(seat.rule, ConcurrentCalls):
            shed = True             # waiting would not free a channel at a known time
        else:
            hold = seat.pacing().hold(at)
            shed = hold > spec.pace.max_hold
            hold = 0.0 if shed else hold
    cap = judgement.max_duration if spec.critical.verdict is Verdict.BLOCK else None
    if cap is not None and mode < Mode.BLOCK:
        cap = None
    if judgement.level is Level.FINE and cap is None:
        return None
    return Finding(
        spec.id, spec.clause, judgement.level, proposed, capped, mode.word,
        seat.rule.metric, judgement.value, judgement.limit,
        step.sip_code if step is not None else 0, hold, shed, cap,
    )


def _severest(
    attempt: CallAttempt, findings: list[Finding], decision_id: str, policy: str, degraded: str
) -> Decision:
    """One decision out of all findings. The first of the severest leads and names the clause."""
    leader = max(findings, key=lambda f: (f.capped, f.verdict, f.level))
    verdict = leader.capped
    throttled = [f for f in findings if f.capped is Verdict.THROTTLE]
    shed = verdict is Verdict.THROTTLE and any(f.shed for f in throttled)
    caps = [f.max_duration for f in findings if f.max_duration is not None]
    if verdict is Verdict.BLOCK:
        sip_code = leader.sip_code
    else:
        sip_code = SHED_CODE if shed else 0
    telling = leader.level is not Level.FINE
    return Decision(
        decision_id, attempt.at, attempt.call_id, attempt.switch, attempt.account, attempt.number,
        attempt.direction, verdict, max(f.verdict for f in findings),
        rule=leader.rule if telling else "", clause=leader.clause if telling else "",
        policy=policy, sip_code=sip_code,
        hold=0.0 if shed or verdict is not Verdict.THROTTLE else max(f.hold for f in throttled),
        shed=shed, max_duration=min(caps) if caps and sip_code == 0 else None,
        tags=tuple(f"{f.rule}.{f.level.name.lower()}" for f in findings if f.capped >= Verdict.TAG),
        findings=tuple(f for f in findings if f.level is not Level.FINE), degraded=degraded,
    )


def _standing(attempt: CallAttempt, account: Account, modes: Modes) -> Finding | None:
    """A person's own word on an account: suspended accounts may be called, terminated ones not."""
    if account.standing is Standing.SUSPENDED and attempt.direction is Direction.INBOUND:
        return None
    mode = _standing_mode(attempt, account, modes)
    return Finding(
        "standing", account.standing_reason or "by decision of the operator", Level.CRITICAL,
        Verdict.BLOCK, min(Verdict.BLOCK, CEILING[mode]), mode.word,
        "account", account.standing.value, "active",
    )


def _standing_mode(attempt: CallAttempt, account: Account, modes: Modes) -> Mode:
    """A suspension is itself a setting for one account: only the site ceiling goes before it."""
    setting = modes.resolve(account.id, "standing", attempt.switch, attempt.at)
    return setting.mode if setting.ceiling else Mode.BLOCK


def _exempt(attempt: CallAttempt, decision_id: str, policy: str, degraded: str, why: str) -> Decision:
    return Decision(
        decision_id, attempt.at, attempt.call_id, attempt.switch, attempt.account, attempt.number,
        attempt.direction, Verdict.ALLOW, Verdict.ALLOW, policy=policy, exempt=why, degraded=degraded,
    )
