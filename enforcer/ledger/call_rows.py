"""Call rows: looked up, and written so that no hand undoes what another hand wrote.

In: records, and a connection that alone may write. Out: rows, each version with a change number.
Refuses to know: threads, books, and when to write.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite as dialect
from sqlalchemy.dialects.sqlite import insert

from enforcer.domain.call import CallRecord
from enforcer.domain.joining import joined
from enforcer.ledger.store import take_marks
from enforcer.ledger.tables import (
    CALL,
    CALL_BEFORE,
    RECORD_COLUMNS,
    record_of_row,
    row_of_record,
    text_of_record,
)

FIND_AT_ONCE = 500                  # far below the 32,766 values that SQLite takes in one statement
BEFORE_SECONDS = 24 * 3600.0        # others look many times a second; a day is for one that stood still


class Row(NamedTuple):
    """A row that is there: what it says, the change that made it, and who wrote it last."""

    record: CallRecord
    born: int
    writer: int


class Written(NamedTuple):
    """One row that was written: what was there before, what was given, and what stands now."""

    before: CallRecord | None
    given: CallRecord
    now: CallRecord


_FIND = sa.select(*RECORD_COLUMNS, CALL.c.born, CALL.c.writer).where(
    CALL.c.call_id.in_(sa.bindparam("call_ids", expanding=True))
)
_INSERT = insert(CALL)
# As text, for rows as tuples: naming the values of each row costs more than writing it.
_WRITE = str(_INSERT.on_conflict_do_update(
    index_elements=[CALL.c.call_id],
    set_={
        column.name: _INSERT.excluded[column.name]
        for column in CALL.c if column.name not in ("call_id", "born")
    },
).compile(dialect=dialect.dialect()))


def find(connection: sa.Connection, call_ids: Iterable[str]) -> dict[str, Row]:
    """The rows of these calls that there are."""
    found = {}
    left = iter(call_ids)
    while some := list(islice(left, FIND_AT_ONCE)):
        for row in connection.execute(_FIND, {"call_ids": some}):
            found[row[0]] = Row(record_of_row(row), *row[-2:])
    return found


def write(
    connection: sa.Connection,
    records: Sequence[CallRecord],
    writer: int,
    at: float,
    there: Mapping[str, Row] | None = None,
) -> list[Written]:
    """Write records, each joined with the row that is there. A row that says it all is left alone.

    `there` is what `find` gave for them just now, where it was asked already; no call comes twice.
    What a row said of a finished call is kept beside it, for those who have counted it already.
    """
    if there is None:
        there = find(connection, (record.call_id for record in records))
    written = []
    changed: list[tuple[CallRecord, Row | None]] = []
    for record in records:
        found = there.get(record.call_id)
        old = None if found is None else found.record
        now = record if old is None else joined(record, old)
        if now != old:
            changed.append((now, found))
        if now != old or now != record:
            written.append(Written(old, record, now))
    if not changed:
        return written
    first = take_marks(connection, "call", len(changed)) - len(changed) + 1
    rows = []
    before = []
    for change, (now, found) in enumerate(changed, first):
        rows.append(row_of_record(now, change if found is None else found.born, change, writer))
        if found is not None and not found.record.live:
            before.append({
                "change": change, "at": at, "call_id": now.call_id,
                "body": text_of_record(found.record), "writer": found.writer,
            })
    connection.exec_driver_sql(_WRITE, rows)
    if before:
        connection.execute(sa.delete(CALL_BEFORE).where(CALL_BEFORE.c.at < at - BEFORE_SECONDS))
        connection.execute(sa.insert(CALL_BEFORE), before)
    return written
