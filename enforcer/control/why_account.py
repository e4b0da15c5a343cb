"""How an account stands under each rule, in sentences.

In: a case and an account. Out: an `Explanation`. Refuses to know: how the numbers were found (`report`).
"""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from enforcer.control.case import Case
from enforcer.control.explanation import Explanation
from enforcer.control.facts import mode_facts
from enforcer.control.outlook import METHOD
from enforcer.control.report import standing
from enforcer.control.report_line import RuleLine
from enforcer.control.why_calls import counter_lines, evidence_lines, hides
from enforcer.control.why_decision import decision_explained
from enforcer.control.why_mode import capped_words, mode_words
from enforcer.control.words import cycle_words, shown, window_line
from enforcer.domain.account import Account, Standing
from enforcer.domain.decision import Level
from enforcer.wording import describe


def account_explained(case: Case, account: Account) -> Explanation:
    """Every rule about the account, and the decision on its last call."""
    modes = case.modes(case.now)
    found = standing(case, modes, account, calls=True)
    zone = account.timezone
    kind = account.type.value if account.type is not None else "never registered"
    told = Explanation(f"account {shown(account.id)} ({kind}), customer {shown(account.customer)}")
    if account.standing is not Standing.ACTIVE:
        reason = shown(account.standing_reason) or "no reason given"
        told.lines.append(f"It is {account.standing.value}: {reason}.")
        told.lines.append(f"`enforcer account resume {quote(account.id)}` lets it call again.")
    told.lines.append(cycle_words(found.span, zone))
    told.lines += found.gap_lines
    told.lines.append(found.pace_words)
    if not found.lines:
        told.lines.append("No rule of the policy is about it.")
    told_of: dict[tuple[object, ...], str] = {}
    for line in sorted(found.lines, key=lambda line: -line.level):      # what is reached comes first
        # Rules that count the same calls would list them again and again.
        calls = line.rule.spec.measure.scope, line.span, line.counters
        told.lines += rule_lines(line, zone, told_of.setdefault(calls, line.rule.spec.id))
    switches = [one for one in modes.settings(case.now) if one.switch and one.account in ("", account.id)]
    for one in switches:
        rule = f", rule {one.rule}" if one.rule else ""
        told.lines.append(f"On switch {one.switch}{rule}: mode {one.mode.word}: {mode_words(one, zone)}")
    if any(hides(line.counters, line.evidence) for line in found.lines):
        told.lines.append(f"`enforcer why {quote(account.id)} --all` lists every call.")
    if any(line.outlook.crossings for line in found.lines):
        told.lines.append(METHOD)
    told.facts = found.facts() | {
        "modes_of_switches": [mode_facts(one) for one in switches], "last_decision": None,
    }
    last = case.ledger.decisions(account.id, limit=1)
    if last:
        part = decision_explained(case, last[0], calls=False)
        told.lines += ["", f"last {part.title}, call {last[0].call_id}", *part.lines]
        told.facts["last_decision"] = part.facts
    return told


def rule_lines(line: RuleLine, zone: str, as_under: str) -> Iterator[str]:
    """One rule and where the account stands under it. The calls it counts are told `as_under` that rule,
    where it is another."""
    spec = line.rule.spec
    yield f"  rule {spec.id}, clause: {spec.clause}"
    yield f"    {describe(line.rule)}"
    yield f"    {line.rule.metric}: {line.value}, limit {line.limit}: {line.level.name.lower()}"
    for signal in line.also:
        yield f"    and {signal}"
    if line.span is not None:
        yield f"    {window_line(spec.measure, line.span, zone, line.at)}"
    if line.note:
        yield f"    {line.note}"
    if line.rule.counting:
        yield f"    counted: {line.usage.words}"
    if as_under != spec.id and line.counters:
        yield f"      the same calls as under rule {as_under}"
    counted = counter_lines(line.counters) if as_under == spec.id else ()
    for text in (*counted, *evidence_lines(line.evidence)):
        yield f"      {text}"
    if line.headroom is not None:
        yield f"    headroom: {_headroom(line)}"
    for text in line.outlook.sentences(zone):
        yield f"    {text}"
    notice = line.notice(zone)
    if notice:
        yield f"    {notice}"
    if not line.rule.settled_only:
        yield f"    mode {line.mode.mode.word}: {mode_words(line.mode, zone)}"
        capped = capped_words(line.rule, line.mode.mode)
        if capped:
            yield f"    {capped}"


def _headroom(line: RuleLine) -> str:
    """What may still be tried, at worst."""
    if line.level is not Level.FINE:
        return "none, a level is reached"
    spec = line.rule.spec
    first = "its limit" if spec.warning is None else "its warning"
    what = "messages" if spec.kind == "messages" else "attempts"
    how = "of an hour each" if spec.kind == "minutes" else "however they end"
    return f"{line.headroom:,} {what}, {how}, before {first}"
