"""Why a call was treated as it was, or how an account stands: in words that name clause and numbers.

In: a ledger, the policy and the settings of modes, and what a person asked about.
Out: an `Explanation`: sentences for people, and the same facts for programs.
Refuses to know: where it is shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from shlex import quote
from typing import Any

from enforcer.control.commands import known_account
from enforcer.control.facts import call_facts, decision_facts
from enforcer.control.report import RuleLine, calendar_of, report
from enforcer.control.words import cycle_words, local, shown
from enforcer.domain.account import Account, Standing
from enforcer.domain.call import CallRecord
from enforcer.domain.decision import Decision, Finding, Verdict
from enforcer.domain.measure import Window
from enforcer.domain.mode import Mode, Modes, ModeSetting
from enforcer.domain.policy import Policy
from enforcer.domain.rules import Rule
from enforcer.domain.usage import Usage
from enforcer.errors import BadInput
from enforcer.ledger.port import Ledger
from enforcer.wording import describe

_WORDS = {
    Verdict.ALLOW: "allowed", Verdict.TAG: "allowed, and tagged", Verdict.THROTTLE: "throttled",
    Verdict.BLOCK: "blocked",
}  # fmt: skip


@dataclass(slots=True)
class Explanation:
    """What to tell. `lines` are sentences, indented by leading spaces; `facts` say the same as data."""

    title: str
    lines: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """What an explanation draws on."""

    ledger: Ledger
    policy: Policy
    default_mode: Mode
    now: float

    def modes(self, at: float) -> Modes:
        """The settings as they stood at `at`: later ones had not been made."""
        return Modes((s for s in self.ledger.modes() if s.at <= at), self.default_mode)


def explain(case: Case, subject: str) -> Explanation:
    """Explain a decision, a call or an account, whichever `subject` is the name of. Raises BadInput."""
    decision = case.ledger.decision(subject)
    if decision is not None:
        return _decision(case, decision)
    record = case.ledger.call(subject)
    if record is not None:
        return _call(case, record)
    try:
        account = known_account(case.ledger, subject)
    except BadInput as error:
        problem = error.problem.replace("no such account", "no such decision, call or account")
        raise BadInput("", problem) from None
    return _account(case, account)


def _call(case: Case, record: CallRecord) -> Explanation:
    zone = case.ledger.account(record.account).timezone if record.account else "UTC"
    told = Explanation(f"call {record.call_id}")
    caller, number = shown(record.caller) or "unknown", shown(record.number) or "unknown"
    kind = record.number_class.value.replace("_", " ")
    account = shown(record.account) or "none"
    told.lines.append(f"{record.direction.value}, {caller} to {number} ({kind}), account {account}")
    told.lines.append(f"started {local(record.started_at, zone)}; {_ending(record, zone)}")
    decisions = case.ledger.decisions(call_id=record.call_id)
    told.facts = {"call": call_facts(record, zone), "decisions": []}
    for decision in decisions:
        part = _decision(case, decision)
        told.lines += ["", part.title, *part.lines]
        told.facts["decisions"].append(part.facts)
    if not decisions:
        told.lines.append("Nobody asked about it: it went by on a lease, or while the enforcer was away.")
    return told


def _ending(record: CallRecord, zone: str) -> str:
    if record.refused:
        return f"{record.refusal.value} by enforcement, so it counts in no ratio and no sum"
    answered = "not answered" if record.answered_at is None else f"answered {local(record.answered_at, zone)}"
    if record.ended_at is None:
        return f"{answered}; in progress"
    cause = f", cause {record.hangup_cause}" if record.hangup_cause is not None else ""
    billed = f"{record.billmsec / 1000:.3f}".rstrip("0").rstrip(".")
    return f"{answered}; ended {local(record.ended_at, zone)}, {billed} s billed{cause}"


def _decision(case: Case, decision: Decision) -> Explanation:
    account = case.ledger.account(decision.account)
    told = Explanation(f"decision {decision.decision_id}, {local(decision.at, account.timezone)}")
    told.lines.append(f"The call was {_verdict_words(decision)}: {decision.reason}.")
    modes = case.modes(decision.at)
    usage = dict(decision.usage)
    told.facts = decision_facts(decision, account.timezone)
    for finding in decision.findings:
        rule = case.policy.rule(finding.rule)
        setting = modes.resolve(account.id, finding.rule, decision.switch, decision.at)
        told.lines += _finding_lines(case, decision, account, finding, rule, setting, usage.get(finding.rule))
        told.facts["findings"].append(finding._asdict() | {
            "level": finding.level.name.lower(), "verdict": finding.verdict.word,
            "capped": finding.capped.word, "mode_set": _mode_words(setting, account.timezone),
        })
    if decision.degraded:
        told.lines.append(f"At the time the enforcer was degraded: {decision.degraded}.")
    changes = _changes(decision, account)
    told.lines += changes
    told.facts["what_would_change_it"] = changes
    return told


def _verdict_words(decision: Decision) -> str:
    words = _WORDS[decision.verdict]
    if decision.verdict is Verdict.THROTTLE:
        wait = f"held for {decision.hold:g} s, then let through" if decision.hold else "its turn came at once"
        held = f"throttled: {wait}"
        words = "shed with 503" if decision.shed else held
    elif decision.verdict is Verdict.BLOCK:
        words = f"blocked with {decision.sip_code}"
    if decision.max_duration is not None:
        words += f", for {decision.max_duration} s at most"
    if decision.would_be > decision.verdict:
        words += f" (mode block would have said: {decision.would_be.word})"
    return words


def _finding_lines(
    case: Case, decision: Decision, account: Account, finding: Finding, rule: Rule | None,
    setting: ModeSetting, usage: Usage | None,
) -> list[str]:
    zone = account.timezone
    lines = [f"  rule {finding.rule} ({finding.level.name.lower()}), clause: {finding.clause}"]
    if rule is not None:
        lines.append(f"    {describe(rule)}")
    lines.append(f"    {finding.metric}: {finding.value}, limit {finding.limit}; policy {decision.policy}")
    if usage is not None:
        lines.append(f"    counted: {usage.words}")
    if rule is not None and rule.spec.measure.window is Window.CYCLE:
        span = calendar_of(case.ledger, rule.spec.measure.scope, account).at(decision.at)
        lines.append(f"    {cycle_words(span, zone)}")
    if finding.rule == "standing":
        return [*lines, "    a person's word about the account: only the site ceiling goes before it"]
    lines.append(f"    mode {finding.mode}: {_mode_words(setting, zone)}")
    if rule is not None and usage is not None:
        lines += [f"    {sentence}" for sentence in _remedies(rule, finding, usage)]
    return lines


def _mode_words(setting: ModeSetting, zone: str) -> str:
    if not setting.at:
        return "default of the configuration"
    text = f"{setting.subject}, set by {shown(setting.who) or 'unknown'} {local(setting.at, zone)}"
    if setting.until is not None:
        text += f" until {local(setting.until, zone)}"
    return f"{text} ({shown(setting.why)})" if setting.why else text


def _remedies(rule: Rule, finding: Finding, usage: Usage) -> list[str]:
    """What on the account's side would bring it below the level."""
    kind = rule.spec.kind
    if kind == "asr":
        factor = Fraction(finding.limit)
        ended, completed = usage.attempts - usage.live, usage.completed
        if factor <= 1 or ended < factor * completed:
            return []
        more = int((ended - factor * completed) / (factor - 1)) + 1     # A + n < factor * (C + n)
        return [f"{more} completed calls in a row would bring the ratio below {finding.limit}"]
    if kind == "concurrent_calls":
        return ["it ends as soon as enough calls in progress have ended"]
    if kind == "cps":
        return ["it ends as soon as calls are set up more slowly"]
    return ["it ends with the billing cycle"]


def _changes(decision: Decision, account: Account) -> list[str]:
    """What an operator would have to do for another outcome."""
    if decision.exempt:
        return []
    name = quote(account.id)
    if decision.rule == "standing" and decision.refused:
        return [f"`enforcer account resume {name}` lets it call again."]
    if decision.verdict is not Verdict.ALLOW and decision.rule:
        command = f"enforcer mode set monitor --account {name} --rule {decision.rule}"
        return [f"`{command}` lets its calls go untouched."]
    if decision.would_be > decision.verdict and decision.findings:
        severest = max(decision.findings, key=lambda finding: finding.verdict)
        command = f"enforcer mode set {severest.verdict.word} --account {name} --rule {severest.rule}"
        return [f"`{command}` puts that verdict in force."]
    return []


def _account(case: Case, account: Account) -> Explanation:
    modes = case.modes(case.now)
    standing = report(case.ledger, case.policy, modes, account, case.now)
    zone = account.timezone
    kind = account.type.value if account.type is not None else "never registered"
    told = Explanation(f"account {shown(account.id)} ({kind}), customer {shown(account.customer)}")
    if account.standing is not Standing.ACTIVE:
        reason = shown(account.standing_reason) or "no reason given"
        told.lines.append(f"It is {account.standing.value}: {reason}.")
    told.lines.append(cycle_words(standing.span, zone))
    if not standing.lines:
        told.lines.append("No rule of the policy is about it.")
    for line in standing.lines:
        told.lines += _rule_lines(line, zone)
    told.facts = standing.facts() | {"last_decision": None}
    last = case.ledger.decisions(account.id, limit=1)
    if last:
        part = _decision(case, last[0])
        told.lines += ["", f"last {part.title}, call {last[0].call_id}", *part.lines]
        told.facts["last_decision"] = part.facts
    return told


def _rule_lines(line: RuleLine, zone: str) -> Iterable[str]:
    spec = line.rule.spec
    yield f"  rule {spec.id}, clause: {spec.clause}"
    yield f"    {describe(line.rule)}"
    yield f"    {line.rule.metric}: {line.value}, limit {line.limit}: {line.level.name.lower()}"
    yield f"    counted: {line.usage.words}"
    if line.headroom is not None:
        yield f"    headroom: {line.headroom} attempts, however they end, before its first level"
    yield f"    mode {line.mode.mode.word}: {_mode_words(line.mode, zone)}"
