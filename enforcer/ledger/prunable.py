"""What may be pruned, as questions to the database.

In: a connection, how far pruning may go, what is needed. Out: conditions, and stretches of decisions as cuts.
Refuses to know: how anything is removed.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from itertools import islice
from typing import NamedTuple

import sqlalchemy as sa

from enforcer.domain.chain import BEGINNING, Cut
from enforcer.domain.retention import Moment
from enforcer.ledger.tables import CALL, DECISION, JOURNAL, LIVE, LIVED, MARK, PRUNED, TOLD

ROWS_AT_ONCE = 500              # fetched at a time
MOST_AT_ONCE = 100_000          # decisions to a checkpoint, which is planned in one reading
MOST_PREFIXES = 1_000           # starts of an enforcer whose decisions one checkpoint names


class Needed(NamedTuple):
    """What is kept however old it is: everything of these accounts and customers, and for calls all of these
    accounts and customers as well, and those that began at `calls_since` (Unix seconds) or later."""

    accounts: frozenset[str] = frozenset()
    customers: frozenset[str] = frozenset()
    callers: frozenset[str] = frozenset()
    calling: frozenset[str] = frozenset()
    calls_since: float = float("inf")


def moments(connection: sa.Connection) -> list[Moment]:
    rows = connection.execute(
        sa.select(*(LIVED.c[name] for name in Moment._fields)).order_by(LIVED.c.number)
    )
    return [Moment(*row) for row in rows]


def mark(connection: sa.Connection, name: str) -> int:
    value: int = connection.execute(sa.select(MARK.c.value).where(MARK.c.name == name)).scalar_one()
    return value


def old_decisions(link: int, before: float, needed: Needed) -> list[sa.ColumnElement[bool]]:
    return [
        DECISION.c.link != 0, DECISION.c.link <= link, DECISION.c.at < before,
        none_of(DECISION.c.account, needed.accounts),
    ]


def old_calls(
    customer: str, change: int, started: float, needed: Needed
) -> list[sa.ColumnElement[bool]]:
    return [
        CALL.c.customer == customer, CALL.c.started_at < started, CALL.c.born <= change,
        CALL.c.outcome.not_in(LIVE), none_of(CALL.c.account, needed.accounts | needed.callers),
    ]


def none_of(column: sa.Column[str], some: Collection[str]) -> sa.ColumnElement[bool]:
    """That a column has none of these values, of which there may be more than a statement has parameters."""
    if not some:
        return sa.true()
    values = sa.func.json_each(json.dumps(sorted(some))).table_valued("value")
    return column.not_in(sa.select(values.c.value))


def callers(connection: sa.Connection, needed: Needed) -> Iterator[str]:
    """The customers of calls, none of which is needed; each found by one look into the index."""
    last: str | None = None
    while True:
        query = sa.select(sa.func.min(CALL.c.customer))
        last = connection.execute(query if last is None else query.where(CALL.c.customer > last)).scalar_one()
        if last is None:
            return
        if last not in needed.customers and last not in needed.calling:
            yield last


def since(connection: sa.Connection, checkpoint: int) -> list[Cut]:
    rows = connection.execute(
        sa.select(*(PRUNED.c[name] for name in Cut._fields)).where(PRUNED.c.checkpoint > checkpoint)
        .order_by(PRUNED.c.first)
    )
    return [Cut(*row) for row in rows]


def stretches(
    connection: sa.Connection, where: list[sa.ColumnElement[bool]]
) -> tuple[list[Cut], dict[str, list[int]], int]:
    """The next decisions that may go, as stretches of links, each of which ends where somebody was told an
    end of the chain; the numbers in their ids, by prefix; how many.
    """
    told = set(connection.execute(sa.select(TOLD.c.link)).scalars())
    found: list[Cut] = []
    ids: dict[str, list[int]] = {}
    count = 0
    rows = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(
        sa.select(DECISION.c.link, DECISION.c.seal, DECISION.c.decision_id).where(*where)
        .order_by(DECISION.c.link)
    )
    for link, sealed, decision_id in islice(rows, MOST_AT_ONCE):
        prefix, number = _number(decision_id)
        if prefix not in ids and len(ids) == MOST_PREFIXES:
            break
        if number >= 0:
            low, high = ids.get(prefix, (number, number))
            ids[prefix] = [min(low, number), max(high, number)]
        count += 1
        if found and found[-1].last + 1 == link and found[-1].last not in told:
            found[-1] = found[-1]._replace(last=link, seal=sealed)
        else:
            found.append(Cut(link, link, "", sealed, 0))
    rows.close()
    return [cut._replace(before=_seal_of(connection, cut.first - 1)) for cut in found], ids, count


def _number(decision_id: str) -> tuple[str, int]:
    """An id such as "3fa9c1-2b" in its two parts; -1 where it has another form."""
    prefix, _, number = decision_id.partition("-")
    try:
        return prefix, int(number, 16)
    except ValueError:
        return "", -1


def _seal_of(connection: sa.Connection, link: int) -> str:
    if link == 0:
        return BEGINNING
    for column, table in ((PRUNED.c.last, PRUNED), (DECISION.c.link, DECISION), (JOURNAL.c.link, JOURNAL)):
        query = sa.select(table.c.seal).where(column == link)
        if table is DECISION:
            query = query.where(DECISION.c.link != 0)
        found: str | None = connection.execute(query).scalar_one_or_none()
        if found is not None:
            return found
    return ""           # it is missing, and `verify` says so
