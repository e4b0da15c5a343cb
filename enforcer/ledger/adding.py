"""Usage added up by the database: tallies from rows, without a row leaving it.

In: a connection, and which calls. Out: tallies equal to what `recount` makes of the same records,
and books loaded with them. Refuses to know: which database it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from enforcer.domain.call import Direction, NumberClass
from enforcer.domain.cycle import BillingCycle, Span
from enforcer.domain.policy import Policy
from enforcer.domain.usage import Measure, Scope, Tally, Window
from enforcer.ledger.books import Books
from enforcer.ledger.tables import CALL, LIVE, RECORD_COLUMNS, record_of_row


class Group(NamedTuple):
    """Calls of one account that usage has no reason to tell apart."""

    account: str
    customer: str
    direction: Direction
    number_class: NumberClass
    outcome: str
    piece: int              # which piece of time they started in, see `pieces`
    size: int               # how many calls
    msec: int
    answered_msec: int      # sum of the answer times
    latest: float           # start of the latest of them
    short: Mapping[int, int]    # how many of them lasted less than so many milliseconds


def bound(measure: Measure) -> int:
    """An answered call is short below this many milliseconds."""
    return measure.short_msec + measure.short_includes_equal


def add(tally: Tally, group: Group, measure: Measure) -> None:
    """Add a group that the measure includes; `contribute` for many calls at once."""
    outcome, size = group.outcome, group.size
    live = outcome in LIVE
    if measure.window is Window.LIVE and not live:
        return
    if outcome == "blocked":
        tally.blocked += size
        return
    if outcome == "shed":
        tally.shed += size
        return
    tally.attempts += size
    if outcome == "ringing":
        tally.ringing += size
    elif outcome == "talking":
        tally.talking += size
        tally.talking_since += group.answered_msec
    elif outcome != "unanswered":
        short = 0 if outcome == "lost" else group.short[bound(measure)]
        tally.msec += group.msec
        tally.short += short
        tally.completed += size - short


def pieces(edges: Sequence[float]) -> sa.ColumnElement[int]:
    """Which piece of time a call started in: 0 before the first edge, 1 before the second, ...

    A tree of CASEs, so that hundreds of calendars cost a row no more than a few comparisons.
    """
    def tree(low: int, high: int) -> sa.ColumnElement[int]:
        if low == high:
            return sa.literal_column(str(low), sa.Integer)
        middle = (low + high) // 2
        return sa.case((CALL.c.started_at < edges[middle], tree(low, middle)), else_=tree(middle + 1, high))

    return tree(0, len(edges))


def grouped(
    connection: sa.Connection,
    bounds: Collection[int],
    *where: sa.ColumnElement[bool],
    edges: Sequence[float] = (),
) -> Iterator[Group]:
    """The calls of which `where` holds, in groups."""
    ordered = sorted(bounds)
    by: list[Any] = [CALL.c.account, CALL.c.customer, CALL.c.direction, CALL.c.number_class, CALL.c.outcome]
    piece = pieces(edges).label("piece")
    query = sa.select(
        *by, piece, sa.func.count(), sa.func.sum(CALL.c.billed_msec), sa.func.sum(CALL.c.answered_msec),
        sa.func.max(CALL.c.started_at),
        *(sa.func.sum(sa.case((CALL.c.billed_msec < limit, 1), else_=0)) for limit in ordered),
    ).where(*where).group_by(*by, *([piece] if edges else []))
    directions = {member.value: member for member in Direction}
    classes = {member.value: member for member in NumberClass}
    for row in connection.execute(query):
        yield Group(
            row[0], row[1], directions[row[2]], classes[row[3]], *row[4:10],
            short=dict(zip(ordered, row[10:], strict=True)),
        )


def derived(connection: sa.Connection, scope: Scope, key: str, measure: Measure, span: Span) -> Tally:
    """The tally of one account or customer in any cycle."""
    column = CALL.c.account if scope is Scope.ACCOUNT else CALL.c.customer
    return derived_of_all(connection, scope, measure, span, column == key).get(key, Tally())


def derived_of_all(
    connection: sa.Connection, scope: Scope, measure: Measure, span: Span, *where: sa.ColumnElement[bool]
) -> dict[str, Tally]:
    """The tallies of all accounts or customers that have calls in a cycle, of those that `where` leaves."""
    which: sa.ColumnElement[bool]
    if measure.window is Window.LIVE:
        which = CALL.c.outcome.in_(LIVE)
    else:
        which = sa.and_(CALL.c.started_at >= span.start, CALL.c.started_at < span.end)
    tallies: dict[str, Tally] = {}
    for group in grouped(connection, {bound(measure)}, which, *where):
        if measure.includes(group.direction, group.number_class):
            key = group.account if scope is Scope.ACCOUNT else group.customer
            add(tallies.setdefault(key, Tally()), group, measure)
    return tallies


def load(connection: sa.Connection, books: Books, policy: Policy, now: float) -> None:
    """Begin the books anew with what the store knows: tallies of the cycles of `now`, added up here,
    and the calls in progress, one by one."""
    latest = connection.execute(sa.select(sa.func.max(CALL.c.started_at))).scalar_one()
    accounts = list(books.accounts.values())
    books.begin(policy, accounts, float("-inf") if latest is None else latest)
    if latest is not None and books.counting:
        calendars = {BillingCycle(a.anchor_day, a.timezone) for a in accounts} | {BillingCycle()}
        _load_ended(connection, books, {calendar.at(now) for calendar in calendars}, latest)
    for row in connection.execute(sa.select(*RECORD_COLUMNS).where(CALL.c.outcome.in_(LIVE))):
        books.adopt(record_of_row(row))


def _load_ended(connection: sa.Connection, books: Books, spans: Collection[Span], latest: float) -> None:
    """Tallies of calls that are over and began in one of these spans, or later."""
    first = min(span.start for span in spans)
    # Where one span holds all there is, its calls need not be told apart by time, and the grouping
    # follows the index: four times as fast.
    edges = sorted({edge for span in spans for edge in span[:2] if first < edge <= latest})
    starts = [first, *edges]
    over = CALL.c.outcome.not_in(LIVE)
    bounds = {
        bound(measure) for some in books.policy.measures.values() for measure in some
        if measure.window is Window.CYCLE
    }
    for group in grouped(connection, bounds, CALL.c.started_at >= first, over, edges=edges):
        start = starts[group.piece]
        for scope, columns in books.columns[group.direction, group.number_class] if group.account else ():
            book = books.book(scope, group.account if scope is Scope.ACCOUNT else group.customer)
            if start >= book.span.end:
                book.ahead = True
            elif start >= book.span.start:
                for place, measure in columns:
                    add(book.tallies[place], group, measure)
