"""The numbers in memory: one book an account and one a customer, and the calls they stand for.

In: call events. Out: tallies that are right at once. Every change of a record takes back what
the record added before and adds what it adds now, so repeats and any order are harmless.
Refuses to know: disks and databases; adapters keep the records and give the numbers back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from enforcer.domain.account import Account, unregistered
from enforcer.domain.call import CallEvent, CallRecord, NumberClass, Refusal, merged
from enforcer.domain.cycle import BillingCycle, Span
from enforcer.domain.policy import Policy, Seat
from enforcer.domain.usage import Scope, Tally, Window, contribute

# Ended calls are remembered this long (seconds), and this many of them, to know repeats at once;
# an event about an older call is looked up in the store before it may count.
REMEMBER_SECONDS = 900.0
REMEMBER_CALLS = 50_000


class Book:
    """The tallies of one account or customer: this cycle, the one before, and calls in progress."""

    __slots__ = ("before", "before_start", "cycle", "live", "now", "span")

    def __init__(self, cycle: BillingCycle, at: float, measures: int) -> None:
        self.cycle = cycle
        self.span = cycle.at(at)
        self.now = [Tally() for _ in range(measures)]
        self.live = [Tally() for _ in range(measures)]
        self.before: list[Tally] | None = None
        self.before_start = self.span.start

    def tally(self, place: int, window: Window, started_at: float) -> Tally | None:
        """Where a call of that start is counted; None where its cycle is over and gone."""
        if window is Window.LIVE:
            return self.live[place]
        if started_at >= self.span.end:
            self.roll(started_at)
        if started_at >= self.span.start:
            return self.now[place]
        if started_at >= self.before_start and self.before is not None:
            return self.before[place]
        return None

    def roll(self, at: float) -> None:
        """Begin the cycle that holds `at`; keep the one that just closed for its late events."""
        span = self.cycle.at(at)
        directly = span.start == self.span.end
        self.before = self.now if directly else None
        self.before_start = self.span.start if directly else span.start
        self.now = [Tally() for _ in self.now]
        self.span = span


class Desk:
    """An account with the seats its rules take, valid until one of its cycles closes."""

    __slots__ = ("account", "seats", "until")

    def __init__(self, account: Account, seats: tuple[Seat, ...], until: float) -> None:
        self.account = account
        self.seats = seats
        self.until = until


class Books:
    """All books. `classify` gives the class of a number; `recall` finds an old call's record in
    the store, or None; `clock` gives Unix seconds."""

    def __init__(
        self,
        classify: Callable[[str], NumberClass],
        recall: Callable[[str], CallRecord | None],
        clock: Callable[[], float],
    ) -> None:
        self._classify = classify
        self._recall = recall
        self._clock = clock
        self.policy = Policy()
        self.accounts: dict[str, Account] = {}
        self._first_account: dict[str, Account] = {}    # of each customer: its cycle is the customer's
        self._books: dict[Scope, dict[str, Book]] = {scope: {} for scope in Scope}
        self._desks: dict[str, Desk] = {}
        self.calls: dict[str, CallRecord] = {}          # in progress, and lately ended
        self._ended: deque[tuple[float, str]] = deque()
        self.forgotten_until = float("-inf")            # an unknown call that began by then may be known

    def begin(self, policy: Policy, accounts: Iterable[Account], forgotten_until: float) -> None:
        """Start anew for a policy and a register; `install` and `adopt` follow."""
        self.policy = policy
        self.accounts = {account.id: account for account in accounts}
        self._first_account = {}
        for account in sorted(self.accounts.values(), key=lambda a: a.id):
            self._first_account.setdefault(account.customer, account)
        self._books = {scope: {} for scope in Scope}
        self._desks = {}
        self.calls = {}
        self._ended.clear()
        self.forgotten_until = forgotten_until

    def install(self, scope: Scope, key: str, place: int, span: Span, tally: Tally) -> None:
        """Put in the tally of ended calls that an adapter derived from its records."""
        book = self.book(scope, key, self._clock())
        if span == book.span:
            book.now[place] = tally
        elif span.end == book.span.start:
            if book.before is None:
                book.before = [Tally() for _ in book.now]
                book.before_start = span.start
            book.before[place] = tally

    def adopt(self, record: CallRecord) -> None:
        """Take in a call in progress from the store; it adds to the tallies already installed."""
        self.calls[record.call_id] = record
        self._add(record, 1)

    def account(self, account_id: str) -> Account:
        """The registered account, or one made up for a caller nobody registered."""
        return self.accounts.get(account_id) or unregistered(account_id)

    def cycle(self, scope: Scope, key: str) -> BillingCycle:
        """The calendar of an account, or of a customer: that of its first account by name."""
        if scope is Scope.ACCOUNT:
            account = self.account(key)
        else:
            account = self._first_account.get(key) or unregistered(key)
        return BillingCycle(account.anchor_day, account.timezone)

    def book(self, scope: Scope, key: str, at: float) -> Book:
        """The book of an account or customer, opened where there was none."""
        books = self._books[scope]
        found = books.get(key)
        if found is None:
            found = Book(self.cycle(scope, key), at, len(self.policy.measures[scope]))
            books[key] = found
        return found

    def books(self, scope: Scope) -> dict[str, Book]:
        """All open books of a scope, by account or customer."""
        return self._books[scope]

    def seats(self, account_id: str, at: float) -> Sequence[Seat]:
        """The rules about an account with their tallies in the cycle that holds `at`."""
        desk = self._desks.get(account_id)
        if desk is None or at >= desk.until:
            desk = self._seat(account_id, at, desk)
        return desk.seats

    def _seat(self, account_id: str, at: float, old: Desk | None) -> Desk:
        account = self.account(account_id)
        pacers = {seat.rule.spec.id: seat.pacer for seat in old.seats} if old else {}
        seats: list[Seat] = []
        until = float("inf")
        for rule in self.policy.about(account):
            measure = rule.spec.measure
            key = account_id if measure.scope is Scope.ACCOUNT else account.customer
            book = self.book(measure.scope, key, at)
            if at >= book.span.end:
                book.roll(at)
            until = min(until, book.span.end)
            tallies = book.live if measure.window is Window.LIVE else book.now
            seats.append(Seat(rule, tallies[self.policy.place(rule)], pacers.get(rule.spec.id)))
        desk = Desk(account, tuple(seats), until)
        self._desks[account_id] = desk
        return desk

    def apply(self, event: CallEvent) -> CallRecord | None:
        """Count what an event adds. The changed record, or None where it told nothing new."""
        call_id = event.attempt.call_id
        known = self.calls.get(call_id)
        if known is None and event.attempt.at <= self.forgotten_until:
            known = self._recall(call_id)
        if known is None:
            record = merged(self._fresh(event), event)
        else:
            record = self._complete(merged(known, event))
            if record == known:
                return None
            self._add(known, -1)
        self._add(record, 1)
        self._remember(record)
        return record

    def refuse(self, call_id: str, refusal: Refusal) -> CallRecord | None:
        """The call was kept from being set up by us; the changed record, None where nothing changed.

        A call that was answered stays counted: what is refused then is a transfer of it.
        """
        known = self.calls.get(call_id)
        if known is None or known.refusal is not Refusal.NONE or known.answered_at is not None:
            return None
        record = replace(known, refusal=refusal)
        self._add(known, -1)
        self._add(record, 1)
        self.calls[call_id] = record
        return record

    def _fresh(self, event: CallEvent) -> CallRecord:
        attempt = event.attempt
        return CallRecord(
            attempt.call_id, attempt.switch, attempt.account,
            self.account(attempt.account).customer if attempt.account else "",
            attempt.direction, attempt.number, attempt.caller, self._classify(attempt.number),
            attempt.route, attempt.channel, attempt.at, event.source,
        )

    def _complete(self, record: CallRecord) -> CallRecord:
        """Fill in what follows from an account or a number that became known only now."""
        if record.account and not record.customer:
            record = replace(record, customer=self.account(record.account).customer)
        kind = self._classify(record.number)
        if kind is not record.number_class and record.number_class is NumberClass.INTERNAL:     # was ""
            record = replace(record, number_class=kind)
        return record

    def _remember(self, record: CallRecord) -> None:
        """Keep a call in reach while it lasts and a while after; let the oldest go."""
        first_end = record.ended_at is not None and (
            (known := self.calls.get(record.call_id)) is None or known.ended_at is None
        )
        self.calls[record.call_id] = record
        if first_end:
            self._ended.append((self._clock(), record.call_id))
        horizon = self._clock() - REMEMBER_SECONDS
        while self._ended and (len(self._ended) > REMEMBER_CALLS or self._ended[0][0] < horizon):
            _, call_id = self._ended.popleft()
            gone = self.calls.pop(call_id, None)
            if gone is not None:
                self.forgotten_until = max(self.forgotten_until, gone.started_at)

    def _add(self, record: CallRecord, sign: int) -> None:
        """Add a record to every tally that counts it, or take it back."""
        if not record.account:
            return
        for scope, key in ((Scope.ACCOUNT, record.account), (Scope.CUSTOMER, record.customer)):
            measures = self.policy.measures[scope]
            if not measures:
                continue
            book = self.book(scope, key, self._clock())
            for place, measure in enumerate(measures):
                if measure.counts(record):
                    tally = book.tally(place, measure.window, record.started_at)
                    if tally is not None:
                        contribute(tally, record, measure, sign)
