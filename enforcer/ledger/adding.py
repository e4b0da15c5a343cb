"""Usage added up by the database: tallies from rows, without a row leaving it where sums are all it takes.

In: a connection, and which calls. Out: tallies equal to what `recount` makes of the same records,
and books loaded with them. Refuses to know: which database it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from enforcer.domain.call import CallRecord, Direction, Medium, NumberClass
from enforcer.domain.cycle import Span
from enforcer.domain.measure import OWN, Measure, Scope, Window
from enforcer.domain.policy import Policy
from enforcer.domain.usage import Detailed, Tally, recount, tally_for
from enforcer.ledger.book import columns
from enforcer.ledger.books import Books
from enforcer.ledger.lately import lately, left_out
from enforcer.ledger.tables import CALL, LIVE, OF_MESSAGES, RECORD_COLUMNS, SENT, record_of_row

ROWS_AT_ONCE = 1000     # rows fetched at a time where many are streamed: memory stays flat


class Group(NamedTuple):
    """Calls of one account that usage has no reason to tell apart."""

    account: str
    customer: str
    direction: Direction
    number_class: NumberClass
    outcome: str
    route: str              # "" where no measure asks for it
    piece: int              # which piece of time they started in, see `pieces`
    size: int               # how many calls
    msec: int
    answered_msec: int      # sum of the answer times
    latest: float           # start of the latest of them
    seizures: int           # how many legs were dialled for them; `size` where no measure asks for it
    short: Mapping[int, int]    # how many of them lasted less than so many milliseconds

    @property
    def medium(self) -> Medium:
        """Whether these are calls or messages: their outcome tells."""
        return Medium.MESSAGE if self.outcome in OF_MESSAGES else Medium.CALL


def bounds(measure: Measure) -> set[int]:
    """Lengths (milliseconds) that tell answered calls apart: short below the first, only just completed below
    the second, where the measure counts those."""
    near = {measure.short_msec + measure.near_msec} if measure.near_msec else set()
    return {_short_below(measure)} | near


def _short_below(measure: Measure) -> int:
    return measure.short_msec + measure.short_includes_equal


def add(tally: Tally, group: Group, measure: Measure) -> None:
    """Add a group that the measure counts; `contribute` for many calls at once."""
    outcome, size = group.outcome, group.size
    live = outcome in LIVE
    if measure.window is Window.LIVE and not live:
        return
    if outcome in ("blocked", "stopped"):
        tally.blocked += size
        return
    if outcome in ("shed", "dropped"):
        tally.shed += size
        return
    tried = group.seizures if measure.per_leg else size
    tally.attempts += tried
    near = 0
    if outcome in ("ringing", "unheard"):
        tally.ringing += tried
        tally.unheard += tried if outcome == "unheard" else 0
    elif outcome == "talking":
        tally.talking += size
        tally.talking_since += group.answered_msec
    elif outcome not in ("unanswered", SENT):
        short = 0 if outcome == "lost" else group.short[_short_below(measure)]
        tally.msec += group.msec
        tally.short += short
        tally.completed += size - short
        if measure.near_msec and outcome != "lost":
            near = max(0, group.short[measure.short_msec + measure.near_msec] - short)
    if isinstance(tally, Detailed):
        tally.near += near
        tally.marked += size if group.number_class in measure.marked else 0


def counts(measure: Measure, group: Group) -> bool:
    """Whether a measure counts the calls of a group, their time aside."""
    return measure.includes(group.direction, group.number_class, group.medium) and (
        not measure.routes or group.route in measure.routes
    )


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
    measures: Collection[Measure],
    *where: sa.ColumnElement[bool],
    edges: Sequence[float] = (),
) -> Iterator[Group]:
    """The calls of which `where` holds, in groups that these measures have no reason to split."""
    ordered = sorted({length for measure in measures for length in bounds(measure)})
    nothing: sa.ColumnElement[Any] = sa.literal_column("''", sa.Text)
    by_route = any(measure.routes for measure in measures)
    by_leg = any(measure.per_leg for measure in measures)
    route = CALL.c.route if by_route else nothing
    by: list[Any] = [CALL.c.account, CALL.c.customer, CALL.c.direction, CALL.c.number_class, CALL.c.outcome]
    piece = pieces(edges).label("piece")
    query = sa.select(
        *by, route, piece, sa.func.count(), sa.func.sum(CALL.c.billed_msec),
        sa.func.sum(CALL.c.answered_msec), sa.func.max(CALL.c.started_at),
        sa.func.sum(CALL.c.seizures) if by_leg else sa.func.count(),
        *(sa.func.sum(sa.case((CALL.c.billed_msec < limit, 1), else_=0)) for limit in ordered),
    ).where(*where).group_by(*by, *([route] if by_route else []), *([piece] if edges else []))
    directions = {member.value: member for member in Direction}
    classes = {member.value: member for member in NumberClass}
    for row in connection.execute(query):
        short = dict(zip(ordered, row[12:], strict=True))
        yield Group._make((row[0], row[1], directions[row[2]], classes[row[3]], *row[4:12], short))


def derived(
    connection: sa.Connection, scope: Scope, key: str, measure: Measure, span: Span, at: float
) -> Tally:
    """The tally of one account or customer in any cycle; a rolling window is the one at `at`."""
    column = CALL.c.account if scope is Scope.ACCOUNT else CALL.c.customer
    if not measure.summed:
        return recount(records(connection, span.start, span.end, column == key), measure, at)
    found = derived_of_all(connection, scope, measure, span, at, column == key)
    return found.get(key) or tally_for(measure)


def derived_of_all(
    connection: sa.Connection, scope: Scope, measure: Measure, span: Span, at: float,
    *where: sa.ColumnElement[bool],
) -> dict[str, Tally]:
    """The tallies of all accounts or customers that have calls in a cycle, of those that `where` leaves."""
    if not measure.summed:
        by_key: dict[str, list[CallRecord]] = {}
        for record in records(connection, span.start, span.end, *where):
            if measure.counts(record):
                key = record.account if scope is Scope.ACCOUNT else record.customer
                by_key.setdefault(key, []).append(record)
        return {key: recount(some, measure, at) for key, some in by_key.items()}
    which: sa.ColumnElement[bool]
    if measure.window is Window.LIVE:
        which = CALL.c.outcome.in_(LIVE)
    else:
        which = sa.and_(CALL.c.started_at >= span.start, CALL.c.started_at < span.end)
    tallies: dict[str, Tally] = {}
    for group in grouped(connection, [measure], which, *where):
        if counts(measure, group):
            key = group.account if scope is Scope.ACCOUNT else group.customer
            add(tallies.setdefault(key, tally_for(measure)), group, measure)
    return tallies


def records(
    connection: sa.Connection, start: float, end: float, *where: sa.ColumnElement[bool]
) -> Iterator[CallRecord]:
    """The calls that started in a stretch of time, one by one, by start."""
    query = sa.select(*RECORD_COLUMNS).where(CALL.c.started_at >= start, *where)
    if end != float("inf"):
        query = query.where(CALL.c.started_at < end)
    query = query.order_by(CALL.c.started_at, CALL.c.call_id)
    for row in connection.execution_options(yield_per=ROWS_AT_ONCE).execute(query):
        yield record_of_row(row)


def load(connection: sa.Connection, books: Books, policy: Policy, now: float) -> None:
    """Begin the books anew with what the store knows: tallies of the cycles of `now`, added up here,
    and the calls in progress, one by one."""
    latest = connection.execute(sa.select(sa.func.max(CALL.c.started_at))).scalar_one()
    accounts = list(books.accounts.values())
    books.begin(policy, accounts, float("-inf") if latest is None else latest)
    only: frozenset[str] | None = None
    if latest is not None and books.counting:
        own = {(a.anchor_day, a.timezone) for a in accounts} | {(1, "UTC")}
        calendars = {c for some in policy.calendars.values() for c in some} or {OWN}
        spans = {calendar.of(*one).at(now) for calendar in calendars for one in own}
        only = lately(connection, books.accounts.keys())
        _load_sums(connection, books, spans, latest, only)
        _load_singles(connection, books, spans, now, only)
    books.strangers.gone = books.strangers.gone or only is not None
    for row in connection.execute(sa.select(*RECORD_COLUMNS).where(CALL.c.outcome.in_(LIVE))):
        books.adopt(record_of_row(row))


def _load_sums(
    connection: sa.Connection, books: Books, spans: Collection[Span], latest: float,
    only: frozenset[str] | None,
) -> None:
    """Sums of calls that are over and began in one of these spans, or later."""
    policy = books.policy
    summed = [
        m for some in policy.measures.values() for m in some if m.summed and m.window is Window.CYCLE
    ]
    first = min(span.start for span in spans)
    # Where one span holds all there is, its calls need not be told apart by time, and the grouping
    # follows the index: four times as fast.
    edges = sorted({edge for span in spans for edge in span[:2] if first < edge <= latest})
    starts = [first, *edges]
    over = CALL.c.outcome.not_in(LIVE)
    placed_by = columns(policy, lambda measure: measure.summed)
    for group in grouped(connection, summed, CALL.c.started_at >= first, over, edges=edges):
        start = starts[group.piece]
        kind = (group.medium, group.direction, group.number_class)
        if not group.account or left_out(group, only):
            continue
        for scope, groups in placed_by[kind]:
            book = books.book(scope, group.account if scope is Scope.ACCOUNT else group.customer)
            for which, placed in groups:
                if which < 0:
                    continue
                if start >= book.spans[which].end:
                    book.ahead[which] = True
                elif start >= book.spans[which].start:
                    for place, measure in placed:
                        if counts(measure, group):
                            add(book.tallies[place], group, measure)


def _load_singles(
    connection: sa.Connection, books: Books, spans: Collection[Span], now: float, only: frozenset[str] | None,
) -> None:
    """What no sum tells of calls that are over: looked at one by one, as far back as any window goes."""
    singles = [m for some in books.policy.measures.values() for m in some if not m.summed]
    if not singles:
        return
    starts = [m.rolling_span(now).start for m in singles if m.window is Window.ROLLING]
    if any(m.window is Window.CYCLE for m in singles):
        starts += [span.start for span in spans]
    for record in records(connection, min(starts), float("inf"), CALL.c.outcome.not_in(LIVE)):
        if not left_out(record, only):
            books.adopt_single(record)
