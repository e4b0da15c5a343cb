"""The settlement of a closed billing cycle: what each customer comes to under each rule, and owes.

In: a ledger, the revisions of the policy, the name of a cycle, the time. Out: rows, from the call records
alone, and the books of charges and strikes brought in line with them. Settled again, nothing changes but what
the records changed: packs and accounts count as they were then.
Refuses to know: how rows are shown, and what each kind of rule makes of a tally.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

from enforcer import history
from enforcer.control.parties import Gathering, Party
from enforcer.control.rows import Row, told, why_held
from enforcer.control.settled_strikes import strikes
from enforcer.domain.account import Account, Standing, unregistered
from enforcer.domain.charge import Claim, Entry, Subject, net, subject
from enforcer.domain.cycle import Span
from enforcer.domain.journal import JournalEntry, Kind
from enforcer.domain.measure import Measure, Scope
from enforcer.domain.policy import Policy
from enforcer.domain.rules import Rule
from enforcer.domain.rules.average_minutes import Share, units
from enforcer.domain.settle import Settled, settle, settle_average, settles
from enforcer.domain.usage import Tally, tally_for
from enforcer.errors import BadInput
from enforcer.history import Revisions
from enforcer.ledger.port import Ledger

# Accounts with one and the same cycle, from which on one question about all costs less than one about each.
MANY = 50


class Settlement(NamedTuple):
    """All rows, the entries that had to be written for them (charges, then strikes and what withdraws them),
    what could not be settled or charged and why, and whose cycle is not over and was left for later."""

    rows: list[Row]
    written: list[Entry]
    struck: list[JournalEntry]
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
        found = self._all[question].get(key)
        return tally_for(measure) if found is None else found

    def settled(self, rule: Rule, key: str, span: Span) -> Settled | None:
        """What a rule comes to for one account or customer, with the signals that have to be there too."""
        if not settles(rule):
            return None
        tallies = [
            self.tally(one.spec.measure.scope, key, one.spec.measure, span) for one in (rule, *rule.spec.also)
        ]
        return settle(rule, tallies[0], 1, tallies[1:])


def settlement(
    ledger: Ledger, revisions: Revisions, cycle: str, now: float, only: Collection[str] = (), *,
    over: float | None = None, charging: bool = True,
) -> Settlement:
    """Settle a cycle ("2026-10") of some customers or (`only` empty) of all, and write what is owed and which
    strikes there are. Those whose own cycle of that name is not over at `over` (`now`, where nothing is said)
    are left out. Without `charging` the book of charges stays as it is. Raises BadInput where there is nobody
    else, LedgerError where nothing could be written."""
    marked = list(ledger.journal({Kind.SETTLEMENT}, ref=cycle))
    parties: list[Party] = []
    unsettled = []
    gathering = Gathering(ledger, history.past(ledger), cycle)
    for party in gathering.parties(only):
        problem = party.still_open(cycle, now if over is None else over) or _pruned(ledger, party, cycle)
        if problem:
            unsettled.append(problem)
        else:
            parties.append(party)
    if unsettled and not parties:
        raise BadInput("--cycle", unsettled[0])
    rows, notes, in_force = _all_rows(ledger, revisions, parties, cycle)
    written: list[Entry] = []
    if charging:
        written = ledger.charge(_claims(ledger, rows, in_force, cycle), now)
    struck = strikes(ledger.registers.strikes, rows, {p.customer for p in parties}, in_force, cycle, now)
    before = {(entry.customer, bool(entry.body["charges"])) for entry in marked}
    quiet = [party.customer for party in parties if gathering.called(party)]
    marks = _marks(rows, before, quiet, charging, cycle, now)
    if struck or marks:
        ledger.put([*struck, *marks])
    booked: dict[Subject, list[Entry]] = {}
    for charge in ledger.charges(cycle=cycle):
        booked.setdefault(subject(charge), []).append(charge)
    rows = [replace(row, charge=net(booked.get(row.about, ()), row.currency)) for row in rows]
    return Settlement(rows, written, struck, notes, unsettled)


def _all_rows(
    ledger: Ledger, revisions: Revisions, parties: list[Party], cycle: str
) -> tuple[list[Row], list[str], set[tuple[str, str]]]:
    """The rows, what has to be said about them, and on which (customer, rule) they are the last word."""
    numbers = _Numbers(ledger, Counter(one.span for party in parties for _, one in party.accounts))
    rows: list[Row] = []
    notes: dict[str, None] = {}
    in_force = set()
    for party in parties:
        for policy, found in _rows(numbers, revisions, party, cycle, notes):
            in_force |= {(party.customer, rule.spec.id) for rule in policy.rules}
            rows += found
    notices = told(ledger.registers.notices)
    rows = [replace(row, held=why_held(row, notices)) for row in rows]
    return rows, list(notes | dict.fromkeys(trouble for row in rows for trouble in row.troubles)), in_force


def _claims(
    ledger: Ledger, rows: list[Row], in_force: set[tuple[str, str]], cycle: str
) -> list[Claim]:
    claims = {row.about: row.claim() for row in rows}
    for entry in ledger.charges(cycle=cycle):
        # Charged once, and now no row is about it: its only call was another account's, say.
        if subject(entry) not in claims and (entry.customer, entry.rule) in in_force:
            claims[subject(entry)] = Claim(*subject(entry), entry.policy, Decimal(0), entry.currency)
    return list(claims.values())


def _rows(
    numbers: _Numbers, revisions: Revisions, party: Party, cycle: str, notes: dict[str, None]
) -> Iterator[tuple[Policy, list[Row]]]:
    """The rows of one customer, policy by policy: each cycle has the one of its first moment."""
    asked: dict[int, tuple[Policy, bool, list[tuple[Account, Span]]]] = {}
    if party.cycle is not None:
        policy, words = revisions.at(party.cycle.span.start, party.cycle.day)
        notes |= dict.fromkeys(words)
        asked[id(policy)] = policy, True, []
    for account, its in party.accounts:
        policy, words = revisions.at(its.span.start, its.day)
        notes |= dict.fromkeys(words)
        asked.setdefault(id(policy), (policy, False, []))[2].append((account, its.span))
    for policy, customers, accounts in asked.values():
        rows: list[Row] = []
        for rule in policy.rules:
            some: Iterator[Row] | list[Row] = []
            if rule.spec.measure.scope is Scope.ACCOUNT:
                some = _of_accounts(numbers, party, rule, cycle, accounts)
            elif customers:
                some = _of_customer(numbers, party, rule, cycle)
            pack = policy.pack_of(rule)
            rows += [replace(row, pack=pack) for row in some]
        yield policy, rows


def _of_accounts(
    numbers: _Numbers, party: Party, rule: Rule, cycle: str, accounts: list[tuple[Account, Span]]
) -> Iterator[Row]:
    for account, span in accounts:
        if rule.spec.covers(account):
            settled = numbers.settled(rule, account.id, span)
            if settled is not None:
                yield Row(party.customer, account.id, account.type, rule, cycle, span, settled)


def _of_customer(numbers: _Numbers, party: Party, rule: Rule, cycle: str) -> Iterator[Row]:
    assert party.cycle is not None
    span = party.cycle.span
    if rule.settled_only:
        yield from _average(numbers, party, rule, cycle, span)
        return
    whose = [*party.members, *party.former] or [unregistered(party.customer)]
    if any(rule.spec.covers(account) for account in whose):
        settled = numbers.settled(rule, party.customer, span)
        if settled is not None:
            yield Row(party.customer, "", None, rule, cycle, span, settled)


def _average(numbers: _Numbers, party: Party, rule: Rule, cycle: str, span: Span) -> Iterator[Row]:
    """The average of a customer's accounts of one type, over the customer's cycle. One that is
    terminated counts where it still called: it must not dilute what others use."""
    measure = replace(rule.spec.measure, scope=Scope.ACCOUNT)
    parts = []
    for account in party.members:
        if not rule.spec.covers(account):
            continue
        tally = numbers.tally(Scope.ACCOUNT, account.id, measure, span)
        if account.standing is Standing.TERMINATED and not tally.attempts:
            continue
        parts.append((Share(account.id, tally.msec, units(account)), tally))
    settled = settle_average(rule, parts)
    if settled is not None:
        (kind,) = rule.spec.types
        shares = tuple(share for share, _ in parts)
        yield Row(party.customer, "", kind, rule, cycle, span, settled, shares)


def _pruned(ledger: Ledger, party: Party, cycle: str) -> str:
    """That calls of the cycle are gone, so that settling it again would make it less than it was; "" where
    all are there."""
    spans = [one.span for _, one in party.accounts] + ([party.cycle.span] if party.cycle else [])
    before = ledger.pruned_before(party.customer)
    if all(span.start >= before for span in spans):
        return ""
    return f"calls of customer {party.customer} in {cycle} were pruned: what was settled then stands"


def _marks(
    rows: list[Row], before: set[tuple[str, bool]], callers: list[str], charging: bool, cycle: str,
    now: float,
) -> list[JournalEntry]:
    """That customers who called were settled, each once, and once more when they are charged for. Where they
    are not, `owed` is how many charges wait."""
    called: dict[str, set[str]] = {customer: set() for customer in callers}
    owed: Counter[str] = Counter()
    for row in rows:
        if row.settled.attempts:
            called.setdefault(row.customer, set()).add(row.rule.spec.policy)
            owed[row.customer] += bool(row.claim().amount)
    return [
        JournalEntry(Kind.SETTLEMENT, now, cycle, customer, body={
            "charges": charging, "policy": sorted(labels),
        } | ({} if charging else {"owed": owed[customer]}))
        for customer, labels in called.items()
        if (customer, charging) not in before and (customer, True) not in before
    ]
