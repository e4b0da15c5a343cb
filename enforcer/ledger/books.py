"""The numbers in memory: one book an account and one a customer, and the calls they stand for.

In: call events. Out: tallies that are right at once. Every change of a record takes back what
the record added before and adds what it adds now, so repeats and any order are harmless.
Refuses to know: disks and databases; adapters keep the records and give the numbers back.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter

from enforcer.domain.account import Account, unregistered
from enforcer.domain.call import CallEvent, CallRecord, Direction, NumberClass, Phase, Refusal
from enforcer.domain.cycle import BillingCycle, Span
from enforcer.domain.joining import joined, merged
from enforcer.domain.policy import Policy, Seat
from enforcer.domain.usage import Measure, Scope, Tally, Window, contribute

# So many calls that are over are remembered, to know repeats of their events at once (about 35 MB;
# 8 minutes at 100 calls a second). An event about an older call is looked up in the store.
REMEMBER_CALLS = 50_000
# Desks kept: about 1.3 KB each, most of it what pacers remember. An account whose desk made room and
# whose pacers were idle is seated anew at its next question, which costs some 10 us.
MOST_DESKS = 50_000
# Two sources may disagree on a start by this much (seconds) and mean the same call: CDRs have whole
# seconds, and a switch that is asked for its calls rounds differently from one that tells them.
SAME_START = 60.0
# A switch's clock may close a billing cycle this long (seconds) before ours does. Clocks kept by NTP
# agree to milliseconds; a CDR in the wrong time zone, or from 2099, must not close anything.
CLOCKS_DIFFER = 300.0


class Book:
    """The tallies of one account or customer: of this cycle, and of the calls in progress.

    `tallies` stand in the order of the policy's measures. `ahead` is True where a call was seen
    that begins after this cycle: the tallies of the next one are then not empty at its start.
    """

    __slots__ = ("ahead", "span", "tallies")

    def __init__(self, span: Span, measures: int) -> None:
        self.span = span
        self.tallies = [Tally() for _ in range(measures)]
        self.ahead = False


class Desk:
    """The seats that an account's rules take, valid until one of its cycles closes."""

    __slots__ = ("seats", "until")

    def __init__(self, seats: tuple[Seat, ...], until: float) -> None:
        self.seats = seats
        self.until = until


class Books:
    """All books.

    `classify` gives the class of a number; `recall` finds an old call's record in the store, or
    None; `clock` gives Unix seconds; `derive` gives a tally from the store's records.
    """

    def __init__(
        self,
        classify: Callable[[str], NumberClass],
        recall: Callable[[str], CallRecord | None],
        clock: Callable[[], float],
        derive: Callable[[Scope, str, Measure, Span], Tally],
    ) -> None:
        self._classify = classify
        self._recall = recall
        self._derive = derive
        self._clock = clock
        self.policy = Policy()
        self.columns = _columns(self.policy)
        self.accounts: dict[str, Account] = {}
        self._first_account: dict[str, Account] = {}    # of each customer: its cycle is the customer's
        self._books: dict[Scope, dict[str, Book]] = {scope: {} for scope in Scope}
        self._desks: OrderedDict[str, Desk] = OrderedDict()
        self._live: dict[str, CallRecord] = {}
        self._over: dict[str, CallRecord] = {}          # ended or refused, lately
        self._oldest_over: deque[str] = deque()
        # Books that begin with more than nothing; what they count is wrong until `refresh`.
        self.stale: set[tuple[Scope, str]] = set()
        self._forgotten_until = float("inf")    # an unknown call that began by then may be in the store

    def begin(self, policy: Policy, accounts: Iterable[Account], forgotten_until: float) -> None:
        """Start anew for a policy and a register; `install` and `adopt` follow.

        Calls that began up to `forgotten_until` (Unix seconds) and are not adopted may be known to
        the store. What pacers have let through stays known where the pace stays.
        """
        self.policy = policy
        self.accounts = {account.id: account for account in accounts}
        self._rank_customers()
        self.columns = _columns(policy)
        self._books = {scope: {} for scope in Scope}
        self._unseat()
        self._live = {}
        self._over = {}
        self._oldest_over.clear()
        self.stale.clear()
        self._forgotten_until = forgotten_until

    def install(self, scope: Scope, key: str, place: int, tally: Tally) -> None:
        """Put in a tally of the current cycle that an adapter derived from its records."""
        self.book(scope, key).tallies[place] = tally

    def adopt(self, record: CallRecord) -> None:
        """Take in a call from the store; it adds to the tallies already installed. A call of a cycle
        to come is not added: its cycle, when it comes, is derived from the store."""
        if record.live:
            self._live[record.call_id] = record
        self._add(record, 1, closing=False)

    def register(self, accounts: Iterable[Account]) -> list[Account]:
        """Enter accounts that are new or changed; returns those. Books whose calendar changes with
        them are opened again, and stale until `refresh`."""
        changed = [account for account in accounts if self.accounts.get(account.id) != account]
        if not changed:
            return changed
        opened = [(scope, key, self.cycle(scope, key)) for scope in Scope for key in self._books[scope]]
        self.accounts.update((account.id, account) for account in changed)
        self._rank_customers()
        for scope, key, cycle in opened:
            if self.cycle(scope, key) != cycle:
                del self._books[scope][key]
                self.book(scope, key).ahead = True      # nothing is known of what lies ahead of it
                self.stale.add((scope, key))
        self._unseat()
        return changed

    def refresh(self) -> None:
        """Derive stale books from the store, in place. The store must hold what is counted here, no
        less and no more."""
        while self.stale:
            scope, key = next(iter(self.stale))
            book = self.book(scope, key)
            for measure, tally in zip(self.policy.measures[scope], book.tallies, strict=True):
                right = self._derive(scope, key, measure, book.span)
                for name in Tally.__slots__:
                    setattr(tally, name, getattr(right, name))
            self.stale.discard((scope, key))

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

    def book(self, scope: Scope, key: str) -> Book:
        """The book of an account or customer, opened in the cycle of today where there was none."""
        book = self._books[scope].get(key)
        if book is None:
            span = self.cycle(scope, key).at(self._clock())
            book = Book(span, len(self.policy.measures[scope]))
            self._books[scope][key] = book
        return book

    def tallies(self) -> Iterator[tuple[Scope, str, Measure, Span, Tally]]:
        """Every tally of every open book."""
        for scope, books in self._books.items():
            for key, book in books.items():
                for measure, tally in zip(self.policy.measures[scope], book.tallies, strict=True):
                    yield scope, key, measure, book.span, tally

    @property
    def counting(self) -> bool:
        """Whether there is anything to count."""
        return any(self.policy.measures.values())

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
            scope = rule.spec.measure.scope
            key = account_id if scope is Scope.ACCOUNT else account.customer
            book = self.book(scope, key)
            if at >= book.span.end:
                self._close_cycle(book, scope, key, at)
            until = min(until, book.span.end)
            pacer = pacers.get(rule.spec.id)
            if pacer is not None and pacer.pace != rule.spec.pace:
                pacer = None
            seats.append(Seat(rule, book.tallies[self.policy.place(rule)], pacer))
        desk = Desk(tuple(seats), until)
        self._desks[account_id] = desk
        for _ in range(2):      # two for one: those that must stay do not add up
            if len(self._desks) <= MOST_DESKS:
                break
            longest_here, oldest = self._desks.popitem(last=False)
            # Not where a call went on just now, or will: a pacer must not forget it.
            lately = self._clock() - SAME_START
            if any(seat.pacer is not None and seat.pacer.used(lately) for seat in oldest.seats):
                self._desks[longest_here] = oldest
        return desk

    def _unseat(self) -> None:
        """Every account is seated anew at its next question."""
        for desk in self._desks.values():
            desk.until = float("-inf")

    def _rank_customers(self) -> None:
        self._first_account = {}
        for account in sorted(self.accounts.values(), key=attrgetter("id")):
            self._first_account.setdefault(account.customer, account)

    def live(self, switch: str = "") -> list[CallRecord]:
        """Calls in progress, of one switch or of all."""
        return [record for record in self._live.values() if not switch or record.switch == switch]

    def known(self, call_id: str) -> CallRecord | None:
        """The record of a call in progress or lately over."""
        return self._live.get(call_id) or self._over.get(call_id)

    def apply(self, event: CallEvent) -> CallRecord | None:
        """Count what an event adds. The changed record, or None where it told nothing new."""
        call_id = event.attempt.call_id
        known = self._live.get(call_id) or self._over.get(call_id)
        if known is None and event.attempt.at <= self._forgotten_until + SAME_START:
            known = self._recall(call_id)
        record = self.told(known, event)
        if record == known:
            return None
        return self._change(known, record)

    def refuse(self, call_id: str, refusal: Refusal) -> CallRecord | None:
        """The call was kept from being set up by us; the changed record, None where nothing changed.

        A call that was answered stays counted: what is refused then is a transfer of it.
        """
        known = self.known(call_id)
        if known is None or known.refusal is not Refusal.NONE or known.answered_at is not None:
            return None
        record = known._replace(refusal=refusal)
        return self._change(known, record)

    def take(self, record: CallRecord, counted: CallRecord | None) -> bool:
        """Another hand wrote this record. `counted` is what these books count for the call so far,
        unless they remember it themselves. Whether anything changed."""
        mine = self.known(record.call_id)
        if mine is not None:
            counted, record = mine, joined(mine, record)
        if record == counted:
            return False
        self._change(counted, record)
        return True

    def told(self, known: CallRecord | None, event: CallEvent) -> CallRecord:
        """The record of a call after an event; what follows from account and number filled in."""
        if known is None:
            attempt = event.attempt
            account = attempt.account
            known = CallRecord(
                attempt.call_id, attempt.switch, account,
                self.account(account).customer if account else "",
                attempt.direction, attempt.number, attempt.caller, self._classify(attempt.number),
                attempt.route, attempt.channel, attempt.at, event.source, refusal=event.refusal,
            )
            if event.phase is Phase.STARTED:
                return known        # the hot path: a beginning tells no more than that
        record = merged(known, event)
        if record.account and not record.customer:
            record = record._replace(customer=self.account(record.account).customer)
        if record.number != known.number:       # it was "" until now
            record = record._replace(number_class=self._classify(record.number))
        return record

    def _change(self, known: CallRecord | None, record: CallRecord) -> CallRecord:
        """Count `record` in the place of `known`, and keep it in reach. Returns what is counted."""
        if known is not None:
            self._add(known, -1)
        self._add(record, 1)
        call_id = record.call_id
        if record.live:
            self._live[call_id] = record
            return record
        self._live.pop(call_id, None)
        if call_id not in self._over:
            self._oldest_over.append(call_id)
        self._over[call_id] = record
        if len(self._over) > REMEMBER_CALLS:
            gone = self._over.pop(self._oldest_over.popleft())
            self._forgotten_until = max(self._forgotten_until, gone.started_at)
        return record

    def _add(self, record: CallRecord, sign: int, closing: bool = True) -> None:
        """Add a record to every tally that counts it, or take it back."""
        account = record.account
        if not account:
            return
        started_at = record.started_at
        for scope, columns in self.columns[record.direction, record.number_class]:
            key = account if scope is Scope.ACCOUNT else record.customer
            book = self._books[scope].get(key) or self.book(scope, key)
            span = book.span
            if started_at >= span.end:
                if closing:
                    self._close_cycle(book, scope, key, started_at)
                    span = book.span
                book.ahead = book.ahead or started_at >= span.end
            this_cycle = span.start <= started_at < span.end
            tallies = book.tallies
            for place, measure in columns:
                if this_cycle or measure.window is Window.LIVE:
                    contribute(tallies[place], record, measure, sign)

    def _close_cycle(self, book: Book, scope: Scope, key: str, at: float) -> None:
        """Begin the cycle that holds `at`, unless that is too far ahead to be believed."""
        if at > self._clock() + CLOCKS_DIFFER:
            return
        book.span = self.cycle(scope, key).at(at)
        for place, measure in enumerate(self.policy.measures[scope]):
            if measure.window is Window.CYCLE:
                book.tallies[place] = Tally()
        if book.ahead:
            self.stale.add((scope, key))


Columns = tuple[tuple[Scope, tuple[tuple[int, Measure], ...]], ...]


def _columns(policy: Policy) -> dict[tuple[Direction, NumberClass], Columns]:
    """Which tallies count a call in this direction to this class of number: found once a policy,
    not once a call."""
    return {
        (direction, kind): tuple(
            (scope, columns) for scope in Scope
            if (columns := tuple(
                (place, measure) for place, measure in enumerate(policy.measures[scope])
                if measure.includes(direction, kind)
            ))
        )
        for direction in Direction for kind in NumberClass
    }
