"""What a mode would have done to the calls of the last hours: the numbers to look at before it is set.

In: decisions of a stretch of time, the modes in force now, and the settings that could be made. Out: for each
of these, how many calls it would have refused, throttled and tagged, and which.
Refuses to know: ledgers, and how it is shown.

Each decision keeps what its rules asked for whatever the mode then was, so nothing is judged anew: what they
asked for is capped by the modes as they would be. Two things no arithmetic can tell, and `NOTES` says so:
what a refused call would have kept from happening after it, and which of the throttled calls would have had
to wait.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from enforcer.control.words import iso
from enforcer.domain.decision import Decision, Finding, Verdict
from enforcer.domain.mode import CEILING, Mode, Modes, ModeSetting

SHOWN = 50              # calls told by name, the latest of those that would change
NOTES = (
    "A refused call counts in no ratio and no sum, so that after the first refusal some of the later calls "
    "might have gone.",
    "Whether a throttled call waits its turn or is turned away follows from the pace at its moment.",
    "Calls on a lease were never asked about: their accounts were far from every limit, and no mode touches "
    "them.",
)


@dataclass(slots=True)
class Effect:
    """What one setting would have come to. `changed` are the calls that would have fared otherwise than under
    the modes of now: decision, verdict now, verdict then; `accounts` those that would be touched."""

    label: str
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    accounts: set[str] = field(default_factory=set)
    harder: int = 0
    softer: int = 0
    changed: list[tuple[Decision, Verdict, Verdict]] = field(default_factory=list)

    def add(self, decision: Decision, now: Verdict, then: Verdict, rule: str) -> None:
        """One more decision."""
        self.verdicts[then] += 1
        if then is not Verdict.ALLOW:
            self.rules[rule] += 1
            self.accounts.add(decision.account)
        if then is not now:
            self.harder += then > now
            self.softer += then < now
            self.changed.append((decision, now, then))
            del self.changed[:-SHOWN]

    @property
    def touched(self) -> int:
        """Calls that are more than let go."""
        return self.verdicts.total() - self.verdicts[Verdict.ALLOW]

    def facts(self, zone: str) -> dict[str, Any]:
        """For programs; the latest calls first."""
        return {
            "mode": self.label, "asked": self.verdicts.total(), "touched": self.touched,
            "tagged": self.verdicts[Verdict.TAG], "throttled": self.verdicts[Verdict.THROTTLE],
            "refused": self.verdicts[Verdict.BLOCK], "accounts": len(self.accounts),
            "harder": self.harder, "softer": self.softer,
            "rules": [{"rule": rule, "calls": number} for rule, number in self.rules.most_common()],
            "calls": [
                {"decision": one.decision_id, "call": one.call_id, "at": iso(one.at, zone),
                 "account": one.account, "number": one.number, "rule": ruling(one, then)[1],
                 "now": now.word, "then": then.word}
                for one, now, then in reversed(self.changed)
            ],
        }


def whatif(
    decisions: Iterable[Decision], settings: Sequence[ModeSetting], default: Mode,
    candidates: Sequence[ModeSetting], at: float,
) -> tuple[Effect, list[Effect]]:
    """What the modes of `at` would have done to these decisions, and what they would with each candidate set
    as well. Decisions that no candidate is about are left to the modes of now, and not counted."""
    before = Modes(settings, default)
    after = [Modes([*settings, candidate], default) for candidate in candidates]
    stands = Effect("now")
    effects = [Effect(candidate.mode.word) for candidate in candidates]
    for decision in decisions:
        if decision.exempt or not _about(candidates, decision):
            continue
        now, rule = outcome(decision, before, at)
        stands.add(decision, now, now, rule)
        for modes, effect in zip(after, effects, strict=True):
            then, rule = outcome(decision, modes, at)
            effect.add(decision, now, then, rule)
    return stands, effects


def outcome(decision: Decision, modes: Modes, at: float) -> tuple[Verdict, str]:
    """The verdict that a decision's findings come to under these modes, and the rule that leads."""
    best, rule = Verdict.ALLOW, ""
    for finding in decision.findings:
        verdict = min(finding.verdict, _cap(finding, decision, modes, at))
        if verdict > best:
            best, rule = verdict, finding.rule
    return best, rule


def ruling(decision: Decision, verdict: Verdict) -> tuple[Verdict, str]:
    """The rule that asks for as much as that verdict; the severest where none does exactly."""
    asked = [one for one in decision.findings if one.verdict >= verdict]
    if not asked:
        return verdict, decision.rule
    return verdict, min(asked, key=lambda one: one.verdict).rule


def _cap(finding: Finding, decision: Decision, modes: Modes, at: float) -> Verdict:
    """People's own word on an account is bound by the site's ceiling only, as in `decide`."""
    if finding.rule == "standing":
        ceiling = modes.ceiling(at)
        return CEILING[Mode.BLOCK if ceiling is None else ceiling.mode]
    return CEILING[modes.resolve(decision.account, finding.rule, decision.switch, at).mode]


def _about(candidates: Sequence[ModeSetting], decision: Decision) -> bool:
    """Whether the candidates, all about one place, can be about this decision."""
    one = candidates[0]
    return one.account in ("", decision.account) and one.switch in ("", decision.switch)


def candidates(
    place: ModeSetting, at: float, words: Iterable[Mode] = (Mode.MONITOR, Mode.TAG, Mode.THROTTLE, Mode.BLOCK)
) -> list[ModeSetting]:
    """The settings that could be made about a place, one a mode."""
    return [
        ModeSetting(mode, place.account, place.rule, place.switch, place.ceiling, at=at, why="what if")
        for mode in words
    ]
