"""Why one decision came out as it did, and what would have changed it.

In: a case and a decision. Out: an `Explanation`: its verdict, each rule that had something to say
(`why_finding`), and what would have changed it (`why_changes`).
Refuses to know: calls that nobody asked about.
"""

from __future__ import annotations

from enforcer.control.case import Case
from enforcer.control.explanation import Explanation
from enforcer.control.facts import decision_facts
from enforcer.control.why_changes import changes
from enforcer.control.why_finding import Found
from enforcer.control.words import local, shown
from enforcer.domain.decision import Decision, Verdict

_WORDS = {
    Verdict.ALLOW: "allowed", Verdict.TAG: "allowed, and tagged", Verdict.THROTTLE: "throttled",
    Verdict.BLOCK: "blocked",
}  # fmt: skip


def decision_explained(case: Case, decision: Decision, *, calls: bool = True) -> Explanation:
    """See the module; with the calls behind each number, or without."""
    account = case.ledger.account(decision.account)
    told = Explanation(f"decision {decision.decision_id}, {local(decision.at, account.timezone)}")
    told.lines.append(f"The {decision.medium} was {verdict_words(decision)}: {shown(decision.reason)}.")
    told.facts = decision_facts(decision, account.timezone)
    found = [Found.of(case, decision, account, finding, calls) for finding in decision.findings]
    for one in found:
        told.lines += one.lines()
        told.facts["findings"].append(one.facts())
    if decision.degraded:
        told.lines.append(f"At the time the enforcer was degraded: {decision.degraded}.")
    if decision.gap:
        told.lines.append(f"At the time, numbers were a lower bound: {decision.gap}.")
    if any(one.hides for one in found):
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
