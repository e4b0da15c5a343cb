"""The settlement of a closed billing cycle: what each customer comes to under each rule, and owes.

In: a ledger, a policy, the name of a cycle, the time. Out: rows, from the call records alone, and the
book of charges brought in line with them. Settled again, nothing changes but what the records changed.
Refuses to know: how rows are shown, and what each kind of rule makes of a tally.

Accounts count as they are registered now: the ledger keeps no history of types, plans and channels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from enforcer.control.report import named_cycle
from enforcer.control.words import local
from enforcer.domain.account import Account, AccountType, Standing, unregistered
from enforcer.domain.charge import Claim, Entry, On, Subject, exact, net, subject
from enforcer.domain.cycle import BillingCycle, Span
from enforcer.domain.measure import Measure, Scope
from enforcer.domain.policy import Policy
from enforcer.domain.rules import Rule
from enforcer.domain.rules.average_minutes import Share, pulling_up, units
from enforcer.domain.settle import Settled, settle
from enforcer.domain.usage import Tally, tally_for
from enforcer.errors import BadInput
from enforcer.ledger.port import Ledger
from enforcer.toml_models import meant

# Accounts with one and the same cycle, from which on one question about all costs less than one about each.
MANY = 50


@dataclass(frozen=True, slots=True)
class Row:
    """One rule and one customer, or one of its accounts, in a closed cycle.

    `shares` has every account of an average. `charge` is the net of all entries in the book.
    """

    customer: str
    account: str                # "" for the customer as a whole
    account_type: AccountType | None
    rule: Rule
    cycle: str
    settled: Settled
    currency: str
    shares: tuple[Share, ...] = ()
    charge: Decimal = Decimal(0)

    @property
    def about(self) -> Subject:
        """What an entry in the book of charges calls it."""
        return self.customer, self.account, self.rule.spec.id, self.cycle

    @property
    def pulling_up(self) -> list[Share]:
        """The accounts above the average, where that is a breach."""
        return pulling_up(self.shares) if self.settled.breached else []

    @property
    def trouble(self) -> str:
        """Why there is no figure to judge, "" where there is one."""
        if self.settled.value is not None or self.settled.breached:
            return ""
        minutes = exact(self.rule.spec.critical.at)
        return (f"customer {self.customer}, {self.rule.spec.id}: its trunks are registered without channels, "
                f"so {minutes} minutes for each cannot be judged: see `enforcer account set --channels`")

    def claim(self) -> Claim:
        """What it says is owed."""
        spec, settled = self.rule.spec, self.settled
        words = ""
        if settled.owed and spec.charge is not None:
            beyond = " beyond the limit" if spec.charge.on is On.EXCESS else ""
            words = f"{exact(settled.units)} x {spec.charge.amount} per {spec.charge.per}{beyond}"
        return Claim(*self.about, spec.policy, settled.owed, self.currency, spec.clause, words)


class Settlement(NamedTuple):
    """All rows, the entries that had to be written for them, what could not be settled and why, and
    whose cycle is not over and was left for later."""

    rows: list[Row]
    written: list[Entry]
    notes: list[str]
    unsettled: list[str]


class _Numbers:
    """Tallies of closed cycles. Where many have the same cycle, all are asked for at once."""

    def __init__(self, ledger: Ledger, calendars: Counter[Span]) -> None:
        self._ledger = ledger
        self._calendars = calendars
        self._all: dict[tuple[Scope, Measure, Span], dict[str, Tally]] = {}

    def tally(self, scope: Scope, key: str, measure: Measure, span: Span) -> Tally:
        """The tally of one account or customer."""
        if self._calendars[span] < MANY:
            return self._ledger.derive(scope, key, measure, span)
        question = scope, measure, span
        if question not in self._all:
            self._all[question] = self._ledger.derive_all(*question)
        return self._all[question].get(key) or tally_for(measure)


class _Party(NamedTuple):
    """A customer with its accounts, and its cycle."""

    customer: str
    accounts: list[Account]
    calendar: Account           # whose anchor day and zone its cycle has: the first account by name
    span: Span


def settlement(ledger: Ledger, policy: Policy, cycle: str, now: float, customer: str = "") -> Settlement:
    """Settle a cycle ("2026-10") of one customer or of all, and write what is owed. Of all, those whose
    own cycle of that name is not over are left out. Raises BadInput where there is nobody else, LedgerError
    where nothing could be written."""
    parties = []
    unsettled = []
    for party in _parties(ledger, cycle, customer):
        problem = _still_open(party, cycle, now)
        if problem:
            unsettled.append(problem)
        else:
            parties.append(party)
    if unsettled and not parties:
        raise BadInput("--cycle", unsettled[0])
    numbers = _Numbers(ledger, Counter(_span(one, cycle) for party in parties for one in party.accounts))
    rows: list[Row] = []
    notes: dict[str, None] = {}
    in_force = set()            # (customer, rule): what this settlement has a word on
    for party in parties:
        first_day = datetime.fromtimestamp(party.span.start, ZoneInfo(party.calendar.timezone)).date()
        for rule in policy.rules:
            pack = policy.pack_of(rule)
            if pack is not None and pack.effective > first_day.isoformat():
                notes[f"{pack.label} is effective from {pack.effective}: it settles no cycle that began "
                      "before"] = None
                continue
            in_force.add((party.customer, rule.spec.id))
            currency = pack.currency if pack is not None else "USD"
            rows += [replace(row, currency=currency) for row in _rows(numbers, party, rule, cycle)]
    notes |= dict.fromkeys(row.trouble for row in rows if row.trouble)
    claims = {row.about: row.claim() for row in rows}
    for entry in ledger.charges(customer, cycle):
        # Charged once, and now no row is about it: an account's plan was put right, say.
        if subject(entry) not in claims and (entry.customer, entry.rule) in in_force:
            claims[subject(entry)] = Claim(*subject(entry), entry.policy, Decimal(0), entry.currency)
    written = ledger.charge(list(claims.values()), now)
    entries: dict[Subject, list[Entry]] = {}
    for entry in ledger.charges(customer, cycle):
        entries.setdefault(subject(entry), []).append(entry)
    rows = [replace(row, charge=net(entries.get(row.about, ()), row.currency)) for row in rows]
    return Settlement(rows, written, list(notes), unsettled)


def _parties(ledger: Ledger, cycle: str, only: str) -> list[_Party]:
    """Customers with an account, and those whom calls of the cycle were counted for."""
    found: dict[str, list[Account]] = {}
    registered = set()
    for account in ledger.accounts():
        found.setdefault(account.customer, []).append(account)
        registered.add(account.id)
    for account_id, customer in ledger.callers(named_cycle(BillingCycle(), cycle)):
        accounts = found.setdefault(customer, [])
        if account_id not in registered:
            accounts.append(replace(unregistered(account_id), customer=customer))
    if only and only not in found:
        raise BadInput("--customer", f"no such customer: {only!r}{meant(only, found)}")
    parties = []
    for customer in [only] if only else sorted(found):
        calendar = min(found[customer], key=lambda one: one.id, default=unregistered(customer))
        parties.append(_Party(customer, found[customer], calendar, _span(calendar, cycle)))
    return parties


def _span(account: Account, cycle: str) -> Span:
    return named_cycle(BillingCycle(account.anchor_day, account.timezone), cycle)


def _still_open(party: _Party, cycle: str, now: float) -> str:
    """That the cycle is not over for the customer and all its accounts; "" where it is."""
    last = max((party.calendar, *party.accounts), key=lambda one: _span(one, cycle).end)
    end = _span(last, cycle).end
    return "" if end <= now else (
        f"{cycle} of customer {party.customer} is not over before {local(end, last.timezone)}"
    )


def _rows(numbers: _Numbers, party: _Party, rule: Rule, cycle: str) -> Iterator[Row]:
    measure = rule.spec.measure
    covered = [account for account in party.accounts if rule.spec.covers(account)]
    if rule.settled_only:
        yield from _average(numbers, party, rule, cycle, covered)
    elif measure.scope is Scope.CUSTOMER:
        if covered or (not party.accounts and rule.spec.covers(unregistered(party.customer))):
            settled = settle(rule, numbers.tally(measure.scope, party.customer, measure, party.span))
            if settled is not None:
                yield Row(party.customer, "", None, rule, cycle, settled, "")
    else:
        for account in covered:
            tally = numbers.tally(measure.scope, account.id, measure, _span(account, cycle))
            settled = settle(rule, tally)
            if settled is not None:
                yield Row(party.customer, account.id, account.type, rule, cycle, settled, "")


def _average(
    numbers: _Numbers, party: _Party, rule: Rule, cycle: str, covered: list[Account]
) -> Iterator[Row]:
    """The average of a customer's accounts of one type, over the customer's cycle. One that is
    terminated counts where it still called: it must not dilute what others use."""
    measure = replace(rule.spec.measure, scope=Scope.ACCOUNT)
    total, shares = Tally(), []
    for account in covered:
        tally = numbers.tally(Scope.ACCOUNT, account.id, measure, party.span)
        if account.standing is Standing.TERMINATED and not tally.attempts:
            continue
        for name in Tally.__slots__:
            setattr(total, name, getattr(total, name) + getattr(tally, name))
        shares.append(Share(account.id, tally.msec, units(account)))
    if shares:
        settled = settle(rule, total, sum(share.units for share in shares))
        assert settled is not None
        (kind,) = rule.spec.types
        yield Row(party.customer, "", kind, rule, cycle, settled, "", tuple(shares))
