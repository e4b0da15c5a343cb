"""What other processes wrote into the same file, taken over into our books.

In: a store that others write to. Out: changed books, and word of what is new. Every version of a row
has a number that only rises, so that "since we last looked" is one comparison.
Refuses to know: what others are, and our own writing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

import sqlalchemy as sa

from enforcer.domain.journal import JournalEntry
from enforcer.domain.registers import FOLDED
from enforcer.errors import LedgerError
from enforcer.ledger import journal_rows
from enforcer.ledger.books import Books
from enforcer.ledger.store import Store, statement
from enforcer.ledger.tables import ACCOUNT, MARK, account_of_row, record_of_row, record_of_text

# About 2 ms of the event loop; 50 looks a second, while there is something, take over 4,000 calls a second.
CALLS_AT_ONCE = 80


class News(NamedTuple):
    """What others wrote."""

    accounts: bool = False
    modes: bool = False
    calls: bool = False
    journal: bool = False


# Asked many times a second by the event loop itself: as text, for the plainest of connections.
_MARKS = statement("marks")
_MODES = statement("modes_since")
_CALLS = statement("calls_since")
_BEFORE = statement("call_before")
_JOURNAL = statement("journal_since")


class Foreign:
    """See the module. `lot` is the number by which we know our own rows.

    Calls are taken over from one state of the file at a time, in as many looks as it needs: so each
    row is met once, and what the books count for it is known: what they remember, or what it said
    when the last state was done (`_done`), or what we wrote ourselves since.
    """

    def __init__(self, store: Store, books: Books, lot: int) -> None:
        self._store = store
        self._books = books
        self._lot = lot
        self._reader = store.connect()
        self._version = -1
        self._accounts = self._modes = 0    # the marks up to which we know these
        self._link: int | None = None       # the link up to which we know the journal; None: nothing of it
        self._done = 0                      # the mark up to which all calls are taken over
        self._at = self._top = 0            # how far we are in the state at hand, and where it ends
        self._states = 0                    # how many states were taken over to their end

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()

    def begin(self, connection: sa.Connection) -> None:
        """The books are about to be loaded from what this connection sees; accounts are, here."""
        marks = {row[0]: row[1] for row in connection.execute(sa.select(MARK.c.name, MARK.c.value))}
        self._reader.rollback()
        self.take_accounts(connection)
        self._modes = marks["mode"]
        self._done = self._at = self._top = marks["call"]
        self._version = -1

    def look(self) -> News:
        """Take over some calls, and tell what else is new. Raises LedgerError."""
        with self._store.guarded():
            modes = accounts = journal = False
            if not self._reader.in_transaction:
                version = self._store.version()
                if version == self._version:
                    self._states += 1
                    return News()
                self._reader.execute("BEGIN")
                marks = dict(self._reader.execute(_MARKS).fetchall())
                self._version = version
                self._top = marks["call"]
                accounts = marks["account"] > self._accounts
                if marks["mode"] > self._modes:
                    since = {"seen": self._modes, "lot": self._lot}
                    modes = bool(self._reader.execute(_MODES, since).fetchall())
                    self._modes = marks["mode"]
                if self._link is not None and marks["chain"] > self._link:
                    journal = self._take_journal(self._reader)
                    self._link = marks["chain"]
            calls = self._take_some(self._reader)
            if self._at == self._top:
                self._reader.rollback()
                self._states += 1
        return News(accounts, modes, calls > 0, journal)

    def taken_over(self) -> int:
        """How many times all that others had written was taken over."""
        return self._states

    def learn(self, connection: sa.Connection) -> None:
        """Read the whole journal, whoever wrote it, for what follows from it. Raises LedgerError where
        somebody edited it so that nothing does."""
        self._link = journal_rows.head(connection).link
        self._fold(journal_rows.find(connection, FOLDED))

    def look_again(self) -> None:
        """What the last look told could not be dealt with."""
        self._version = -1

    def take_calls(self, connection: sa.Connection) -> None:
        """Take over all calls that this connection sees."""
        while self._reader.in_transaction:      # the state at hand is an older one: it comes first
            self._take_some(self._reader)
            if self._at == self._top:
                self._reader.rollback()
        self._top = connection.execute(sa.select(MARK.c.value).where(MARK.c.name == "call")).scalar_one()
        raw = connection.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)
        while self._at < self._top:
            self._take_some(raw)

    def take_accounts(self, connection: sa.Connection) -> bool:
        """Take over all accounts that this connection sees; whether any is new or changed."""
        top = connection.execute(sa.select(MARK.c.value).where(MARK.c.name == "account")).scalar_one()
        rows = connection.execute(sa.select(ACCOUNT).where(ACCOUNT.c.change > self._accounts)).mappings()
        changed = self._books.register([account_of_row(row) for row in rows])
        self._accounts = top
        return bool(changed)

    def _take_journal(self, raw: sqlite3.Connection) -> bool:
        """Learn what others put on record; whether there was anything."""
        rows = raw.execute(_JOURNAL, {"seen": self._link, "lot": self._lot}).fetchall()
        self._fold(journal_rows.entry_of(row) for row in rows)
        return bool(rows)

    def _fold(self, entries: Iterable[JournalEntry]) -> None:
        for entry in entries:
            try:
                self._books.registers.fold([entry])
            except (LookupError, TypeError, ValueError, AttributeError):
                told = f"link {entry.link} of the journal ({entry.kind} {entry.ref})"
                raise LedgerError(f"{told} says nothing that can be: see `enforcer verify`") from None

    def _take_some(self, raw: sqlite3.Connection) -> int:
        """Take over the next calls of the state that `raw` sees; how many there were."""
        bounds = {"at": self._at, "top": self._top, "lot": self._lot, "most": CALLS_AT_ONCE}
        rows = raw.execute(_CALLS, bounds).fetchall()
        for row in rows:
            born, self._at = row[-2:]
            record = record_of_row(row)
            counted = None
            if self._books.known(record.call_id) is None:
                which = {"call_id": record.call_id, "born": born, "done": self._done, "lot": self._lot}
                before = raw.execute(_BEFORE, which).fetchone()
                counted = None if before is None else record_of_text(before[0])
            self._books.take(record, counted)
        if len(rows) < CALLS_AT_ONCE:
            self._done = self._at = self._top
        return len(rows)
