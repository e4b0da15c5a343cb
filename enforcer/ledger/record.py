"""What a ledger on a disk has on record: the journal, the chain, and the book of charges.

In: entries, claims. Out: rows, each sealed onto the chain; entries back; proofs.
Refuses to know: calls, and the counters in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from enforcer.domain.chain import Cut, Fault, Head, Link, What
from enforcer.domain.charge import Claim, Entry
from enforcer.domain.journal import JournalEntry, Kind
from enforcer.domain.registers import Registers
from enforcer.ledger import charge_rows, journal_rows, register_rows
from enforcer.ledger.foreign import Foreign
from enforcer.ledger.mirrors import MIRRORED, Tables, contradictions
from enforcer.ledger.port import Proof
from enforcer.ledger.store import Store
from enforcer.ledger.tables import ACCOUNT, DECISION, MARK, TOLD
from enforcer.ledger.writer import Writer

Connected = Callable[[], AbstractContextManager[sa.Connection]]


class Record:
    """See the port's `Journal` and `Charges`. `settled` gives a connection that sees everything written so
    far, `writing` one that alone may write; `registers` follow from the journal; `lot` is the number by which
    this process knows its own rows."""

    def __init__(
        self, store: Store, settled: Connected, writing: Connected, writer: Writer, foreign: Foreign,
        registers: Registers, lot: int,
    ) -> None:
        self._store = store
        self._settled = settled
        self._writing = writing
        self._writer = writer
        self._foreign = foreign
        self._registers = registers
        self._lot = lot
        self._learned = False       # whether the journal was read

    def charges(self, customer: str = "", cycle: str = "") -> list[Entry]:
        """Entries in the order they were written; of one customer and one cycle where given."""
        with self._store.reading() as connection:
            return charge_rows.find(connection, customer, cycle)

    def charge(self, claims: Sequence[Claim], at: float) -> list[Entry]:
        """Write what is missing for the entries to add up to these claims. Raises LedgerError."""
        with self._writing() as connection:
            return charge_rows.write(connection, claims, self._lot, at)

    @property
    def registers(self) -> Registers:
        """What follows from the journal, as it stands now."""
        self.learn()
        return self._registers

    def learn(self) -> None:
        """The journal is read when somebody first wants to know what follows from it."""
        if not self._learned:
            with self._store.reading() as connection:
                self._foreign.learn(connection)
            self._learned = True

    def note(self, entry: JournalEntry) -> None:
        """Put on record: known at once, written later."""
        self.registers.fold([entry])
        self._writer.note(entry)

    def written(self) -> None:
        """Wait until everything noted so far is durable; any thread may. Raises LedgerError."""
        self._writer.flush()

    def put(self, entries: Sequence[JournalEntry]) -> list[JournalEntry]:
        """Put on record, durable when this returns. Raises LedgerError; then nothing was taken."""
        self.learn()
        with self._writing() as connection:
            written = journal_rows.append(connection, entries, self._lot)
        self._registers.fold(written)
        return written

    def journal(
        self, kinds: Collection[Kind] = (), customer: str = "", account: str = "", ref: str = ""
    ) -> Iterator[JournalEntry]:
        """Entries in their order: of these kinds, of one customer, account or thing, where given."""
        with self._settled() as connection:
            yield from journal_rows.find(connection, kinds, customer, account, ref)

    def head(self) -> Head:
        """The end of the chain as far as it is written. Raises LedgerError."""
        with self._store.reading() as connection:
            return journal_rows.head(connection)

    def tell(self) -> Head:
        """The end of the chain, for somebody to note elsewhere. Raises LedgerError."""
        with self._writing() as connection:
            found = journal_rows.head(connection)
            if found.link:
                connection.execute(insert(TOLD).values(link=found.link).on_conflict_do_nothing())
        return found

    def chain(self) -> Iterator[Link | Cut]:
        """The chain in its order: decisions and journal entries, each with its seal; cuts where some went."""
        over = 0
        with self._settled() as connection:
            for one in journal_rows.chain(connection):
                if isinstance(one, Cut) or one.number > over:
                    over = one.last if isinstance(one, Cut) else over
                    yield one

    def prove(self, noted: Head | None = None) -> Proof:
        """Follow the chain from its beginning to its end. Raises LedgerError where it can't be read."""
        with self._settled() as connection:
            return journal_rows.prove(connection, noted)

    def contradictions(self) -> list[Fault]:
        """Where accounts, customers, modes, charges or decisions say otherwise than the journal does."""
        with self._settled() as connection:
            marks = {row[0]: row[1] for row in connection.execute(sa.select(MARK.c.name, MARK.c.value))}
            older = connection.execute(
                sa.select(ACCOUNT.c.id).where(ACCOUNT.c.change <= marks.get("account unsealed", 0))
            )
            found = contradictions(
                journal_rows.find(connection, MIRRORED),
                Tables(
                    register_rows.accounts(connection), register_rows.customers(connection),
                    register_rows.modes(connection, marks.get("mode unsealed", 0)),
                    charge_rows.find(connection, since=marks.get("charge unsealed", 0)),
                ),
                frozenset(older.scalars()),
            )
            loose = connection.execute(
                sa.select(sa.func.count()).select_from(DECISION).where(DECISION.c.link == 0)
            ).scalar_one()
        known = marks.get("decision unsealed", 0)
        if loose != known:
            found.append(Fault(
                What.TABLE, f"{loose} decisions stand outside the chain; there were {known} when it began",
                kind="decision",
            ))
        return found
