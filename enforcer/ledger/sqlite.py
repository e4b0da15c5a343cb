"""The ledger on a disk: SQLite, one file, many processes.

In: events and what people enter. Out: every answer the port promises; the hot path from memory, the
rest from rows (`past`, `record`, `register`). What another process writes (the command line, beside the
daemon) is taken over.
Refuses to know: how rows are written (`writer`, `*_rows`), and how the database adds up (`adding`).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from enforcer.domain.account import Account
from enforcer.domain.call import CallEvent, CallRecord, NumberClass, Refusal
from enforcer.domain.cycle import Span
from enforcer.domain.decision import Decision
from enforcer.domain.measure import Measure, Scope
from enforcer.domain.policy import Policy
from enforcer.domain.registers import Registers
from enforcer.domain.usage import Tally
from enforcer.errors import LedgerError
from enforcer.ledger import register_rows
from enforcer.ledger.adding import derived, load
from enforcer.ledger.books import Books
from enforcer.ledger.call_rows import find, write
from enforcer.ledger.foreign import Foreign
from enforcer.ledger.past import Past
from enforcer.ledger.port import Absorbed, Mismatch, Place
from enforcer.ledger.recalled import Recalled
from enforcer.ledger.record import Record
from enforcer.ledger.register import Register
from enforcer.ledger.sight_rows import Sights, put_place
from enforcer.ledger.store import Store
from enforcer.ledger.verifying import differences
from enforcer.ledger.writer import Writer

RETURNED_AT_ONCE = 50       # books that are counted again from the disk in one look: some 20 ms


class SqliteLedger:
    """See the port. `classify` gives the class of a number, `canonical` the number as E.164, `clock` Unix
    seconds; `channels` is how many calls each switch can hold; `patience` is how long (seconds) a write waits
    for another process before it is given up or tried again later.

    Raises LedgerError naming the file where it can't be opened. Owned by one thread.
    """

    def __init__(
        self,
        path: Path,
        classify: Callable[[str], NumberClass],
        clock: Callable[[], float],
        patience: float = 5.0,
        canonical: Callable[[str], str] = str,
        channels: Mapping[str, int] | None = None,
    ) -> None:
        self._clock = clock
        self._store = Store(path, patience)
        self._lot = secrets.randbits(48)
        self._writer = Writer(self._store, self._lot, clock)
        recalled = Recalled(self._store, self._writer, partial(setattr, self, "_trouble"))
        self._books = Books(
            classify, recalled.call, clock, self._derive, canonical, channels, recalled.stored
        )
        self._foreign = Foreign(self._store, self._books, self._lot)
        self.taken_over = self._foreign.taken_over
        self._trouble, self._lost = "", 0
        self._still: sa.Connection | None = None
        self._due = False           # whether books of callers that came back are looked at
        self._in_use = False        # until then nobody asks for counters, and nobody keeps them
        self.account, self.seats = self._books.account, self._books.seats
        self.counted_accounts = self._books.counted_accounts
        self.live, self.backlog = self._books.live, self._writer.backlog
        register = Register(self._store, self._writing, self._lot, clock, self._books.strangers.name)
        self.customers, self.put_customers = register.customers, register.put_customers
        self.modes, self.put_mode = register.modes, register.put_mode
        sights = Sights(self._store)
        self.sights, self.keep_sight, self.places = sights.sights, sights.keep_sight, sights.places
        past = Past(self._settled, clock)
        self.calls, self.call = past.calls, past.call
        self.decisions, self.decisions_in, self.decision = past.decisions, past.decisions_in, past.decision
        self.derive, self.derive_all, self.callers = past.derive, past.derive_all, past.callers
        self.pruned_before = past.pruned_before
        record = self._record = Record(
            self._store, self._settled, self._writing, self._writer, self._foreign, self._books.registers,
            self._lot,
        )
        self.charges, self.charge = record.charges, record.charge
        self.note, self.put, self.journal = record.note, record.put, record.journal
        self.written, self.head, self.tell = record.written, record.head, record.tell
        self.on_written = self._store.on_written
        self.chain, self.prove = record.chain, record.prove
        self.contradictions = record.contradictions
        with self._store.reading() as connection:
            self._foreign.begin(connection)

    @property
    def degraded(self) -> str:
        """What is wrong just now; "" nothing."""
        return self._writer.degraded or self._trouble

    @property
    def overflow(self) -> int:
        """Rows that found no room while the disk refused them, and rows no disk would take."""
        return self._writer.overflow + self._writer.unwritable

    # Counting ------------------------------------------------------------------------------------

    def apply(self, event: CallEvent) -> CallRecord | None:
        """Count what the event adds; the call's record, or None where it told nothing new."""
        return self._changed(self._books.apply(event))

    def refuse(self, call_id: str, refusal: Refusal) -> None:
        """The call was kept from being set up by us: it leaves every ratio and sum."""
        self._changed(self._books.refuse(call_id, refusal))

    def exempt(self, call_id: str) -> None:
        """The call is one that no rule may count: it leaves every counter."""
        self._changed(self._books.exempt(call_id))

    def keep(self, decision: Decision) -> None:
        """Remember a decision; written later."""
        self._writer.keep(decision)

    def tidy(self) -> None:
        """Let go of what rolling windows have passed; callers that came back are counted at the next look."""
        self._books.tidy()
        self._due = True

    def _changed(self, record: CallRecord | None) -> CallRecord | None:
        if record is not None:
            self._writer.put(record)
        return record

    # Register ------------------------------------------------------------------------------------

    def accounts(self, customer: str = "") -> list[Account]:
        """All registered accounts, by id."""
        chosen = [a for a in self._books.accounts.values() if not customer or a.customer == customer]
        return sorted(chosen, key=lambda account: account.id)

    def put_accounts(self, accounts: Iterable[Account]) -> None:
        """Register or change accounts, all or none. Raises LedgerError."""
        some = list(accounts)
        self.flush()
        with self._writing() as connection:     # also with none: that writing is possible has then been tried
            register_rows.put_accounts(connection, some, self._lot, self._clock())
        if some:
            with self._caught_up():
                pass

    # Archive -------------------------------------------------------------------------------------

    def absorb(self, events: Sequence[CallEvent], place: Place | None = None) -> Absorbed:
        """Take in many events at once, straight to the store. Raises LedgerError; then none was taken."""
        books = self._books
        self.flush()
        with self._writing() as connection:
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
            put_place(connection, place)
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
            return differences(connection, self._books, self._clock())

    @property
    def registers(self) -> Registers:
        """What follows from the journal, as it stands now."""
        return self._record.registers

    # Beginning and end ---------------------------------------------------------------------------

    def use(self, policy: Policy) -> None:
        """Count for this policy from now on; tallies are derived anew from the records. Raises
        LedgerError; while the disk refuses what waits, the policy before stays in force."""
        self.flush()
        self._record.learn()
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
            due, self._due = self._due and bool(self._books.returned), False
            if news.accounts or self._books.stale or due:
                with self._caught_up(RETURNED_AT_ONCE):
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
    def _settled(self) -> Iterator[sa.Connection]:
        """A connection that sees everything that could be written."""
        self._settle()
        with self._store.reading() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        """A connection that alone may write. Raises LedgerError."""
        with self._store.guarded(), self._store.writing() as connection:
            yield connection

    @contextmanager
    def _caught_up(self, most: int | None = None) -> Iterator[sa.Connection]:
        """One state of the file, with all of which the books agree, but those that returned beyond so many
        at `most`. Raises LedgerError."""
        self.flush()
        with self._store.reading() as connection:
            self._foreign.take_calls(connection)
            self._foreign.take_accounts(connection)
            self._still = connection
            try:
                self._books.refresh(most)
            finally:
                self._still = None
            yield connection

    def _derive(self, scope: Scope, key: str, measure: Measure, span: Span) -> Tally:
        """For stale books, while they catch up."""
        assert self._still is not None
        return derived(self._still, scope, key, measure, span, self._clock())
