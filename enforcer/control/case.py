"""What an explanation draws on: the ledger, the policy, the modes, and a moment to look from.

In: those, and a rule and an account. Out: the rule's window at that moment, its seat with the numbers of
then, the records behind them. Refuses to know: sentences.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from enforcer import packs
from enforcer.domain.account import Account
from enforcer.domain.call import CallRecord
from enforcer.domain.cycle import BillingCycle, Span
from enforcer.domain.journal import Kind
from enforcer.domain.load import Loads
from enforcer.domain.measure import Measure, Scope, Window
from enforcer.domain.mode import Mode, Modes
from enforcer.domain.notice import Gate
from enforcer.domain.policy import Policy
from enforcer.domain.rules import Rule
from enforcer.domain.rules.minutes import LONGEST_CALL_MSEC
from enforcer.domain.rules.seat import File, Seat
from enforcer.domain.usage import Tally, contribute, recount
from enforcer.errors import BadInput
from enforcer.ledger.port import Ledger

ALWAYS = Span(float("-inf"), float("inf"), "")
LONGEST_CALL = LONGEST_CALL_MSEC / 1000     # seconds
INSTANT = 0.001         # seconds: what is closer together began at the same time
ANY_CODE = range(300, 700)      # what a pack on record says was checked when it came into force


@dataclass(frozen=True, slots=True)
class Case:
    """See the module. `canonical` gives a number as E.164; `most` ids of calls are told at either end of a
    list, None for all of them. `past` remembers policies of the past by their label, `tallies` what was
    counted in one pass (`count`)."""

    ledger: Ledger
    policy: Policy
    default_mode: Mode
    now: float
    canonical: Callable[[str], str] = str
    most: int | None = 3
    past: dict[str, Policy | None] = field(default_factory=dict)
    tallies: dict[tuple[Measure, str, Span], Tally] = field(default_factory=dict)

    def modes(self, at: float) -> Modes:
        """The settings as they stood at `at`: later ones had not been made."""
        return Modes((s for s in self.ledger.modes() if s.at <= at), self.default_mode)

    def rule_of(self, rule_id: str, label: str) -> Rule | None:
        """A rule as the packs of that label ("a@1+b@2") stated it: by the texts on record, else as it stands
        today; None where neither has it."""
        for one in label.split("+"):
            if one not in self.past:
                self.past[one] = self._recorded(one)
            policy = self.past[one]
            rule = policy.rule(rule_id) if policy is not None else None
            if rule is not None:
                return rule
        return self.policy.rule(rule_id)

    def _recorded(self, label: str) -> Policy | None:
        if any(pack.label == label for pack in self.policy.packs):
            return Policy(rule for rule in self.policy.rules if rule.spec.policy == label)
        texts = [e.body["text"] for e in self.ledger.journal({Kind.POLICY}, ref=label) if e.body.get("text")]
        try:
            return packs.loads([(f"{label} as it is on record", texts[-1])], ANY_CODE) if texts else None
        except BadInput:            # written by a release whose packs could say something else
            return None

    def window(self, rule: Rule, account: Account, at: float, cycle: str = "") -> Span:
        """The stretch of time that the rule is about at `at`, as far as calls go; all time for a moment. A
        rule about billing cycles is about the `cycle` of that name, where one is named. Raises BadInput."""
        measure = rule.spec.measure
        if measure.window is Window.LIVE:
            return ALWAYS
        if measure.window is Window.ROLLING:
            return measure.rolling_span(at)
        own = calendar_of(self.ledger, measure.scope, account)
        if cycle and measure.billing:
            return named_cycle(own, cycle)
        return measure.calendar.of(own.anchor, own.timezone).at(at)

    def seat(self, rule: Rule, account: Account, at: float, cycle: str = "") -> Seat:
        """The rule at its seat, with the numbers of its window as the records have them at `at`: the present,
        or a moment before the end of a cycle that is over."""
        file = File(account, self.ledger.registers, Loads(), self.canonical)

        def seated(one: Rule, gate: Gate | None = None, also: tuple[Seat, ...] = ()) -> Seat:
            tally = Tally()         # all that a kind has to see which looks at what is on file
            if one.counting:
                tally = self.tally(one.spec.measure, account, self.window(one, account, at, cycle), at)
            return Seat(one, tally, None, gate, also, file)

        return seated(rule, self.gate(rule, account), tuple(seated(signal) for signal in rule.spec.also))

    def gate(self, rule: Rule, account: Account) -> Gate | None:
        """What a notice has to open before the rule acts; None where it acts without."""
        if rule.spec.notice is None:
            return None
        whose = account.id if rule.spec.measure.scope is Scope.ACCOUNT else ""
        return self.ledger.registers.notices.gate(rule.spec.id, account.customer, whose)

    def tally(self, measure: Measure, account: Account, span: Span, at: float) -> Tally:
        """What the records of a stretch of time come to."""
        key = key_of(measure, account)
        known = self.tallies.get((measure, key, span))
        if known is not None:
            return known
        if measure.window is Window.ROLLING:
            until = span._replace(end=at + INSTANT)
            return recount(self.records(measure.scope, account, until), measure, at)
        return self.ledger.derive(measure.scope, key, measure, span)

    def count(self, rules: Iterable[Rule], account: Account, at: float, cycle: str = "") -> None:
        """Count for those of the rules, and of their signals, that look at calls one by one: one pass for
        each stretch of time, however many rules there are."""
        passes: dict[tuple[Scope, Span], dict[Measure, Tally]] = {}
        for one in (one for rule in rules for one in (rule, *rule.spec.also)):
            measure = one.spec.measure
            if one.counting and not measure.summed and not one.settled_only:
                span = self.window(one, account, at, cycle)
                passes.setdefault((measure.scope, span), {})[measure] = recount((), measure, at)
        for (scope, span), tallies in passes.items():
            for record in self.records(scope, account, _until(span, at, cycle)):
                for measure, tally in tallies.items():
                    if measure.counts(record):
                        contribute(tally, record, measure, 1)
            for measure, tally in tallies.items():
                self.tallies[measure, key_of(measure, account), span] = tally

    def records(self, scope: Scope, account: Account, span: Span) -> Iterator[CallRecord]:
        """The records of a stretch of time, by start."""
        if scope is Scope.CUSTOMER:
            return self.ledger.calls("", span, account.customer)
        return self.ledger.calls(account.id, span)

    def looked_at(self, rule: Rule, account: Account, at: float, cycle: str = "") -> Span:
        """Where to look for the calls behind the rule's numbers at `at`, the one that began then included.
        Calls in progress began within a day."""
        span = self.window(rule, account, at, cycle)
        if span != ALWAYS:
            return _until(span, at, cycle)
        if rule.spec.kind == "cps":
            own = calendar_of(self.ledger, Scope.ACCOUNT, account)
            return own.at(at)._replace(end=at + INSTANT)
        return Span(at - LONGEST_CALL, at + INSTANT, "")


def _until(span: Span, at: float, cycle: str) -> Span:
    """The part of a window until `at`, the call that began then included; all of a cycle that is named: that
    of a customer may end later than its account's."""
    return span if cycle and span.label == cycle else span._replace(end=min(span.end, at + INSTANT))


def key_of(measure: Measure, account: Account) -> str:
    """Whose calls are added up: the account's own name, or its customer's."""
    return account.id if measure.scope is Scope.ACCOUNT else account.customer


def calendar_of(ledger: Ledger, scope: Scope, account: Account) -> BillingCycle:
    """The calendar of an account, or of its customer: that of the customer's first account by name."""
    first = account
    if scope is Scope.CUSTOMER:
        first = min(ledger.accounts(account.customer), key=lambda a: a.id, default=account)
    return BillingCycle(first.anchor_day, first.timezone)


def named_cycle(calendar: BillingCycle, label: str) -> Span:
    """The cycle of that name in a calendar. Raises BadInput."""
    try:
        return calendar.named(label)
    except (ValueError, OverflowError):
        raise BadInput("--cycle", f"{label!r} is no billing cycle: year and month, such as 2026-11") from None
