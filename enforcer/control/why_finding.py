"""One rule's finding about one call, with everything that explains it.

In: a case, a decision, a finding. Out: sentences and facts: the rule in words as the pack of that time stated
it, its numbers, the calls behind them, its window, notice and mode.
Refuses to know: what would change the decision.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from enforcer.control.case import ALWAYS, Case
from enforcer.control.facts import mode_facts
from enforcer.control.report_rules import opt_outs_on_file, strikes_on_file
from enforcer.control.why_calls import calls_facts, counter_lines, evidence_facts, evidence_lines, hides
from enforcer.control.why_changes import remedies_then
from enforcer.control.why_mode import mode_words
from enforcer.control.why_notice import gate_facts, gate_words
from enforcer.control.words import iso, shown, window_line
from enforcer.domain.account import Account
from enforcer.domain.behind import Calls, Evidence, behind
from enforcer.domain.cycle import Span
from enforcer.domain.decision import Decision, Finding
from enforcer.domain.mode import ModeSetting
from enforcer.domain.rules import Rule
from enforcer.domain.rules.opt_out import OptedOut
from enforcer.domain.rules.strikes import RepeatInfringer
from enforcer.domain.usage import Usage
from enforcer.wording import describe

NOBODY_ELSE = "a person's word about the account: only the site ceiling goes before it"


@dataclass(frozen=True, slots=True)
class Found:
    """See the module. `rule` is None for what people decided, and for a rule that no pack on record has."""

    case: Case
    decision: Decision
    account: Account
    finding: Finding
    rule: Rule | None
    setting: ModeSetting
    usage: Usage | None
    counters: tuple[Calls, ...]
    evidence: Evidence | None

    @classmethod
    def of(cls, case: Case, decision: Decision, account: Account, finding: Finding, calls: bool) -> Found:
        """Look up what explains a finding; with the calls behind it, or without."""
        rule = case.rule_of(finding.rule, decision.policy)
        setting = case.modes(decision.at).resolve(account.id, finding.rule, decision.switch, decision.at)
        counters, evidence = _behind(case, decision, account, rule) if calls and rule else ((), None)
        usage = dict(decision.usage).get(finding.rule)
        return cls(case, decision, account, finding, rule, setting, usage, counters, evidence)

    @property
    def hides(self) -> bool:
        """Whether more calls are behind it than are told."""
        return hides(self.counters, self.evidence)

    @property
    def span(self) -> Span | None:
        """The window of the rule at the time, None for a moment."""
        if self.rule is None:
            return None
        span = self.case.window(self.rule, self.account, self.decision.at)
        return None if span == ALWAYS else span

    @property
    def remedies(self) -> list[str]:
        """What would have brought it below its level then."""
        if self.rule is None or self.usage is None:
            return []
        return remedies_then(self.rule, self.finding, self.usage, self.decision.at)

    def lines(self) -> Iterator[str]:
        """For people."""
        finding, rule, zone = self.finding, self.rule, self.account.timezone
        policy = self.decision.policy
        yield f"  rule {finding.rule} ({finding.level.name.lower()}), clause: {shown(finding.clause)}"
        if rule is not None:
            yield f"    {describe(rule)}"
            if rule.spec.policy and rule.spec.policy not in policy.split("+"):
                yield f"    (as {rule.spec.policy} says today; {policy} of that time is not on record)"
        yield f"    {finding.metric}: {shown(finding.value)}, limit {finding.limit}; policy {policy}"
        if finding.also:
            yield f"    and {finding.also}"
        if self.usage is not None and (rule is None or rule.counting):
            yield f"    counted: {self.usage.words}"
        for text in (*counter_lines(self.counters), *evidence_lines(self.evidence)):
            yield f"      {text}"
        if self._moved_on():
            yield "      (these calls as their records stand now; some were in progress then)"
        if rule is not None and self.span is not None:
            yield f"    {window_line(rule.spec.measure, self.span, zone, self.decision.at)}"
        if finding.rule == "standing":
            yield f"    {NOBODY_ELSE}"
            return
        if finding.held:
            yield f"    held at tag, {finding.held}{self._notice_today()}"
        asked = f"; it asked for {finding.verdict.word}" if finding.verdict > finding.capped else ""
        yield f"    mode {finding.mode}: {mode_words(self.setting, zone)}{asked}"
        for sentence in self.remedies:
            yield f"    {sentence}"

    def facts(self) -> dict[str, Any]:
        """For programs: the same."""
        finding, rule, span, zone = self.finding, self.rule, self.span, self.account.timezone
        gate = self.case.gate(rule, self.account) if rule is not None else None
        terms = rule.spec.notice if rule is not None else None
        return finding._asdict() | {
            "level": finding.level.name.lower(), "verdict": finding.verdict.word,
            "capped": finding.capped.word, "mode_set": mode_words(self.setting, zone),
            "mode_in_force": mode_facts(self.setting), "means": None if rule is None else describe(rule),
            "window": None if span is None else {
                "label": span.label, "from": iso(span.start, zone),
                "until": iso(min(span.end, self.decision.at) if span.end == float("inf") else span.end, zone),
            },
            "counted": [calls_facts(one) for one in self.counters],
            "evidence": evidence_facts(self.evidence), "remedies": self.remedies,
            "notice_today": gate_facts(gate, terms, self.case.now, zone) if gate and terms else None,
        }

    def _notice_today(self) -> str:
        rule = self.rule
        gate = self.case.gate(rule, self.account) if rule is not None else None
        if rule is None or gate is None or rule.spec.notice is None:
            return ""
        words = gate_words(gate, rule.spec.notice, self.case.now, self.account.timezone)
        return f"; today: {words.removeprefix('notice: ')}"

    def _moved_on(self) -> bool:
        """Whether calls that were in progress then, besides the call itself, have come to their end since."""
        if self.usage is None or not self.counters:
            return False
        own = self.case.ledger.call(self.decision.call_id)
        now = sum(one.number for one in self.counters if one.words == "in progress")
        return self.usage.live - 1 > now - (own is not None and own.live)


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
