"""What would have changed a decision: on the operator's side a mode or a notice, on the account's side other
calls, or time.

In: a case, a decision. Out: sentences, with the command to type where there is one.
Refuses to know: whether anybody should.
"""

from __future__ import annotations

from shlex import quote

from enforcer.control.case import ALWAYS, Case
from enforcer.control.outlook import remedies
from enforcer.control.why_mode import needed
from enforcer.control.words import local
from enforcer.domain.account import Account
from enforcer.domain.decide import CALLBACK, EMERGENCY
from enforcer.domain.decision import Decision, Finding, Verdict
from enforcer.domain.measure import Scope, Window
from enforcer.domain.mode import CEILING, Mode
from enforcer.domain.rules import Rule
from enforcer.domain.usage import Detailed, Usage
from enforcer.spans import span_words

SHARES = ("class_share", "duration_cliff", "failed_calls", "short_calls")


def changes(case: Case, decision: Decision, account: Account) -> list[str]:
    """What an operator would have to do for another outcome, or wait for."""
    if decision.exempt:
        if decision.exempt in (EMERGENCY, CALLBACK):
            what = f"{'an' if decision.exempt == EMERGENCY else 'a'} {decision.exempt}"
            return [f"Nothing changes that: no rule, mode or standing is looked at for {what}."]
        return ["Nothing of the policy is about it: see `account_from` of its switch in the configuration."]
    name = quote(account.id)
    if decision.rule == "standing" and decision.refused:
        return [f"`enforcer account resume {name}` lets it call again."]
    found = []
    if decision.verdict is not Verdict.ALLOW:
        # Whoever lowers one of two rules that say the same is told by the other.
        for finding in decision.findings:
            if finding.capped is decision.verdict and finding.rule != "standing":
                command = f"enforcer mode set monitor --account {name} --rule {finding.rule}"
                found.append(f"`{command}` lets its calls go untouched.")
    severest = max(decision.findings, key=lambda one: one.verdict, default=None)
    if severest is not None and severest.verdict > decision.verdict:
        found += _stronger(case, decision, severest, name)
    for finding in decision.findings:
        found += _waiting(case, decision, account, finding)
    return found


def _stronger(case: Case, decision: Decision, severest: Finding, name: str) -> list[str]:
    ceiling = case.modes(decision.at).ceiling(decision.at)
    if ceiling is not None and CEILING[ceiling.mode] < severest.verdict:
        return [f"The site ceiling stood at {ceiling.mode.word}: `enforcer mode ceiling "
                f"{needed(severest.verdict).word}` or above lets that verdict through."]
    mode = Mode[severest.verdict.name]
    command = f"enforcer mode set {mode.word} --account {name} --rule {severest.rule}"
    return [f"`{command}` puts that verdict in force."]


def _waiting(case: Case, decision: Decision, account: Account, finding: Finding) -> list[str]:
    """Notices and time."""
    rule = case.rule_of(finding.rule, decision.policy)
    if rule is None:
        return []
    found, zone, terms = [], account.timezone, rule.spec.notice
    if finding.held and terms is not None:
        step = rule.spec.critical if finding.level.name == "CRITICAL" else rule.spec.warning
        word = step.verdict.word if step is not None else "more"
        found.append(f"Once a notice about {finding.rule} is delivered and {span_words(terms.grace)} of "
                     f"grace are over, it may {word}.")
        gate = case.gate(rule, account)
        latest = gate.latest() if gate is not None else None
        if latest is not None and latest.pending:
            found.append(f"`enforcer notice ack {latest.id}` puts on record that the customer was told by "
                         "other means, which is delivery as well.")
    if rule.spec.measure.window is Window.CYCLE:
        span = case.window(rule, account, decision.at)
        if span != ALWAYS and span.end > case.now:
            found.append(f"Rule {finding.rule} begins anew on {local(span.end, zone)}.")
    elif rule.spec.kind == "opt_out":
        number, whose = quote(case.canonical(decision.number)), f"--account {quote(account.id)}"
        if rule.spec.measure.scope is Scope.CUSTOMER:
            whose = f"--customer {quote(account.customer)}"
        command = f"enforcer optout remove {number} {whose}"
        found.append(f"`{command}` puts on record that they changed their mind.")
    elif rule.spec.kind == "strikes":
        found.append("`enforcer strike list` tells until when each strike counts; `enforcer strike withdraw "
                     "ID` takes one back.")
    elif rule.spec.measure.window is Window.ROLLING:
        found.append(f"Rule {finding.rule} forgets calls after {span_words(rule.spec.measure.seconds)}.")
    return found


def remedies_then(rule: Rule, finding: Finding, usage: Usage, at: float) -> list[str]:
    """What on the account's side would have brought it below the level, by the numbers of that moment."""
    if rule.spec.kind == "cps":
        return ["it ends as soon as calls are set up more slowly"]
    if rule.spec.kind == "fair_share":
        return ["it ends as soon as the switch is less busy, or the account holds fewer calls"]
    if rule.spec.kind == "opt_out":
        return ["it ends when that number opts in again"]
    found = remedies(rule, _numbers_then(rule, finding, usage), finding.level, at)
    return [remedy.words for remedy in found]


def _numbers_then(rule: Rule, finding: Finding, usage: Usage) -> Detailed:
    """The tally that the finding was made of, as far as its own value and the snapshot beside it tell."""
    tally = Detailed(usage.attempts, usage.live, 0, usage.completed, usage.short, usage.msec)
    kind, value = rule.spec.kind, finding.value.partition(" ")[0]
    if kind == "concurrent_calls" or "/" not in value:
        return tally
    part, whole = (int(number) for number in value.split("/"))
    tally.ringing = 0
    if kind == "asr":
        tally.attempts, tally.completed, tally.short = part, whole, 0
    elif kind == "class_share":
        tally.attempts, tally.marked = whole, part
    elif kind == "duration_cliff":
        tally.completed, tally.near = whole, part
    elif kind == "failed_calls":
        tally.attempts, tally.completed, tally.short = whole, whole - part, 0
    elif kind == "short_calls" and rule.spec.of_attempts:
        tally.attempts, tally.short = whole, part
    elif kind == "short_calls":
        tally.completed, tally.short = whole - part, part
    return tally
