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

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice

from enforcer.domain.account import Account, Standing, unregistered
from enforcer.domain.cycle import BillingCycle, Span
from enforcer.domain.decision import Decision, Finding, Level
from enforcer.domain.measure import Scope, Window
from enforcer.domain.mode import Mode, Modes
from enforcer.domain.notice import About, Audience, Gate, Notice, created
from enforcer.domain.policy import Policy, Seat
from enforcer.domain.rules import Rule
from enforcer.errors import EnforcerError
from enforcer.ledger.port import Ledger
from enforcer.notices.rounds import Rounds
from enforcer.notices.text import Stationery
from enforcer.notices.told import Open, Told
from enforcer.notices.words import Breach

# Bounds of memory and of the time that one tick may take (some 10 ms): what is left over waits for the next.
MOST_FOUND = 10_000
FOUND_AT_ONCE = 200
NEW_AT_ONCE = 10
STRIKES_SECONDS = 7200.0    # how long after it was entered a strike is a reason to look at an account
# About a moment, or a number: nothing lasts that one could come back from, or that a look could find.
PASSING = frozenset({"cps", "opt_out", "fair_share"})
_LEAST = {Audience.OPS: Mode.MONITOR, Audience.CUSTOMER: Mode.TAG}


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
        self._rounds = Rounds(callers, sweep)
        self._found: dict[tuple[str, str, str, Level], tuple[Finding, float]] = {}
        self._told: Told | None = None          # not before the journal is read
        self._first: dict[str, Account] | None = None       # of each customer: its calendar is the customer's
        self._names: dict[str, str] | None = None
        self.missed = 0                 # findings that found no room; the sweep finds again what lasts
        self.trouble = ""               # the last that went wrong with one account and not with all

    def decision(self, decision: Decision) -> None:
        """Remember what a decision found. Cheap: this runs for every call, after its answer."""
        if decision.exempt or not decision.account:
            return
        place = decision.switch, decision.account
        self._rounds.called(place)
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
        self._rounds.look_again()

    def tick(self, at: float) -> list[Notice]:
        """Put on record what has to be said at `at` (Unix seconds); returns those notices. Raises
        LedgerError; then what was found is found again."""
        if self._told is None:
            self._told = Told(self._ledger.registers.notices.all())
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
        if self._rounds.begins(at):
            self._first = None
            self._rounds.begin(at, self._others(at))
        for switch, account in self._rounds.due():
            with self._apart():
                for seat in self._ledger.seats(account, at):
                    self._look_at(seat, account, switch, at, new)
            if len(new) >= NEW_AT_ONCE:
                break
        for key in done:
            del self._found[key]
        for notice in new.values():
            self._ledger.note(created(notice))
            self._told.learn(notice)
        return list(new.values())

    def _others(self, at: float) -> Iterator[str]:
        """Accounts to look at whether they call or not: who was told of a level may have left it, and people
        may have put a strike on record."""
        assert self._told is not None
        self._told.keep({
            rule.spec.id for rule in self._policy().rules
            if not rule.settled_only and rule.spec.kind not in PASSING
        })
        yield from self._told.accounts()
        if any(rule.spec.kind == "strikes" for rule in self._policy().rules):
            for strike in self._ledger.registers.strikes.all():
                if strike.entered >= at - STRIKES_SECONDS:
                    yield strike.account or self._first_of(strike.customer, unregistered(strike.customer)).id

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
        told = self._told.of(spec.id, customer, whose)
        # A refused attempt takes an account back to the limit itself: it has left where one more is fine.
        if told and rule.room(seat, at, switch):
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

    def _left(
        self, breach: Breach, told: Iterable[tuple[Audience, Open]], new: dict[str, Notice]
    ) -> None:
        """Add to `new` what is to be said of a level that was left again, to those who were told that it was
        reached. A cycle that is over is no way back: its numbers stand, and the next begins with none."""
        assert self._told is not None
        spec = breach.rule.spec
        for audience, (level, cycle, _) in told:
            if spec.measure.window is Window.CYCLE and cycle != breach.span.label:
                self._told.forget(spec.id, breach.account.customer, breach.whose, audience)
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
            first = self._first_of(account.customer, account)
        if measure.window is Window.CYCLE:
            calendar = measure.calendar.of(first.anchor_day, first.timezone)
        else:
            calendar = BillingCycle(first.anchor_day, first.timezone)
        return calendar.at(at), calendar.timezone

    def _first_of(self, customer: str, otherwise: Account) -> Account:
        """The first account of a customer by name."""
        if self._first is None:
            self._first = {one.customer: one for one in reversed(self._ledger.accounts())}
        return self._first.get(customer, otherwise)

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


def _add(new: dict[str, Notice], notice: Notice) -> None:
    new.setdefault(notice.id, notice)


def _with(value: str, also: str) -> str:
    return f"{value}, with {also}" if also else value
