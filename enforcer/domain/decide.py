"""READ THIS PAGE FIRST: how one call attempt becomes one decision.

    1. An emergency call goes, and so does a call back after one. Nothing below is even read.
    2. A call that belongs to no account goes: there is nobody a policy could be about.
    3. An account that people suspended or terminated is blocked.
    4. Every rule that counts this call judges its numbers. The attempt is counted already
       ("count first, then decide"), so the numbers include it. One that cannot have anything to
       say of so few attempts is not asked.
    5. A judgement proposes the verdict of its level. A rule that acts only on notice proposes no
       more than TAG, and cuts no call short, until its notice was delivered and the time of grace
       has ended.
    6. The mode in force for that rule and account caps it. Both are kept: `would_be` is what
       `block` mode had said.
    7. The severest capped verdict is the decision. THROTTLE holds the call until its turn,
       and sheds it where its turn would come too late. A text message cannot be held.

In: the attempt (of a call or a message), the numbers, the policy's seats, the modes. Out: a Decision.
Refuses to know: the clock (`at` comes in), the ledger, the switch, the logs.
"""

from __future__ import annotations

from collections.abc import Sequence

from enforcer.domain.account import Account, Standing
from enforcer.domain.call import CallAttempt, Direction, Medium, NumberClass
from enforcer.domain.decision import Decision, Finding, Level, Verdict
from enforcer.domain.mode import CEILING, Mode, Modes
from enforcer.domain.notice import words_of_gate
from enforcer.domain.rules.base import Judgement
from enforcer.domain.rules.cps import CallsPerSecond
from enforcer.domain.rules.seat import Seat
from enforcer.domain.usage import Usage

EMERGENCY = "emergency call"
CALLBACK = "call back after an emergency call"
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

    `usage` in it has the numbers of the rules that found something. The only side effect: a call
    that goes on takes its turn from the pacers of its rules.
    """
    at = attempt.at
    if number_class is NumberClass.EMERGENCY:
        return _exempt(attempt, decision_id, policy, degraded, EMERGENCY)
    if number_class is NumberClass.CALLBACK:
        return _exempt(attempt, decision_id, policy, degraded, CALLBACK)
    if not attempt.account:
        return _exempt(attempt, decision_id, policy, degraded, NO_ACCOUNT)

    findings: list[Finding] = []
    paced: list[tuple[Seat, Finding | None]] = []
    usage: list[tuple[str, Usage]] = []
    cap: int | None = None
    if account.standing is not Standing.ACTIVE:
        finding = _standing(attempt, account, modes)
        if finding is not None:
            findings.append(finding)
    call = (attempt.medium, attempt.direction, number_class)
    for seat in seats:
        glance, tally = seat.glance, seat.tally
        if tally.attempts < glance.quiet or call not in glance.about:
            continue
        if glance.routes and attempt.route not in glance.routes:
            continue
        finding = None
        judgement = glance.judge(tally, at, seat.pacer) if glance.summed else glance.weigh(seat, attempt)
        if judgement is not None:
            rule_id = seat.rule.spec.id
            mode = modes.resolve(account.id, rule_id, attempt.switch, at).mode
            if judgement.max_duration is not None and (mode is not Mode.BLOCK or _waits(seat, at)):
                judgement = judgement._replace(max_duration=None)
            allowance = judgement.max_duration
            if allowance is not None and (cap is None or allowance < cap):
                cap = allowance
            if judgement.level:
                finding = _weigh(seat, judgement, mode, attempt)
                findings.append(finding)
                usage.append((rule_id, tally.usage()))
        if seat.pacer is not None and (finding is not None or isinstance(seat.rule, CallsPerSecond)):
            paced.append((seat, finding))

    if findings:
        decision = _severest(attempt, findings, decision_id, policy, degraded, cap, tuple(usage))
    else:
        decision = Decision(
            decision_id, at, attempt.call_id, attempt.switch, attempt.account, attempt.number,
            attempt.direction, Verdict.ALLOW, Verdict.ALLOW, "", "", policy, 0, 0.0, False, cap,
            (), (), (), "", degraded, attempt.medium, "", attempt.sip_call_id,
        )
    if paced and not decision.refused:
        for seat, finding in paced:
            if finding is None:
                seat.pacing().take(at + decision.hold)
            elif not _turns_away(finding):
                seat.pacing().take(at + max(decision.hold, finding.hold))
    return decision


def _weigh(seat: Seat, judgement: Judgement, mode: Mode, attempt: CallAttempt) -> Finding:
    """What a judgement past a level comes to under a mode."""
    at, spec = attempt.at, seat.rule.spec
    step = judgement.step or spec.critical
    proposed, held = step.verdict, ""
    if proposed > Verdict.TAG:
        held = _waits(seat, at)
        proposed = Verdict.TAG if held else proposed
    capped = min(proposed, CEILING[mode])
    hold, shed = 0.0, False
    if Verdict.THROTTLE in (proposed, capped):
        if seat.rule.sheds:
            shed = True             # waiting would not free a channel at a known time
        else:
            hold = seat.pacing().hold(at)
            # All messages share one channel on the switch: one that waits would keep all others waiting.
            shed = hold > (0 if attempt.medium is Medium.MESSAGE else spec.pace.max_hold)
            hold = 0.0 if shed else hold
    return Finding(
        spec.id, spec.clause, judgement.level, proposed, capped, mode.word, seat.rule.metric,
        judgement.value, judgement.limit, step.sip_code, hold, shed, judgement.max_duration, judgement.also,
        held,
    )


def _waits(seat: Seat, at: float) -> str:
    """What a rule that acts only on notice still waits for; "" where it may act."""
    return "" if seat.rule.spec.notice is None else words_of_gate(seat.gate, at)


def _turns_away(finding: Finding) -> bool:
    """Whether its own rule would not have let the call through, though a milder mode did. Such a
    call uses up nothing of the pace, so that the next one is judged as `block` mode would judge it;
    only where the mode paces instead of blocking has the call really taken its turn."""
    return finding.shed or (finding.verdict is Verdict.BLOCK and finding.capped is not Verdict.THROTTLE)


def _severest(
    attempt: CallAttempt,
    findings: list[Finding],
    decision_id: str,
    policy: str,
    degraded: str,
    cap: int | None,
    usage: tuple[tuple[str, Usage], ...],
) -> Decision:
    """One decision out of all findings. The first of the severest leads and names the clause."""
    leader = max(findings, key=lambda f: (f.capped, f.verdict, f.level))
    verdict = leader.capped
    hold, shed, sip_code = 0.0, False, 0
    if verdict is Verdict.BLOCK:
        sip_code = leader.sip_code
    elif verdict is Verdict.THROTTLE:
        throttled = [f for f in findings if f.capped is Verdict.THROTTLE]
        shed = any(f.shed for f in throttled)
        if shed:
            sip_code = SHED_CODE
        else:
            hold = max(f.hold for f in throttled)
    return Decision(
        decision_id, attempt.at, attempt.call_id, attempt.switch, attempt.account, attempt.number,
        attempt.direction, verdict, max(f.verdict for f in findings), leader.rule, leader.clause,
        policy, sip_code, hold, shed, cap if sip_code == 0 else None,
        tuple(f"{f.rule}.{f.level.name.lower()}" for f in findings if f.capped >= Verdict.TAG),
        tuple(findings), usage, "", degraded, attempt.medium, "", attempt.sip_call_id,
    )


def _standing(attempt: CallAttempt, account: Account, modes: Modes) -> Finding | None:
    """A person's own word on an account: suspended accounts may be called, terminated ones not.

    A suspension is itself a setting for one account: only the site ceiling goes before it.
    """
    if account.standing is Standing.SUSPENDED and attempt.direction is Direction.INBOUND:
        return None
    ceiling = modes.ceiling(attempt.at)
    mode = Mode.BLOCK if ceiling is None else ceiling.mode
    return Finding(
        "standing", account.standing_reason or "by decision of the operator", Level.CRITICAL,
        Verdict.BLOCK, CEILING[mode], mode.word, "account", account.standing.value, "active",
    )


def _exempt(attempt: CallAttempt, decision_id: str, policy: str, degraded: str, why: str) -> Decision:
    return Decision(
        decision_id, attempt.at, attempt.call_id, attempt.switch, attempt.account, attempt.number,
        attempt.direction, Verdict.ALLOW, Verdict.ALLOW, policy=policy, exempt=why, degraded=degraded,
        medium=attempt.medium, sip_call_id=attempt.sip_call_id,
    )
