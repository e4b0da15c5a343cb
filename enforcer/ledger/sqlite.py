"""The ledger on a disk: SQLite, one file, many processes.

In: events and what people enter. Out: every answer the port promises; the hot path from memory, the
rest from rows. What another process writes (the command line, beside the daemon) is taken over.
Refuses to know: how rows are written (`writer`), and how the database adds up (`adding`).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from enforcer.domain.account import Account
from enforcer.domain.call import CallEvent, CallRecord, NumberClass, Refusal
from enforcer.domain.charge import Claim, Entry
from enforcer.domain.cycle import Span
from enforcer.domain.decision import Decision
from enforcer.domain.mode import ModeSetting
from enforcer.domain.policy import Policy
from enforcer.domain.usage import Measure, Scope, Tally
from enforcer.errors import LedgerError
from enforcer.ledger import charge_rows
from enforcer.ledger.adding import derived, derived_of_all, load
from enforcer.ledger.books import Books
from enforcer.ledger.call_rows import find, write
from enforcer.ledger.foreign import Foreign
from enforcer.ledger.port import Absorbed, Mismatch
from enforcer.ledger.store import Store, statement, take_marks
from enforcer.ledger.tables import (
    ACCOUNT,
    CALL,
    DECISION,
    MODE_SETTING,
    RECORD_COLUMNS,
    decision_of_text,
    mode_of_row,
    record_of_row,
    row_of_account,
    row_of_mode,
)
from enforcer.ledger.verifying import differences
from enforcer.ledger.writer import Writer

ROWS_AT_ONCE = 1000     # rows fetched at a time where many are streamed: memory stays flat
_RECALL = statement("recall")


class SqliteLedger:
    """See the port. `classify` gives the class of a number, `clock` Unix seconds; `patience` is how
    long (seconds) a write waits for another process before it is given up or tried again later.

    Raises LedgerError naming the file where it can't be opened. Owned by one thread.
    """

    def __init__(
        self,
        path: Path,
        classify: Callable[[str], NumberClass],
        clock: Callable[[], float],
        patience: float = 5.0,
    ) -> None:
        self._clock = clock
        self._store = Store(path, patience)
        self._lot = secrets.randbits(48)
        self._writer = Writer(self._store, self._lot, clock)
        self._books = Books(classify, self._recall, clock, self._derive)
        self._foreign = Foreign(self._store, self._books, self._lot)
        self._trouble = ""
        self._still: sa.Connection | None = None
        self._lost = 0
        self._in_use = False        # until then nobody asks for counters, and nobody keeps them
        self.account = self._books.account
        self.live = self._books.live
        self.seats = self._books.seats
        with self._store.reading() as connection:
            self._foreign.begin(connection)

    @property
    def degraded(self) -> str:
        """What is wrong just now, in words; "" nothing."""
        return self._writer.degraded or self._trouble

    @property
    def overflow(self) -> int:
        """Rows that found no room while the disk refused them, and rows no disk would take."""
        return self._writer.overflow + self._writer.unwritable

    # Counting ------------------------------------------------------------------------------------

    def apply(self, event: CallEvent) -> CallRecord | None:
        """Count what the event adds; the call's record, or None where it told nothing new."""
        record = self._books.apply(event)
        if record is not None:
            self._writer.put(record)
        return record

    def refuse(self, call_id: str, refusal: Refusal) -> None:
        """The call was kept from being set up by us: it leaves every ratio and sum."""
        record = self._books.refuse(call_id, refusal)
        if record is not None:
            self._writer.put(record)

    def keep(self, decision: Decision) -> None:
        """Remember a decision; written later."""
        self._writer.keep(decision)

    def _recall(self, call_id: str) -> CallRecord | None:
        """An old call, from what is on its way to the disk or from the disk itself."""
        found = self._writer.find(call_id)
        if found is not None:
            return found
        try:
            rows = self._store.look(_RECALL, {"call_id": call_id})
        except LedgerError as problem:
            self._trouble = str(problem)    # counted as a new call; a restart puts it right
            return None
        return record_of_row(rows[0]) if rows else None

    # Register ------------------------------------------------------------------------------------

    def accounts(self, customer: str = "") -> list[Account]:
        """All registered accounts, by id."""
        return sorted(
            (a for a in self._books.accounts.values() if not customer or a.customer == customer),
            key=lambda account: account.id,
        )

    def put_accounts(self, accounts: Iterable[Account]) -> None:
        """Register or change accounts, all or none. Raises LedgerError."""
        rows = [row_of_account(account) for account in accounts]
        self.flush()
        new = insert(ACCOUNT)
        with self._store.guarded(), self._store.writing() as connection:
            if not rows:
                return      # but that writing is possible has been tried
            change = take_marks(connection, "account", 1)
            connection.execute(
                new.on_conflict_do_update(
                    index_elements=[ACCOUNT.c.id],
                    set_={c.name: new.excluded[c.name] for c in ACCOUNT.c if c.name != "id"},
                ),
                [row | {"change": change} for row in rows],
            )
        with self._caught_up():
            pass

    def modes(self) -> list[ModeSetting]:
        """Every mode setting ever made, the oldest first."""
        with self._store.reading() as connection:
            rows = connection.execute(sa.select(MODE_SETTING).order_by(MODE_SETTING.c.change)).mappings()
            return [mode_of_row(row) for row in rows]

    def put_mode(self, setting: ModeSetting) -> None:
        """Record a mode setting. Raises LedgerError."""
        with self._store.guarded(), self._store.writing() as connection:
            change = take_marks(connection, "mode", 1)
            row = row_of_mode(setting) | {"change": change, "writer": self._lot}
            connection.execute(sa.insert(MODE_SETTING), row)

    # Archive -------------------------------------------------------------------------------------

    def calls(self, account_id: str = "", span: Span | None = None) -> Iterator[CallRecord]:
        """Records by start time, of one account and one cycle where given."""
        query = sa.select(*RECORD_COLUMNS).order_by(CALL.c.started_at, CALL.c.call_id)
        if account_id:
            query = query.where(CALL.c.account == account_id)
        if span is not None:
            query = query.where(CALL.c.started_at >= span.start, CALL.c.started_at < span.end)
        self._settle()
        with self._store.reading() as connection:
            for row in connection.execution_options(yield_per=ROWS_AT_ONCE).execute(query):
                yield record_of_row(row)

    def call(self, call_id: str) -> CallRecord | None:
        """One record; the id may come without its "<switch>/" where that is unambiguous."""
        self._settle()
        query = sa.select(*RECORD_COLUMNS)
        if "/" in call_id:
            query = query.where(CALL.c.call_id == call_id)
        else:
            query = query.where(CALL.c.call_id.endswith(f"/{call_id}", autoescape=True))
        with self._store.reading() as connection:
            found = [record_of_row(row) for row in connection.execute(query.limit(2))]
        return found[0] if len(found) == 1 else None

    def decisions(self, account_id: str = "", call_id: str = "", limit: int = 50) -> list[Decision]:
        """Decisions, the newest first."""
        query = sa.select(DECISION.c.body).order_by(DECISION.c.at.desc(), DECISION.c.decision_id.desc())
        if account_id:
            query = query.where(DECISION.c.account == account_id)
        if call_id:
            query = query.where(DECISION.c.call_id == call_id)
        return self._decisions(query.limit(limit))

    def decision(self, decision_id: str) -> Decision | None:
        """One decision."""
        found = self._decisions(sa.select(DECISION.c.body).where(DECISION.c.decision_id == decision_id))
        return found[0] if found else None

    def _decisions(self, query: sa.Select[Any]) -> list[Decision]:
        self._settle()
        with self._store.reading() as connection:
            return [decision_of_text(row[0]) for row in connection.execute(query)]

    def derive(self, scope: Scope, key: str, measure: Measure, span: Span) -> Tally:
        """The tally of one account or customer in any cycle, from nothing but its records."""
        self._settle()
        with self._store.reading() as connection:
            return derived(connection, scope, key, measure, span)

    def derive_all(self, scope: Scope, measure: Measure, span: Span) -> dict[str, Tally]:
        """The same for every account or customer that has calls there: one question for all of them."""
        self._settle()
        with self._store.reading() as connection:
            return derived_of_all(connection, scope, measure, span)

    def callers(self, span: Span) -> list[tuple[str, str]]:
        """Each account with a call that started in a cycle, and the customer it was counted for then."""
        query = (
            sa.select(CALL.c.account, CALL.c.customer).distinct()
            .where(CALL.c.account != "", CALL.c.started_at >= span.start, CALL.c.started_at < span.end)
            .order_by(CALL.c.account, CALL.c.customer)
        )
        self._settle()
        with self._store.reading() as connection:
            return [(account, customer) for account, customer in connection.execute(query)]

    def absorb(self, events: Sequence[CallEvent]) -> Absorbed:
        """Take in many events at once, straight to the store. Raises LedgerError; then none was taken."""
        books = self._books
        self.flush()
        with self._store.guarded(), self._store.writing() as connection:
            if self._in_use:
                self._foreign.take_calls(connection)
            there = find(connection, {event.attempt.call_id for event in events})
            records: dict[str, CallRecord] = {}
            unchanged = 0
            for event in events:
                call_id = event.attempt.call_id
                known = records.get(call_id) or (there[call_id].record if call_id in there else None)
                record = books.told(known, event)
                unchanged += record == known
                records[call_id] = record
            written = write(connection, list(records.values()), self._lot, self._clock(), there)
        for one in written:
            if self._in_use or books.known(one.now.call_id) is not None:
                books.take(one.now, one.before)
        new = sum(1 for one in written if one.before is None)
        return Absorbed(new, len(events) - new - unchanged, unchanged)

    def verify(self) -> list[Mismatch]:
        """Compare every counter with the rows it stands for, every row with itself, and the file.

        Raises LedgerError where the file is damaged or can't be brought up to date."""
        self._store.sound()
        with self._caught_up() as connection:
            return differences(connection, self._books)

    # Charges -------------------------------------------------------------------------------------

    def charges(self, customer: str = "", cycle: str = "") -> list[Entry]:
        """Entries in the order they were written; of one customer and one cycle where given."""
        with self._store.reading() as connection:
            return charge_rows.find(connection, customer, cycle)

    def charge(self, claims: Sequence[Claim], at: float) -> list[Entry]:
        """Write what is missing for the entries to add up to these claims. Raises LedgerError."""
        with self._store.guarded(), self._store.writing() as connection:
            return charge_rows.write(connection, claims, at)

    # Beginning and end ---------------------------------------------------------------------------

    def use(self, policy: Policy) -> None:
        """Count for this policy from now on; tallies are derived anew from the records. Raises
        LedgerError; while the disk refuses what waits, the policy before stays in force."""
        self.flush()
        with self._store.reading() as connection:
            self._foreign.begin(connection)
            load(connection, self._books, policy, self._clock())
        self._in_use = True
        self._writer.changed.clear()

    def changed_elsewhere(self) -> bool:
        """Whether another process wrote since we last looked, and take over what it wrote."""
        try:
            self._correct()
            news = self._foreign.look()
            if news.accounts or self._books.stale:
                with self._caught_up():
                    pass
            if self._writer.overflow != self._lost and not self._writer.waiting:
                lost = self._writer.overflow
                self.use(self._books.policy)    # counters say what the records say, and no more
                self._lost = lost
        except LedgerError as problem:
            self._foreign.look_again()
            self._trouble = str(problem)
            return False
        self._trouble = ""
        return any(news)

    def flush(self) -> None:
        """Write everything kept so far; returns when it is durable. Raises LedgerError."""
        self._writer.flush()
        self._correct()

    def close(self) -> None:
        """Flush and let go. Raises LedgerError."""
        try:
            self._writer.close()
        finally:
            self._foreign.close()
            self._store.close()

    def _settle(self) -> None:
        """Flush if that can be done; while the disk refuses, the past is told as far as it is there."""
        try:
            self.flush()
        except LedgerError as problem:
            self._trouble = str(problem)

    def _correct(self) -> None:
        """Count what other hands had written about calls that we wrote as well."""
        while self._writer.changed:
            one = self._writer.changed.popleft()
            self._books.take(one.now, one.given)

    @contextmanager
    def _caught_up(self) -> Iterator[sa.Connection]:
        """One state of the file, with all of which the books agree. Raises LedgerError."""
        self.flush()
        with self._store.reading() as connection:
            self._foreign.take_calls(connection)
            self._foreign.take_accounts(connection)
            self._still = connection
            try:
                self._books.refresh()
            finally:
                self._still = None
            yield connection

    def _derive(self, scope: Scope, key: str, measure: Measure, span: Span) -> Tally:
        """For stale books, while they catch up."""
        assert self._still is not None
        return derived(self._still, scope, key, measure, span)
