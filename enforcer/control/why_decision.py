"""Why one decision came out as it did, and what would have changed it.

In: a case and a decision. Out: an `Explanation`: for each rule that had something to say its clause, its
numbers, the calls behind them, its window, notice and mode.
Refuses to know: calls that nobody asked about. A rule is told as the pack of that time stated it.
"""

from __future__ import annotations

from collections.abc import Iterator

from enforcer.control.case import ALWAYS, Case
from enforcer.control.explanation import Explanation
from enforcer.control.facts import decision_facts, mode_facts
from enforcer.control.report_rules import opt_outs_on_file, strikes_on_file
from enforcer.control.why_calls import calls_facts, counter_lines, evidence_facts, evidence_lines, hides
from enforcer.control.why_changes import changes, remedies_then
from enforcer.control.why_mode import mode_words
from enforcer.control.why_notice import gate_words
from enforcer.control.words import local, shown, window_line
from enforcer.domain.account import Account
from enforcer.domain.behind import Calls, Evidence, behind
from enforcer.domain.decision import Decision, Finding, Verdict
from enforcer.domain.mode import ModeSetting
from enforcer.domain.rules import Rule
from enforcer.domain.rules.opt_out import OptedOut
from enforcer.domain.rules.strikes import RepeatInfringer
from enforcer.domain.usage import Usage
from enforcer.wording import describe

_WORDS = {
    Verdict.ALLOW: "allowed", Verdict.TAG: "allowed, and tagged", Verdict.THROTTLE: "throttled",
    Verdict.BLOCK: "blocked",
}  # fmt: skip
NOBODY_ELSE = "a person's word about the account: only the site ceiling goes before it"


def decision_explained(case: Case, decision: Decision, *, calls: bool = True) -> Explanation:
    """See the module; with the calls behind each number, or without."""
    account = case.ledger.account(decision.account)
    zone = account.timezone
    told = Explanation(f"decision {decision.decision_id}, {local(decision.at, zone)}")
    told.lines.append(f"The {decision.medium} was {verdict_words(decision)}: {shown(decision.reason)}.")
    told.facts = decision_facts(decision, zone)
    modes, usage, hidden = case.modes(decision.at), dict(decision.usage), False
    for finding in decision.findings:
        rule = case.rule_of(finding.rule, decision.policy)
        setting = modes.resolve(account.id, finding.rule, decision.switch, decision.at)
        counters, evidence = _behind(case, decision, account, rule) if calls and rule else ((), None)
        hidden = hidden or hides(counters, evidence)
        told.lines += _finding_lines(
            case, decision, account, finding, rule, setting, usage.get(finding.rule), counters, evidence
        )
        told.facts["findings"].append(finding._asdict() | {
            "level": finding.level.name.lower(), "verdict": finding.verdict.word,
            "capped": finding.capped.word, "mode_set": mode_words(setting, zone),
            "mode_in_force": mode_facts(setting), "means": describe(rule) if rule is not None else None,
            "counted": [calls_facts(one) for one in counters], "evidence": evidence_facts(evidence),
        })
    if decision.degraded:
        told.lines.append(f"At the time the enforcer was degraded: {decision.degraded}.")
    if hidden:
        told.lines.append(f"`enforcer why {decision.decision_id} --all` lists every call.")
    wanted = changes(case, decision, account)
    told.lines += wanted
    told.facts["what_would_change_it"] = wanted
    return told


def verdict_words(decision: Decision) -> str:
    """What happened to the call."""
    words = _WORDS[decision.verdict]
    if decision.verdict is Verdict.THROTTLE:
        wait = f"held for {decision.hold:g} s, then let through" if decision.hold else "its turn came at once"
        words = "shed with 503" if decision.shed else f"throttled: {wait}"
    elif decision.verdict is Verdict.BLOCK:
        words = f"blocked with {decision.sip_code}"
    if decision.max_duration is not None:
        words += f", for {decision.max_duration} s at most"
    if decision.would_be > decision.verdict:
        words += f" (mode block would have said: {decision.would_be.word})"
    return words


def _finding_lines(
    case: Case, decision: Decision, account: Account, finding: Finding, rule: Rule | None,
    setting: ModeSetting, usage: Usage | None, counters: tuple[Calls, ...], evidence: Evidence | None,
) -> Iterator[str]:
    zone = account.timezone
    yield f"  rule {finding.rule} ({finding.level.name.lower()}), clause: {shown(finding.clause)}"
    if rule is not None:
        yield f"    {describe(rule)}"
        if rule.spec.policy and rule.spec.policy not in decision.policy.split("+"):
            yield f"    (as {rule.spec.policy} says today; {decision.policy} of that time is not on record)"
    yield f"    {finding.metric}: {shown(finding.value)}, limit {finding.limit}; policy {decision.policy}"
    if finding.also:
        yield f"    and {finding.also}"
    if usage is not None and (rule is None or rule.counting):
        yield f"    counted: {usage.words}"
    for text in (*counter_lines(counters), *evidence_lines(evidence)):
        yield f"      {text}"
    if rule is not None:
        span = case.window(rule, account, decision.at)
        if span != ALWAYS:
            yield f"    {window_line(rule.spec.measure, span, zone, decision.at)}"
    if finding.rule == "standing":
        yield f"    {NOBODY_ELSE}"
        return
    if finding.held:
        gate = case.gate(rule, account) if rule is not None else None
        now = gate_words(gate, rule.spec.notice, case.now, zone) if rule and gate and rule.spec.notice else ""
        yield f"    held at tag, {finding.held}" + (f"; today: {now.removeprefix('notice: ')}" if now else "")
    asked = f"; it asked for {finding.verdict.word}" if finding.verdict > finding.capped else ""
    yield f"    mode {finding.mode}: {mode_words(setting, zone)}{asked}"
    if rule is not None and usage is not None:
        for sentence in remedies_then(rule, finding, usage, decision.at):
            yield f"    {sentence}"


def _behind(
    case: Case, decision: Decision, account: Account, rule: Rule
) -> tuple[tuple[Calls, ...], Evidence | None]:
    """The calls that were counted at the time, as their records stand now."""
    if isinstance(rule, OptedOut):
        found = rule.found(case.seat(rule, account, decision.at), decision.number)
        return (), opt_outs_on_file([found] if found is not None else [], account.timezone)
    if isinstance(rule, RepeatInfringer):
        strikes = rule.found(case.seat(rule, account, decision.at), decision.at)
        return (), strikes_on_file([one for one in strikes if one.entered <= decision.at], account.timezone)
    if not rule.counting:
        return (), None
    measure = rule.spec.measure
    records = case.records(measure.scope, account, case.looked_at(rule, account, decision.at))
    seen = behind([rule], records, decision.at, case.most)[rule.spec.id]
    return tuple(seen.counters()), seen.evidence()
