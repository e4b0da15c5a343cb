"""Who has to be told what: from levels that were reached, or left again, to notices on record, each once.

    decision(decision)   after each answer: remember what it found, and who calls
    tick(at)             once a second: put notices on record, and look at some accounts

In: decisions, the seats of accounts that call, the modes. Out: notices in the journal. Their ids follow from
what they say, so neither a repeat nor a restart says anything twice.
Refuses to know: how a notice is sent, and the clock.

Ops are told from mode `monitor` up. A customer is told from mode `tag` up, and only of rules that have a
`notice`: the others act without one, and whoever commits fraud is not to be warned of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

from enforcer.domain.account import Account, Standing
from enforcer.domain.cycle import BillingCycle, Span
from enforcer.domain.decision import Decision, Finding, Level
from enforcer.domain.measure import Scope, Window
from enforcer.domain.mode import Mode, Modes
from enforcer.domain.notice import About, Audience, Gate, Notice, created
from enforcer.domain.policy import Policy, Seat
from enforcer.domain.rules import Rule
from enforcer.errors import EnforcerError
from enforcer.ledger.port import Ledger
from enforcer.notice_text import Stationery
from enforcer.notice_words import Breach

# Bounds of memory and of the time that one tick may take (some 10 ms): what is left over waits for the next.
MOST_FOUND = 10_000
MOST_SEEN = 100_000
FOUND_AT_ONCE = 200
LOOKS_AT_ONCE = 100
NEW_AT_ONCE = 10
HOUR_SECONDS = 3600.0
# About a moment, or a number: nothing lasts that one could come back from, or that a look could find.
PASSING = frozenset({"cps", "opt_out", "fair_share"})
_LEAST = {Audience.OPS: Mode.MONITOR, Audience.CUSTOMER: Mode.TAG}


class _Told(NamedTuple):
    """The level that somebody was told of last and not yet told to be left, in which cycle, and by which
    account's calls it was noticed."""

    level: Level
    cycle: str
    account: str


class Watch:
    """One per process, owned by its event loop. `policy` and `modes` give what is in force; `callers` gives
    (switch, account) of those that called lately, asked or not. An account is looked at again no sooner than
    `sweep` seconds after all have been."""

    def __init__(
        self,
        ledger: Ledger,
        stationery: Stationery,
        policy: Callable[[], Policy],
        modes: Callable[[], Modes],
        callers: Callable[[], Iterable[tuple[str, str]]] = tuple,
        sweep: float = 10.0,
    ) -> None:
        self._ledger = ledger
        self._stationery = stationery
        self._policy = policy
        self._modes = modes
        self._callers = callers
        self._sweep = sweep
        self._found: dict[tuple[str, str, str, Level], tuple[Finding, float]] = {}
        self._seen: dict[tuple[str, str], None] = {}        # who called in this hour
        self._before: dict[tuple[str, str], None] = {}      # and in the one before
        self._hour = float("-inf")
        self._round: deque[tuple[str, str]] = deque()
        self._next_round = float("-inf")
        self._told: dict[tuple[str, str, str], dict[Audience, _Told]] | None = None
        self._first: dict[str, Account] | None = None       # of each customer: its calendar is the customer's
        self._names: dict[str, str] | None = None
        self.missed = 0                 # findings that found no room; the sweep finds again what lasts
        self.trouble = ""               # the last that went wrong with one account and not with all

    def decision(self, decision: Decision) -> None:
        """Remember what a decision found. Cheap: this runs for every call, after its answer."""
        if decision.exempt or not decision.account:
            return
        place = decision.switch, decision.account
        if len(self._seen) < MOST_SEEN:
            self._seen[place] = None
        for finding in decision.findings:
            if not finding.level or finding.rule == "standing":
                continue
            key = (*place, finding.rule, finding.level)
            if key in self._found:
                continue
            if len(self._found) >= MOST_FOUND:
                self.missed += 1
                continue
            self._found[key] = finding, decision.at

    @property
    def behind(self) -> bool:
        """Whether something was found that is not dealt with yet."""
        return bool(self._found)

    def look_again(self) -> None:
        """Modes, accounts or the policy changed: a new round begins as soon as this one is over."""
        self._first = None
        self._next_round = float("-inf")

    def tick(self, at: float) -> list[Notice]:
        """Put on record what has to be said at `at` (Unix seconds); returns those notices. Raises
        LedgerError; then what was found is found again."""
        if self._told is None:
            self._told = _told(self._ledger.registers.notices.all())
        self._names = None
        new: dict[str, Notice] = {}
        done = []
        for key in sorted(islice(self._found, FOUND_AT_ONCE), key=lambda one: -one[3]):    # the highest first
            if len(new) >= NEW_AT_ONCE:
                break
            done.append(key)
            switch, account, rule_id, level = key
            finding, when = self._found[key]
            rule = self._policy().rule(rule_id)
            if rule is not None:
                value = _with(finding.value, finding.also)
                with self._apart():
                    breach = self._breach(rule, account, switch, level, value, finding.limit, when)
                    self._reached(breach, new)
        for switch, account in self._due(at):
            with self._apart():
                for seat in self._ledger.seats(account, at):
                    self._look_at(seat, account, switch, at, new)
            if len(new) >= NEW_AT_ONCE:
                break
        for key in done:
            del self._found[key]
        for notice in new.values():
            self._ledger.note(created(notice))
            _learn(self._told, notice)
        return list(new.values())

    def _due(self, at: float) -> Iterator[tuple[str, str]]:
        """The accounts to look at now; a round begins anew when all were looked at, and time has passed."""
        if not self._round and at >= self._next_round:
            assert self._told is not None
            self._first = None
            self._told = {place: told for place, told in self._told.items() if told}
            self._seen |= dict.fromkeys(self._callers())
            places = self._before | self._seen
            known = {account for _, account in places}
            for told in self._told.values():            # who was told of a level: it may have been left
                accounts = {one.account for one in told.values()} - known
                places |= dict.fromkeys(("", account) for account in sorted(accounts))
            if at >= self._hour:            # a call may end, and matter, long after it was asked about
                self._before, self._seen, self._hour = self._seen, {}, at + HOUR_SECONDS
            self._round.extend(places)
            self._next_round = at + self._sweep
        for _ in range(min(len(self._round), LOOKS_AT_ONCE)):
            yield self._round.popleft()

    def _look_at(self, seat: Seat, account: str, switch: str, at: float, new: dict[str, Notice]) -> None:
        """Add to `new` what is to be said of how a rule stands at an account."""
        rule = seat.rule
        if rule.spec.kind in PASSING:
            return
        judgement = rule.look(seat, at)
        if judgement is not None and judgement.level:
            value = _with(judgement.value, judgement.also)
            breach = self._breach(rule, account, switch, judgement.level, value, judgement.limit, at)
            self._reached(breach, new)
            return
        assert self._told is not None
        spec = rule.spec
        customer = self._ledger.account(account).customer
        whose = account if spec.measure.scope is Scope.ACCOUNT else ""
        told = self._told.get((spec.id, customer, whose))
        if told:
            value, limit = rule.standing(seat.tally, at)
            self._left(self._breach(rule, account, switch, Level.FINE, value, limit, at), told, new)

    def _reached(self, breach: Breach, new: dict[str, Notice]) -> None:
        """Add to `new` everything to be said of a level that was reached, and was not said yet."""
        spec = breach.rule.spec
        tells = spec.notice is not None and breach.mode >= _LEAST[Audience.CUSTOMER]
        if tells and not self._said(breach, Audience.CUSTOMER, About.LEVEL, new):
            name = self._name(breach.account.customer)
            _add(new, self._stationery.reached(breach, Audience.CUSTOMER, name=name))
        if breach.mode < _LEAST[Audience.OPS]:
            return
        asks = spec.propose is not None and breach.level is Level.CRITICAL
        if asks and breach.whose and breach.account.standing is not Standing.ACTIVE:
            return                      # people have decided already
        if not self._said(breach, Audience.OPS, About.PROPOSAL if asks else About.LEVEL, new):
            if asks:
                _add(new, self._stationery.proposal(breach))
            else:
                told = "The customer is told." if tells else "The customer is not told."
                _add(new, self._stationery.reached(breach, Audience.OPS, told))

    def _said(self, breach: Breach, audience: Audience, about: About, new: dict[str, Notice]) -> bool:
        """Whether it was said in this cycle, or more than that was, or is about to be."""
        ids = [breach.id(audience, about)]
        if breach.level is Level.WARNING:
            above = replace(breach, level=Level.CRITICAL)
            ids += [above.id(audience, one) for one in (About.LEVEL, About.PROPOSAL)]
        return any(one in new or self._ledger.registers.notices.get(one) is not None for one in ids)

    def _left(self, breach: Breach, told: dict[Audience, _Told], new: dict[str, Notice]) -> None:
        """Add to `new` what is to be said of a level that was left again, to those who were told that it was
        reached. A cycle that is over is no way back: its numbers stand, and the next begins with none."""
        for audience, (level, cycle, _) in list(told.items()):
            if breach.rule.spec.measure.window is Window.CYCLE and cycle != breach.span.label:
                del told[audience]
                continue
            if breach.mode < _LEAST[audience]:
                continue
            then = replace(breach, level=level, span=breach.span._replace(label=cycle))
            name = self._name(breach.account.customer) if audience is Audience.CUSTOMER else ""
            _add(new, self._stationery.cleared(then, audience, name))

    def _breach(
        self, rule: Rule, account_id: str, switch: str, level: Level, value: str, limit: str, at: float
    ) -> Breach:
        account = self._ledger.account(account_id)
        span, zone = self._cycle(rule, account, at)
        whose = account_id if rule.spec.measure.scope is Scope.ACCOUNT else ""
        gate: Gate | None = None
        if rule.spec.notice is not None:
            gate = self._ledger.registers.notices.gate(rule.spec.id, account.customer, whose)
        mode = self._modes().resolve(account_id, rule.spec.id, switch, at).mode
        pack = self._policy().pack_of(rule)
        return Breach(rule, account, level, value, limit, at, span, zone, mode, gate, pack)

    def _cycle(self, rule: Rule, account: Account, at: float) -> tuple[Span, str]:
        """The cycle that a notice belongs to, and the subject's zone. A customer's calendar is that of its
        first account by name."""
        measure, first = rule.spec.measure, account
        if measure.scope is Scope.CUSTOMER:
            if self._first is None:
                self._first = {one.customer: one for one in reversed(self._ledger.accounts())}
            first = self._first.get(account.customer, account)
        if measure.window is Window.CYCLE:
            calendar = measure.calendar.of(first.anchor_day, first.timezone)
        else:
            calendar = BillingCycle(first.anchor_day, first.timezone)
        return calendar.at(at), calendar.timezone

    def _name(self, customer: str) -> str:
        if self._names is None:
            self._names = {one.id: one.name for one in self._ledger.customers()}
        return self._names.get(customer, "")

    @contextmanager
    def _apart(self) -> Iterator[None]:
        """One account's work: a defect that it shows must not keep others from being told."""
        try:
            yield
        except EnforcerError:
            raise
        except Exception as problem:
            self.trouble = repr(problem)


def _told(notices: Iterable[Notice]) -> dict[tuple[str, str, str], dict[Audience, _Told]]:
    """Who was told of which level and not told yet that it was left."""
    found: dict[tuple[str, str, str], dict[Audience, _Told]] = {}
    for notice in notices:
        _learn(found, notice)
    return found


def _learn(found: dict[tuple[str, str, str], dict[Audience, _Told]], notice: Notice) -> None:
    place = notice.rule, notice.customer, notice.account
    if notice.about in (About.LEVEL, About.PROPOSAL):
        caller = notice.facts.get("caller", notice.account)
        found.setdefault(place, {})[notice.audience] = _Told(notice.level, notice.cycle, caller)
    elif notice.about is About.CLEARED:
        told = found.get(place, {})
        told.pop(notice.audience, None)
        if not told:
            found.pop(place, None)


def _add(new: dict[str, Notice], notice: Notice) -> None:
    new.setdefault(notice.id, notice)


def _with(value: str, also: str) -> str:
    return f"{value}, with {also}" if also else value
