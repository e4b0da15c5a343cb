"""Why a call was treated as it was, or how an account stands: in words that name clause and numbers.

In: a case, and what a person asked about. Out: an `Explanation`: sentences for people, and the same facts for
programs. Refuses to know: where it is shown, and (`why_decision`, `why_account`) how each is put.
"""

from __future__ import annotations

from collections.abc import Iterator

from enforcer.control.case import Case
from enforcer.control.commands import known_account
from enforcer.control.explanation import Explanation
from enforcer.control.facts import call_facts
from enforcer.control.pruned import decision_gone, decisions_gone
from enforcer.control.why_account import account_explained
from enforcer.control.why_decision import decision_explained
from enforcer.control.words import local, shown
from enforcer.domain.behind import outcome
from enforcer.domain.call import CallRecord, Medium, NumberClass
from enforcer.domain.decision import Decision
from enforcer.domain.measure import Window
from enforcer.errors import BadInput
from enforcer.toml_models import meant
from enforcer.wire.channel import sip_call_id

__all__ = ["Case", "Explanation", "explain"]

NOBODY_ASKED = "Nobody asked about it: it went by on a lease, or while the enforcer was away."
MOST_OF_A_CALL_ID = 20      # decisions told for one SIP Call-ID: callers choose it, and may choose it again
LATELY = 200        # decisions and calls among which a misspelt id is looked for


def explain(case: Case, subject: str) -> Explanation:
    """Explain a decision, a call, what came with a SIP Call-ID, or an account, whichever `subject` names.
    Raises BadInput."""
    decision = case.ledger.decision(subject)
    if decision is not None:
        return decision_explained(case, decision)
    record = case.ledger.call(subject)
    if record is not None:
        return _call(case, record)
    gone = decision_gone(case.ledger, subject)
    if gone is not None:
        return gone
    try:
        account = known_account(case.ledger, subject)
    except BadInput as error:
        # Last: callers choose their Call-ID, and could choose the name of an account.
        sip = sip_call_id(subject)
        traced = case.ledger.decisions(sip_call_id=sip, limit=MOST_OF_A_CALL_ID) if sip else []
        if traced:
            return _traced(case, sip, traced)
        problem = error.problem.replace("no such account", "no such decision, call or account")
        raise BadInput("", _suggested(case, subject, problem)) from None
    return account_explained(case, account)


def _suggested(case: Case, subject: str, problem: str) -> str:
    """What was probably meant: an account, or the id of a decision or call of lately."""
    if "did you mean" in problem or not any(char.isdecimal() for char in subject):
        return problem
    lately = case.ledger.decisions(limit=LATELY)
    known = [d.decision_id for d in lately] + [d.call_id for d in lately]
    known += [call_id.partition("/")[2] for call_id in known if "/" in call_id]
    hint = meant(subject, dict.fromkeys(known))
    return problem.partition(" (neither")[0] + hint if hint else problem


def _traced(case: Case, sip: str, decisions: list[Decision]) -> Explanation:
    """What a trace of SIP leads to: the call, where it was one; else the decisions, the newest first."""
    calls = dict.fromkeys(decision.call_id for decision in decisions)
    records = [record for record in map(case.ledger.call, calls) if record is not None]
    if len(calls) == len(records) == 1:
        told = _call(case, records[0])
        told.title += f" (SIP Call-ID {shown(sip)})"
        return told
    told = Explanation(f"SIP Call-ID {shown(sip)}")
    told.facts = {"sip_call_id": sip, "decisions": []}
    if len(calls) > 1:
        told.lines.append("More than one call came with it, the newest first: callers choose their Call-ID.")
    for decision in decisions:
        part = decision_explained(case, decision)
        told.lines += ["", f"{part.title}, call {decision.call_id}", *part.lines]
        told.facts["decisions"].append(part.facts)
    return told


def _call(case: Case, record: CallRecord) -> Explanation:
    zone = case.ledger.account(record.account).timezone if record.account else "UTC"
    what = "message" if record.medium is Medium.MESSAGE else "call"
    told = Explanation(f"{what} {record.call_id}")
    caller, number = shown(record.caller) or "unknown", shown(record.number) or "unknown"
    kind = record.number_class.value.replace("_", " ")
    account = shown(record.account) or "none"
    told.lines.append(f"{record.direction.value}, {caller} to {number} ({kind}), account {account}")
    told.lines.append(f"{_beginning(record, zone)}; {_ending(record, zone)}")
    decisions = case.ledger.decisions(call_id=record.call_id)
    counted = dict(_counted(case, record))
    told.facts = {"call": call_facts(record, zone), "counted": counted, "decisions": []}
    if record.number_class is NumberClass.EMERGENCY:
        told.lines.append("An emergency call: no rule counts it, no rule is read for it, nothing stops it.")
    if record.number_class is NumberClass.CALLBACK:
        told.lines.append("A call back after an emergency call, or one that was transferred to an emergency "
                          "number: no rule counts it, nothing stops it.")
    told.lines += _grouped(counted)
    for decision in decisions:
        part = decision_explained(case, decision)
        told.lines += ["", part.title, *part.lines]
        told.facts["decisions"].append(part.facts)
    if not decisions:
        told.lines.append(decisions_gone(case.ledger, record.started_at) or NOBODY_ASKED)
    return told


def _beginning(record: CallRecord, zone: str) -> str:
    verb = "sent" if record.medium is Medium.MESSAGE else "started"
    return f"{verb} {local(record.started_at, zone)}"


def _ending(record: CallRecord, zone: str) -> str:
    if record.refused:
        return f"{record.refusal.value} by enforcement, so it counts in no ratio and no sum"
    if record.medium is Medium.MESSAGE:
        return "let go"
    answered = "not answered" if record.answered_at is None else f"answered {local(record.answered_at, zone)}"
    if record.ended_at is None:
        return f"{answered}; in progress"
    cause = f", cause {record.hangup_cause}" if record.hangup_cause is not None else ""
    billed = f"{record.billmsec / 1000:.3f}".rstrip("0").rstrip(".")
    return f"{answered}; ended {local(record.ended_at, zone)}, {billed} s billed{cause}"


def _counted(case: Case, record: CallRecord) -> Iterator[tuple[str, str]]:
    """As what each rule about the account counts the call; those that count none of its kind are left out."""
    if not record.account:
        return
    account = case.ledger.account(record.account)
    for rule in case.policy.rules:
        spec = rule.spec
        measure = spec.measure
        if not rule.counting or not spec.covers(account) or not measure.counts(record):
            continue
        if measure.window is Window.CYCLE:
            cycle = case.window(rule, account, record.started_at).label
            yield spec.id, f"counts as {outcome(measure, record)} in {cycle}"
        elif measure.window is Window.LIVE:
            if record.live:
                yield spec.id, "counts as a call in progress"
        elif record.started_at // measure.step > measure.edge(case.now):
            yield spec.id, f"counts as {outcome(measure, record)}"
        else:
            yield spec.id, "counts no more: the window has moved past it"


def _grouped(counted: dict[str, str]) -> Iterator[str]:
    """Rules that count the call as the same, in one line."""
    for words in dict.fromkeys(counted.values()):
        rules = [rule for rule, its in counted.items() if its == words]
        yield f"  rule{'' if len(rules) == 1 else 's'} {', '.join(rules)}: {words}"
