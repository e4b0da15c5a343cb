"""What is odd about rules that are no error: things a person may have meant, and had better look at.

In: a policy, the default mode, and the accounts that are registered. Out: `Finding`s, none of them a failure.
Refuses to know: how they are shown. A new look is a function in `LOOKS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from enforcer.checkup import Finding, Grade
from enforcer.control.why_mode import needed
from enforcer.domain.account import Account, AccountType
from enforcer.domain.call import UNTOUCHED
from enforcer.domain.decision import Verdict
from enforcer.domain.mode import CEILING, Mode
from enforcer.domain.policy import Policy
from enforcer.domain.rules import Rule
from enforcer.domain.rules.base import plain
from enforcer.packs.kinds import MOMENTS, SHARES


class Subject(NamedTuple):
    """What is looked at. `accounts` are empty where nobody is registered yet, and then nothing is said."""

    policy: Policy
    accounts: Sequence[Account]


def review(policy: Policy, default: Mode, accounts: Sequence[Account]) -> list[Finding]:
    """All findings, in the order of the rules, and what is true of them together."""
    subject = Subject(policy, accounts)
    found = [(rule, finding) for look in LOOKS for rule, finding in look(subject)]
    order = {rule.spec.id: place for place, rule in enumerate(policy.rules)}
    about_rules = [finding for rule, finding in sorted(found, key=lambda one: order[one[0].spec.id])]
    return [*about_rules, *_held_by_default(policy, default)]


Look = Callable[[Subject], Iterator[tuple[Rule, Finding]]]


def _warning(rule: Rule, words: str, advice: str = "") -> tuple[Rule, Finding]:
    return rule, Finding(f"rule {rule.spec.id}", Grade.WARNING, words, advice)


def _severest(rule: Rule) -> Verdict:
    return max(step.verdict for step in (rule.spec.warning, rule.spec.critical) if step is not None)


def _without_notice(subject: Subject) -> Iterator[tuple[Rule, Finding]]:
    """A clause may promise notice; whether it does, only its reader knows."""
    for rule in subject.policy.rules:
        spec = rule.spec
        if spec.notice is not None or spec.kind in MOMENTS:
            continue
        promised = "notice" in f"{spec.clause} {spec.text}".lower()
        if spec.critical.verdict is Verdict.BLOCK or spec.charge is not None:
            does = "charges" if spec.critical.verdict is not Verdict.BLOCK else "blocks"
            words = f"{does} without notice"
            if promised:
                words += ", though its own text speaks of notice"
            yield _warning(rule, words, 'if the clause promises notice, say notice = { grace = "7d" }')


def _warning_not_before_limit(subject: Subject) -> Iterator[tuple[Rule, Finding]]:
    """Packs are refused with such levels; whoever makes rules otherwise is told."""
    for rule in subject.policy.rules:
        warning, critical = rule.spec.warning, rule.spec.critical
        if warning is None:
            continue
        falling = rule.spec.kind == "average_duration"
        late = warning.at <= critical.at if falling else warning.at >= critical.at
        if late:
            yield _warning(rule, f"its warning ({plain(warning.at)}) does not come before its limit "
                           f"({plain(critical.at)})", "put the warning where there is still time")


def _same_verdict(subject: Subject) -> Iterator[tuple[Rule, Finding]]:
    """A warning that acts as the limit does warns nobody."""
    for rule in subject.policy.rules:
        spec = rule.spec
        if spec.warning is not None and spec.warning.verdict is spec.critical.verdict > Verdict.TAG:
            yield _warning(rule, f"its warning asks for {spec.warning.verdict.word}, as its limit does",
                           "let the warning only tag, so that somebody is warned")


def _no_sample(subject: Subject) -> Iterator[tuple[Rule, Finding]]:
    """The first call of a cycle that fails is a ratio of 1 to 0."""
    for rule in subject.policy.rules:
        spec = rule.spec
        ratio = spec.kind == "asr" or spec.kind in SHARES or spec.kind == "average_duration"
        if ratio and not (spec.min_attempts or spec.min_answered):
            key = "min_attempts" if spec.kind in ("asr", "class_share", "failed_calls") else "min_answered"
            yield _warning(rule, "judges the very first calls of its window: one of one is 100 %",
                           f"say {key} = 100, or what a fair sample is")


def _held_by_default(policy: Policy, default: Mode) -> Iterator[Finding]:
    """Verdicts that the default mode holds back act only for those for whom a mode was set. One finding for
    all: with the mode that a site begins with, it is most of the rules."""
    held = [rule for rule in policy.rules if not rule.settled_only and _severest(rule) > CEILING[default]]
    if held:
        rules = ", ".join(f"{rule.spec.id} ({_severest(rule).word})" for rule in held)
        strongest = needed(max(_severest(rule) for rule in held)).word
        words = f"{default.word} lets through no more than {CEILING[default].word}, and these ask for more:"
        advice = f"`enforcer mode set {strongest}`, for an account, a rule or all, lets them act"
        yield Finding("default mode", Grade.WARNING, f"{words} {rules}", advice)


def _nobody(subject: Subject) -> Iterator[tuple[Rule, Finding]]:
    for rule in subject.policy.rules:
        if subject.accounts and not any(rule.spec.covers(account) for account in subject.accounts):
            yield _warning(rule, f"covers none of the {len(subject.accounts)} registered accounts",
                           "look at its types, plans, customers and accounts")


def _channels(subject: Subject) -> Iterator[tuple[Rule, Finding]]:
    """An average over channels that nobody told is judged by nobody."""
    for rule in subject.policy.rules:
        if rule.settled_only:
            bare = [a.id for a in subject.accounts
                    if a.type is AccountType.TRUNK and not a.channels and rule.spec.covers(a)]
            if bare:
                more = f" and {len(bare) - 3} more" if len(bare) > 3 else ""
                yield _warning(rule, f"divides by channels, and {', '.join(bare[:3])}{more} has none",
                               "`enforcer account set NAME --channels N`")


def _twice(subject: Subject) -> Iterator[tuple[Rule, Finding]]:
    """Two rules that count the same and stop at the same are one clause written down twice."""
    seen: dict[object, Rule] = {}
    for rule in subject.policy.rules:
        spec = rule.spec
        key = (spec.kind, spec.measure, spec.critical.at, spec.warning and spec.warning.at, spec.exceeds,
               spec.min_attempts, spec.min_answered, spec.types, spec.plans, spec.customers, spec.accounts,
               spec.strikes, spec.cycles, spec.of_attempts, tuple(_key(one) for one in spec.also))
        first = seen.setdefault(key, rule)
        if first is not rule:
            yield _warning(rule, f"counts what rule {first.spec.id} counts, with the same limits",
                           "one of them is enough, unless they are to act differently")


def _key(signal: Rule) -> tuple[object, ...]:
    spec = signal.spec
    return spec.kind, spec.measure, spec.critical.at, spec.exceeds, spec.min_attempts, spec.min_answered


def _emergency(subject: Subject) -> Iterator[tuple[Rule, Finding]]:
    """Packs that name emergency numbers are refused; whoever makes rules otherwise is told."""
    for rule in subject.policy.rules:
        if UNTOUCHED & rule.spec.measure.only:
            yield _warning(rule, "names emergency numbers under `only`: it never sees one, they are exempt "
                           "from all", "take 'emergency' out")


def _counts_nothing(subject: Subject) -> Iterator[tuple[Rule, Finding]]:
    for rule in subject.policy.rules:
        if not rule.about:
            yield _warning(rule, "counts no call at all", "look at its directions, only and without")


LOOKS: tuple[Look, ...] = (
    _emergency, _counts_nothing, _nobody, _channels, _twice, _no_sample, _warning_not_before_limit,
    _same_verdict, _without_notice,
)
