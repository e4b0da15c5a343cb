"""Where enforcement interrupted service in a billing cycle, from decisions, call records and the journal.

In: a ledger, the name of a cycle, whom it is about. Out: intervals, each with its account's customer and
zone.
Refuses to know: how they are shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from enforcer.control.report import named_cycle
from enforcer.control.words import iso
from enforcer.domain.account import Account
from enforcer.domain.call import Refusal
from enforcer.domain.cycle import BillingCycle, Span
from enforcer.domain.interruption import (
    Interval,
    Kind,
    Touch,
    enforced,
    stops,
    together,
    touch_by_switch,
    touch_of,
)
from enforcer.domain.journal import Kind as Entries
from enforcer.errors import BadInput
from enforcer.ledger.port import Ledger

FIELDS = (
    "kind", "customer", "account", "rule", "clause", "mode", "standing", "from", "until", "from_epoch",
    "until_epoch", "seconds", "open", "blocked", "shed", "held", "messages", "longest_hold", "decisions",
)  # fmt: skip


class Told(NamedTuple):
    """An interval, and whose it is."""

    interval: Interval
    customer: str
    timezone: str

    def facts(self) -> dict[str, Any]:
        """For programs: seconds as decimal strings, instants in local time and as Unix seconds."""
        one, zone = self.interval, self.timezone
        return dict(zip(FIELDS, (
            one.kind.value, self.customer, one.account, one.rule, one.clause or None, one.mode or None,
            one.standing or None, iso(one.start, zone), iso(one.end, zone), one.start, one.end,
            f"{one.seconds:.3f}", one.open, one.blocked, one.shed, one.held, one.messages,
            f"{one.longest_hold:.3f}", list(one.decisions),
        ), strict=True))  # fmt: skip


def interruptions(
    ledger: Ledger, cycle: str, now: float, gap: float, account: str = "", customer: str = ""
) -> list[Told]:
    """All intervals of one account's, one customer's or everybody's cycle of that name, by their start; each
    account has its own calendar. Raises BadInput for a cycle that has not begun."""
    whose = _Whose(ledger, cycle, account, customer)
    if whose.first >= now:
        raise BadInput("--cycle", f"{cycle} has not begun yet")
    ceilings = [setting for setting in ledger.modes() if setting.ceiling]
    stopped = [
        interval for stop in stops(ledger.journal([Entries.ACCOUNT], account=account))
        if whose.has(stop.account)
        for interval in enforced(stop, whose.span(stop.account), now, ceilings)
    ]
    found = together(stopped, _touches(ledger, whose, account), gap)
    return [
        Told(one, whose.account(one.account).customer, whose.account(one.account).timezone) for one in found
    ]


def _touches(ledger: Ledger, whose: _Whose, account: str) -> Iterator[Touch]:
    """What was done to calls. A refused call that went on all the same, as its switch says, was not; and what
    the switch refused without asking has no decision."""
    whole = Span(whose.first, whose.last, "")
    went: set[str] = set()
    alone: dict[str, Touch] = {}
    for record in ledger.calls(account, whole, "" if account else whose.customer):
        if record.refusal is Refusal.WENT or (record.refusal and not record.refused):
            went.add(record.call_id)
        elif (touch := touch_by_switch(record)) is not None:
            alone[record.call_id] = touch
    for decision in ledger.decisions_in(whole, account):
        touch = touch_of(decision)
        if decision.refused:
            alone.pop(decision.call_id, None)
        if touch is not None and decision.call_id not in went and whose.holds(touch):
            yield touch
    yield from (touch for touch in alone.values() if whose.holds(touch))


class _Whose:
    """Which accounts are meant, and the cycle of each."""

    def __init__(self, ledger: Ledger, cycle: str, account: str, customer: str) -> None:
        self._ledger = ledger
        self._cycle = cycle
        self._one = account
        self.customer = customer
        self._accounts: dict[str, Account] = {}
        self._spans: dict[tuple[int, str], Span] = {}
        some = [ledger.account(account)] if account else ledger.accounts(customer)
        spans = [self._named(one) for one in some]
        if not account:
            spans.append(self._named(ledger.account("")))       # callers that nobody registered
        self.first = min(span.start for span in spans)
        self.last = max(span.end for span in spans)

    def account(self, account_id: str) -> Account:
        """The account of that id, as it is registered now."""
        found = self._accounts.get(account_id)
        if found is None:
            found = self._accounts[account_id] = self._ledger.account(account_id)
        return found

    def has(self, account_id: str) -> bool:
        """Whether that account is meant."""
        return bool(account_id) and (not self._one or account_id == self._one) and (
            not self.customer or self.account(account_id).customer == self.customer
        )

    def span(self, account_id: str) -> Span:
        """Its cycle."""
        return self._named(self.account(account_id))

    def holds(self, touch: Touch) -> bool:
        """Whether something happened to an account that is meant, in its cycle."""
        return self.has(touch.account) and self.span(touch.account).holds(touch.at)

    def _named(self, account: Account) -> Span:
        place = account.anchor_day, account.timezone
        found = self._spans.get(place)
        if found is None:
            found = self._spans[place] = named_cycle(BillingCycle(*place), self._cycle)
        return found


def interrupted(told: list[Told]) -> list[Told]:
    """Those that are interruptions."""
    return [one for one in told if one.interval.kind is not Kind.SLOWED]


def slowed(told: list[Told]) -> list[Told]:
    """Those in which service was slow, and not interrupted."""
    return [one for one in told if one.interval.kind is Kind.SLOWED]
