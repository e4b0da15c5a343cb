"""The numbers in memory: one book an account and one a customer, and the calls they stand for.

In: call events. Out: tallies that are right at once. Every change of a record takes back what
the record added before and adds what it adds now, so repeats and any order are harmless.
Refuses to know: disks and databases; adapters keep the records and give the numbers back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from enforcer.domain.account import Account
from enforcer.domain.begun import begin, only_begun
from enforcer.domain.call import (
    UNTOUCHED,
    CallEvent,
    CallRecord,
    Direction,
    Medium,
    NumberClass,
    Phase,
    Refusal,
)
from enforcer.domain.cycle import Span
from enforcer.domain.joining import alike, joined, merged
from enforcer.domain.load import Loads
from enforcer.domain.measure import Measure, Scope, Window
from enforcer.domain.policy import Policy
from enforcer.domain.registers import Registers
from enforcer.domain.rules import Rule
from enforcer.domain.usage import Tally, contribute, succeed, tally_for
from enforcer.ledger.at_hand import AtHand
from enforcer.ledger.book import Book, Columns, columns
from enforcer.ledger.desks import Desks
from enforcer.ledger.roll import Roll
from enforcer.ledger.shelf import Shelf
from enforcer.ledger.strangers import Strangers

# A switch's clock may close a billing cycle this long (seconds) before ours does. Clocks kept by NTP
# agree to milliseconds; a CDR in the wrong time zone, or from 2099, must not close anything.
CLOCKS_DIFFER = 300.0
NOTHING = Tally()           # what a rule reads that counts no calls


class Books:
    """All books, and what is on file beside them.

    `classify` gives the class of a number, `canonical` the number as E.164; `recall` finds an old call's
    record in the store, or None; `clock` gives Unix seconds; `derive` gives a tally from the store's records.
    `channels` is how many calls each switch can hold; `stored` tells whether the store may hold calls of an
    account or customer.
    """

    def __init__(
        self,
        classify: Callable[[str], NumberClass],
        recall: Callable[[str], CallRecord | None],
        clock: Callable[[], float],
        derive: Callable[[Scope, str, Measure, Span], Tally],
        canonical: Callable[[str], str] = str,
        channels: Mapping[str, int] | None = None,
        stored: Callable[[Scope, str], bool] = lambda _scope, _key: False,
    ) -> None:
        self._classify = classify
        self._recall = recall
        self._clock = clock
        self.registers = Registers()
        self.loads = Loads(channels)
        self._roll = Roll()
        self.account, self.cycle = self._roll.account, self._roll.cycle
        self._calls = AtHand(self.loads)
        self.strangers = Strangers()
        shelf = self._shelf = Shelf(
            self._roll, clock, derive, stored, self.strangers, self.loads.busy, self._let_go,
        )
        self._open = shelf.books
        self.book, self.counted, self.span = shelf.book, shelf.counted, shelf.span
        self.tallies, self.tidy, self.refresh = shelf.tallies, shelf.tidy, shelf.refresh
        self.stale, self.returned, self.counted_accounts = shelf.stale, shelf.returned, shelf.counted_accounts
        self.live, self.known = self._calls.live, self._calls.known
        self._desks = Desks(self, canonical, clock)
        self.seats = self._desks.seats
        self.policy = Policy()
        self.columns = self._singles = columns(self.policy)

    def begin(self, policy: Policy, accounts: Iterable[Account], forgotten_until: float) -> None:
        """Start anew for a policy and a register; `install` and `adopt` follow.

        Calls that began up to `forgotten_until` (Unix seconds) and are not adopted may be known to
        the store. What pacers have let through stays known where the pace stays.
        """
        self.policy = policy
        self._roll.begin(accounts)
        self.columns = columns(policy)
        self._singles = columns(policy, lambda measure: not measure.summed)
        self._shelf.begin(policy)
        self._desks.clear()
        self._calls.clear(forgotten_until)

    def install(self, scope: Scope, key: str, place: int, tally: Tally) -> None:
        """Put in a tally of the current cycle that an adapter derived from its records."""
        self.book(scope, key).tallies[place] = tally

    def adopt(self, record: CallRecord) -> None:
        """Take in a call from the store; it adds to the tallies already installed. A call of a cycle
        to come is not added: its cycle, when it comes, is derived from the store."""
        self._calls.put_live(record)
        self._add(record, 1, closing=False)

    def adopt_single(self, record: CallRecord) -> None:
        """Take in a call from the store that is over, for tallies that no sum tells; the others have it."""
        self._add(record, 1, closing=False, by=self._singles)

    @property
    def accounts(self) -> dict[str, Account]:
        """The registered accounts, by id."""
        return self._roll.accounts

    def register(self, accounts: Iterable[Account]) -> list[Account]:
        """Enter accounts that are new or changed; returns those. Books whose calendar changes with
        them are opened again, and stale until `refresh`."""
        changed = [account for account in accounts if self.accounts.get(account.id) != account]
        if not changed:
            return changed
        self._shelf.enter(changed)
        self._desks.unseat()
        return changed

    def _let_go(self, stranger: str) -> None:
        self._desks.clear_one(stranger)
        self.registers.notices.let_go(stranger)

    @property
    def counting(self) -> bool:
        """Whether there is anything to count."""
        return any(self.policy.measures.values())

    def tally(self, rule: Rule, account: Account, at: float) -> tuple[Tally, float]:
        """The tally that a rule reads for an account, in the cycle that holds `at`, and when that closes."""
        if not rule.counting:
            return NOTHING, float("inf")
        measure = rule.spec.measure
        scope = measure.scope
        key = account.id if scope is Scope.ACCOUNT else account.customer
        book = self.book(scope, key)
        until = float("inf")
        if measure.window is Window.CYCLE:
            which = self.policy.calendars[scope].index(measure.calendar)
            if at >= book.spans[which].end:
                self._close_cycle(book, scope, key, which, at)
            until = book.spans[which].end
        return book.tallies[self.policy.place(rule)], until

    def apply(self, event: CallEvent) -> CallRecord | None:
        """Count what an event adds. The changed record, or None where it told nothing new."""
        call_id = event.attempt.call_id
        known = self.known(call_id)
        if known is None and self._calls.forgotten(event.attempt.at):
            known = self._recall(call_id)
        record = self.told(known, event)
        return None if record == known else self._change(known, record)

    def refuse(self, call_id: str, refusal: Refusal) -> CallRecord | None:
        """The call was kept from being set up by us; the changed record, None where nothing changed. One that
        was answered stays counted: what is refused then is a transfer of it."""
        known = self.known(call_id)
        if known is None or known.refusal is not Refusal.NONE or known.answered_at is not None:
            return None
        return self._change(known, known._replace(refusal=refusal))

    def exempt(self, call_id: str) -> CallRecord | None:
        """The call is one that no rule may count; the changed record, None where nothing changed."""
        known = self.known(call_id)
        if known is None or known.number_class.untouched:
            return None
        return self._change(known, known._replace(number_class=NumberClass.CALLBACK))

    def take(self, record: CallRecord, counted: CallRecord | None) -> bool:
        """Another hand wrote this record. `counted` is what these books count for the call so far,
        unless they remember it themselves. Whether anything changed."""
        if (mine := self.known(record.call_id)) is not None:
            counted, record = mine, joined(mine, record)
        return record != counted and self._change(counted, record) is not None

    def told(self, known: CallRecord | None, event: CallEvent) -> CallRecord:
        """The record of a call after an event; what follows from account and number filled in."""
        if known is None:
            attempt = event.attempt
            account = attempt.account
            known = CallRecord(
                attempt.call_id, attempt.switch, account,
                self.account(account).customer if account else "",
                attempt.direction, attempt.number, attempt.caller, self._classify(attempt.number),
                attempt.route, attempt.channel, attempt.at, event.source,
                None, None, None, None, 0, None, None, event.refusal, "", attempt.medium,
            )       # all by place: by name it takes a third longer
            if event.phase is Phase.STARTED and not event.callback:
                return known        # the hot path: a beginning tells no more than that
        record = merged(known, event)
        if record.account and not record.customer:
            record = record._replace(customer=self.account(record.account).customer)
        if event.callback and record.number_class is not NumberClass.EMERGENCY:
            return record._replace(number_class=NumberClass.CALLBACK)
        if record.number != known.number and record.number_class is not NumberClass.CALLBACK:   # it was ""
            record = record._replace(number_class=self._classify(record.number))
        return record

    def _change(self, known: CallRecord | None, record: CallRecord) -> CallRecord:
        """Count `record` in the place of `known`, and keep it in reach. Returns what is counted."""
        if known is None:
            self._add(record, 1, begins=only_begun(record))
        elif alike(known, record):
            self._add(record, 1, before=known)
        else:
            self._add(known, -1)
            self._add(record, 1)
        self._calls.keep(record)
        if record.number_class in UNTOUCHED:
            for tell in self.registers.on_untouched:
                tell(record, self._clock())
        return record

    def _add(
        self, record: CallRecord, sign: int, closing: bool = True,
        by: Mapping[tuple[Medium, Direction, NumberClass], Columns] | None = None,
        before: CallRecord | None = None, begins: bool = False,
    ) -> None:
        """Add a record to every tally that counts it, or take it back; where given, in the place of what it
        was `before`. `begins`: it is `only_begun`, which costs less to add."""
        account = record.account
        if not account:
            return
        started_at, route = record.started_at, record.route
        by = self.columns if by is None else by
        for scope, groups in by[record.medium, record.direction, record.number_class]:
            key = account if scope is Scope.ACCOUNT else record.customer
            book = self._open[scope].get(key) or self.book(scope, key)
            tallies = book.tallies
            for which, placed in groups:
                if which >= 0:
                    span = book.spans[which]
                    inside = span.start <= started_at < span.end
                    if not inside and not self._moves_on(book, scope, key, which, started_at, closing):
                        continue
                for place, measure in placed:
                    if measure.routes and route not in measure.routes:
                        continue
                    tally = tallies[place]
                    if begins:
                        if tally.__class__ is Tally:    # as `begin` does: a call costs more than the sums
                            tally.attempts += 1
                            tally.ringing += 1
                        else:
                            begin(tally, record, measure)
                    elif before is not None:
                        succeed(tally, before, record, measure)
                    else:
                        contribute(tally, record, measure, sign)

    def _moves_on(self, book: Book, scope: Scope, key: str, which: int, at: float, closing: bool) -> bool:
        """Whether a moment outside of a cycle is in the next one, which has begun with it."""
        span = book.spans[which]
        if at < span.start:
            return False
        if closing:
            self._close_cycle(book, scope, key, which, at)
            span = book.spans[which]
        book.ahead[which] = book.ahead[which] or at >= span.end
        return span.start <= at < span.end

    def _close_cycle(self, book: Book, scope: Scope, key: str, which: int, at: float) -> None:
        """Begin the cycle of a calendar that holds `at`, unless that is too far ahead to be believed."""
        if at > self._clock() + CLOCKS_DIFFER:
            return
        own = self.cycle(scope, key)
        calendar = self.policy.calendars[scope][which]
        book.spans[which] = calendar.of(own.anchor, own.timezone).at(at)
        for place, measure in enumerate(self.policy.measures[scope]):
            if measure.window is Window.CYCLE and measure.calendar == calendar:
                book.tallies[place] = tally_for(measure)
        if book.ahead[which]:
            self.stale.add((scope, key))
