"""One rule about one account: its numbers, what they come to, and everything that explains them.

In: values. Out: a `RuleLine`, and the same as facts. Refuses to know: how the numbers were found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from enforcer.control.facts import counters, mode_facts
from enforcer.control.nearest import used_up, warning_percent
from enforcer.control.outlook import NOTHING_AHEAD, Outlook
from enforcer.control.why_calls import calls_facts, evidence_facts
from enforcer.control.why_notice import gate_facts, gate_words
from enforcer.control.words import iso
from enforcer.domain.behind import Calls, Evidence
from enforcer.domain.cycle import Span
from enforcer.domain.decision import Level
from enforcer.domain.mode import ModeSetting
from enforcer.domain.notice import Gate
from enforcer.domain.rules import Rule
from enforcer.domain.usage import Usage
from enforcer.wording import describe


@dataclass(frozen=True, slots=True)
class RuleLine:
    """One rule about the account, seen from `at`.

    `headroom` is the attempts, however they end, that surely stay below its first level; None where the cycle
    is over or nothing can reach it. `span` is the window's edges, None for a rule about the moment. `note`
    says what cannot be known here. `also` are its signals, each in words.
    """

    rule: Rule
    key: str                    # the account or customer whose calls it counts
    at: float
    span: Span | None
    usage: Usage
    value: str
    limit: str
    level: Level
    headroom: int | None
    mode: ModeSetting
    note: str = ""
    also: tuple[str, ...] = ()
    gate: Gate | None = None
    outlook: Outlook = NOTHING_AHEAD
    counters: tuple[Calls, ...] = ()
    evidence: Evidence | None = None

    @property
    def percent(self) -> int:
        """How much of the limit is used, as the list of the accounts nearest their limits has it."""
        return int(100 * used_up(self.rule, self.value, self.limit, self.level, self.usage))

    def notice(self, zone: str) -> str:
        """Where notice stands, "" for a rule that acts without."""
        terms = self.rule.spec.notice
        return "" if terms is None or self.gate is None else gate_words(self.gate, terms, self.at, zone)

    def facts(self, zone: str) -> dict[str, Any]:
        """For programs."""
        spec, span = self.rule.spec, self.span
        terms, gate = spec.notice, self.gate
        return {
            "rule": spec.id, "kind": spec.kind, "clause": spec.clause, "policy": spec.policy,
            "means": describe(self.rule), "scope": spec.measure.scope.value, "of": self.key,
            "metric": self.rule.metric, "value": self.value, "limit": self.limit,
            "level": self.level.name.lower(), "percent": self.percent,
            "warning_percent": warning_percent(self.rule), "headroom": self.headroom, "note": self.note,
            "also": list(self.also), "mode": self.mode.mode.word, "mode_set": self.mode.subject,
            "mode_in_force": mode_facts(self.mode),
            "notice": None if terms is None or gate is None else gate_facts(gate, terms, self.at, zone),
            "cycle": span.label if span is not None else None,
            "from": None if span is None else iso(span.start, zone),
            "until": None if span is None or span.end == float("inf") else iso(span.end, zone),
            "counted": [calls_facts(one) for one in self.counters],
            "evidence": evidence_facts(self.evidence),
        } | self.outlook.facts(zone) | counters(self.usage)
