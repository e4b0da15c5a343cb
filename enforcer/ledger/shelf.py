"""Where books stand: opened when somebody first counts in them, let go where strangers are many.

In: a policy, accounts and customers. Out: their books, in the cycle of today. What books may have missed is
noted, and derived from the store when there is time.
Refuses to know: what calls add to books, and how the store derives a tally.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from enforcer.domain.account import Account
from enforcer.domain.cycle import Span
from enforcer.domain.measure import Measure, Scope, Window
from enforcer.domain.policy import Policy
from enforcer.domain.usage import Rolling, Tally
from enforcer.ledger.book import Book
from enforcer.ledger.roll import Roll
from enforcer.ledger.strangers import Strangers

TIDY_AT_ONCE = 500          # books whose rolling windows are moved on at a time, some 2 ms
ALWAYS = Span(float("-inf"), float("inf"), "now")

Derive = Callable[[Scope, str, Measure, Span], Tally]


class Shelf:
    """See the module. `clock` gives Unix seconds; `derive` gives a tally from the store, and `stored` tells
    whether that may hold calls of an account or customer at all. `strangers` says who makes room, `busy`
    whether an account has calls in progress, and `gone` hears who made room. `books` is for reading."""

    def __init__(
        self, roll: Roll, clock: Callable[[], float], derive: Derive, stored: Callable[[Scope, str], bool],
        strangers: Strangers, busy: Callable[[str], bool], gone: Callable[[str], None],
    ) -> None:
        self._roll = roll
        self._clock = clock
        self._derive = derive
        self._stored = stored
        self._strangers = strangers
        self._busy = busy
        self._gone = gone
        self._policy = Policy()
        self.books: dict[Scope, dict[str, Book]] = {scope: {} for scope in Scope}
        self._rolling: OrderedDict[tuple[Scope, str], Book] = OrderedDict()
        self._rolls: dict[Scope, list[tuple[int, Measure]]] = {scope: [] for scope in Scope}
        # Books that begin with more than nothing; what they count is wrong until `refresh`.
        self.stale: set[tuple[Scope, str]] = set()
        self.returned: dict[tuple[Scope, str], None] = {}       # the same, of callers who had made room

    def begin(self, policy: Policy) -> None:
        """No book is open."""
        self._policy = policy
        for books in self.books.values():
            books.clear()
        self._rolling.clear()
        self._rolls = {
            scope: [(place, m) for place, m in enumerate(some) if m.window is Window.ROLLING]
            for scope, some in policy.measures.items()
        }
        self._strangers.clear()
        self.stale.clear()
        self.returned.clear()

    def find(self, scope: Scope, key: str) -> Book | None:
        """The book of an account or customer, None where it is not open."""
        return self.books[scope].get(key)

    def book(self, scope: Scope, key: str) -> Book:
        """The book of an account or customer, opened in the cycle of today where there was none."""
        return self.books[scope].get(key) or self._open(scope, key)

    def _open(self, scope: Scope, key: str) -> Book:
        now, own, measures = self._clock(), self._roll.cycle(scope, key), self._policy.measures[scope]
        spans = [c.of(own.anchor, own.timezone).at(now) for c in self._policy.calendars[scope]]
        book = self.books[scope][key] = Book(spans, measures)
        if self._rolls[scope]:
            book.move(now, measures)
            self._rolling[scope, key] = book
        if self._strangers.gone and self._stored(scope, key):
            self.returned[scope, key] = None
        if not self._roll.knows(key):
            self._strangers.enter(key)
            for stranger in self._strangers.make_room(self._busy):
                self._let_go(stranger)
        return book

    def _let_go(self, stranger: str) -> None:
        """Its caller was silent for longer than many others; what it counted is in the store."""
        for place in ((scope, stranger) for scope in Scope):
            self.books[place[0]].pop(stranger, None)
            self._rolling.pop(place, None)
            self.stale.discard(place)
            self.returned.pop(place, None)
        self._gone(stranger)

    def enter(self, accounts: Iterable[Account]) -> None:
        """These are registered, as they are now. Books whose calendar changes with them are opened again, and
        stale until `refresh`."""
        some = list(accounts)
        cycle = self._roll.cycle
        opened = [(scope, key, cycle(scope, key)) for scope in Scope for key in self.books[scope]]
        self._roll.enter(some)
        for account in some:
            self._strangers.leave(account.id)
            self._strangers.leave(account.customer)
        for scope, key, before in opened:
            if cycle(scope, key) != before:
                del self.books[scope][key]
                book = self._open(scope, key)
                book.ahead = [True] * len(book.spans)       # nothing is known of what lies ahead of it
                self.stale.add((scope, key))

    def refresh(self, most: int | None = None) -> None:
        """Derive stale books from the store, in place; of those that returned so many at `most`, the longest
        there first. The store must hold what is counted here, no less and no more."""
        self.stale.update(islice(self.returned, most))
        while self.stale:
            scope, key = next(iter(self.stale))
            book = self.book(scope, key)
            for measure, tally in zip(self._policy.measures[scope], book.tallies, strict=True):
                tally.become(self._derive(scope, key, measure, self.span(scope, book, measure)))
            self.stale.discard((scope, key))
            self.returned.pop((scope, key), None)

    def counted(self, scope: Scope, key: str) -> Book | None:
        """The book of an account or customer; None where what it counted is only in the store."""
        there = self.books[scope].get(key)
        return self._open(scope, key) if there is None and not self._strangers.gone else there

    def counted_accounts(self) -> list[str]:
        """Accounts that have a book, or whose customer has: of each of these the first."""
        return [*self.books[Scope.ACCOUNT], *map(self._roll.first, self.books[Scope.CUSTOMER])]

    def span(self, scope: Scope, book: Book, measure: Measure) -> Span:
        """The stretch of time that a book's tally of this measure is about."""
        if measure.window is Window.CYCLE:
            return book.spans[self._policy.calendars[scope].index(measure.calendar)]
        return measure.rolling_span(self._clock()) if measure.window is Window.ROLLING else ALWAYS

    def tallies(self) -> Iterator[tuple[Scope, str, Measure, Span, Tally]]:
        """Every tally of every open book, rolling windows moved on to now."""
        now = self._clock()
        for scope, books in self.books.items():
            for key, book in books.items():
                book.move(now, self._policy.measures[scope])
                for measure, tally in zip(self._policy.measures[scope], book.tallies, strict=True):
                    yield scope, key, measure, self.span(scope, book, measure), tally

    def tidy(self, books: int = TIDY_AT_ONCE) -> None:
        """Let go of what rolling windows have passed, a few books at a time: of accounts that call no more
        nobody else would."""
        now = self._clock()
        edges = {scope: [(place, m.edge(now)) for place, m in some] for scope, some in self._rolls.items()}
        for _ in range(min(books, len(self._rolling))):
            place, book = next(iter(self._rolling.items()))
            self._rolling.move_to_end(place)
            for which, edge in edges[place[0]]:
                tally = book.tallies[which]
                assert isinstance(tally, Rolling)
                if edge > tally.edge:
                    tally.roll(edge)
