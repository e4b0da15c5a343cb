"""Links of the chain as rows: journal entries and decisions, sealed as they are written, and proved.

In: entries and decisions, and a connection that alone may write. Out: rows; entries and links back from rows.
Refuses to know: what entries mean, and when they are written.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from heapq import merge
from typing import Any

import sqlalchemy as sa

from enforcer.domain.chain import Cut, Head, Link, follow, seal
from enforcer.domain.decision import Decision
from enforcer.domain.journal import JournalEntry, Kind
from enforcer.errors import LedgerError
from enforcer.ledger.port import Proof
from enforcer.ledger.tables import CHAIN, DECISION, JOURNAL, PRUNED, row_of_decision

ROWS_AT_ONCE = 1000
_COLUMNS = [JOURNAL.c[name] for name in JournalEntry._fields]


def head(connection: sa.Connection) -> Head:
    """The end of the chain."""
    return Head(*connection.execute(sa.select(CHAIN.c.link, CHAIN.c.seal)).one())


def append(
    connection: sa.Connection, entries: Iterable[JournalEntry], writer: int,
    decisions: Iterable[Decision] = (),
) -> list[JournalEntry]:
    """Write decisions, then entries, each sealed onto the end of the chain; the entries as written."""
    link, last = head(connection)
    first = link
    rows = []
    for decision in decisions:
        row = row_of_decision(decision)
        link += 1
        last = seal(last, *decision_parts(row))
        rows.append(row | {"link": link, "seal": last})
    if rows:
        connection.execute(sa.insert(DECISION), rows)
    written = []
    for entry in entries:
        link += 1
        last = seal(last, *entry.parts)
        written.append(entry._replace(link=link, seal=last))
    if written:
        connection.execute(sa.insert(JOURNAL), [row_of(entry, writer) for entry in written])
    if link != first:
        connection.execute(sa.update(CHAIN).values(link=link, seal=last))
    return written


def decision_parts(row: Any) -> tuple[object, ...]:
    """What the seal of a decision's row stands for."""
    return "decision", row["at"], row["decision_id"], row["call_id"], row["account"], row["body"]


def row_of(entry: JournalEntry, writer: int) -> dict[str, Any]:
    """The row of a sealed entry."""
    return entry._asdict() | {"kind": entry.kind.value, "body": entry.text, "writer": writer}


def entry_of(row: Any) -> JournalEntry:
    """An entry from the columns of its row, in the order of its fields. Raises LedgerError where somebody
    made that impossible."""
    kind, at, ref, customer, account, body, link, sealed = row
    try:
        return JournalEntry(Kind(kind), at, ref, customer, account, json.loads(body), link, sealed)
    except (ValueError, TypeError):
        raise LedgerError(f"link {link} of the journal cannot be read: see `enforcer verify`") from None


def find(
    connection: sa.Connection, kinds: Collection[Kind] = (), customer: str = "", account: str = "",
    ref: str = "",
) -> Iterator[JournalEntry]:
    """Entries in their order: of these kinds, of one customer, account or thing, where given."""
    query = sa.select(*_COLUMNS).order_by(JOURNAL.c.link)
    if kinds:
        query = query.where(JOURNAL.c.kind.in_([kind.value for kind in kinds]))
    for column, wanted in (("customer", customer), ("account", account), ("ref", ref)):
        if wanted:
            query = query.where(JOURNAL.c[column] == wanted)
    for row in connection.execution_options(yield_per=ROWS_AT_ONCE).execute(query):
        yield entry_of(row)


def links(connection: sa.Connection) -> Iterator[Link]:
    """All links in order, as they are kept: nothing is read that may have been made unreadable."""
    streamed = connection.execution_options(yield_per=ROWS_AT_ONCE)
    decisions = streamed.execute(
        sa.select(DECISION).where(DECISION.c.link != 0).order_by(DECISION.c.link)
    ).mappings()
    journal = streamed.execute(sa.select(JOURNAL).order_by(JOURNAL.c.link)).mappings()
    return merge(
        (Link(row["link"], row["seal"], decision_parts(row), "decision", row["at"], row["decision_id"])
         for row in decisions),
        (Link(row["link"], row["seal"], _entry_parts(row), row["kind"], row["at"], row["ref"])
         for row in journal),
        key=lambda link: link.number,
    )


def _entry_parts(row: Any) -> tuple[object, ...]:
    return row["kind"], row["at"], row["ref"], row["customer"], row["account"], row["body"]


def cuts(connection: sa.Connection) -> Iterator[Cut]:
    """What was pruned, by link."""
    streamed = connection.execution_options(yield_per=ROWS_AT_ONCE)
    columns = [PRUNED.c[name] for name in Cut._fields]
    for row in streamed.execute(sa.select(*columns).order_by(PRUNED.c.first)):
        yield Cut(*row)


def chain(connection: sa.Connection) -> Iterator[Link | Cut]:
    """The whole chain in order, a cut before links of it that are still there."""
    return merge(cuts(connection), links(connection), key=lambda one: one.number)


def prove(connection: sa.Connection, noted: Head | None) -> Proof:
    """Follow the whole chain: every link there or pruned, every seal right, the last one the end. Memory
    stays flat."""
    end = head(connection)
    sound, fault = follow(lambda: chain(connection), end, noted)
    pruned = connection.execute(
        sa.select(sa.func.coalesce(sa.func.sum(PRUNED.c.last - PRUNED.c.first + 1), 0))
        .where(PRUNED.c.last <= sound)
    ).scalar_one()
    return Proof(sound, end, fault, pruned)
