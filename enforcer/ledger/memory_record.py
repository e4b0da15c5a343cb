"""What a ledger without a disk has on record: the journal and the chain.

In: entries and decisions. Out: the same, each sealed onto the chain; entries back; proofs.
Refuses to know: calls, counters, and what people entered.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from enforcer.domain.chain import BEGINNING, Head, Link, follow, seal
from enforcer.domain.decision import Decision
from enforcer.domain.journal import JournalEntry, Kind
from enforcer.domain.registers import Registers
from enforcer.ledger.journal_rows import decision_parts
from enforcer.ledger.port import Proof
from enforcer.ledger.tables import row_of_decision


class MemoryRecord:
    """See the port's `Journal`. `registers` follow from the journal."""

    def __init__(self, registers: Registers) -> None:
        self.registers = registers
        self._chain: list[JournalEntry | Decision] = []
        self._seals: list[str] = []

    def note(self, entry: JournalEntry) -> None:
        """Put on record."""
        self.put([entry])

    def written(self) -> None:
        """Nothing to wait for."""

    def put(self, entries: Sequence[JournalEntry]) -> list[JournalEntry]:
        """Put on record; the entries as written."""
        written = []
        for entry in entries:
            link = self.seal(entry)
            written.append(entry._replace(link=link, seal=self._seals[-1]))
        self.registers.fold(written)
        return written

    def seal(self, entry: JournalEntry | Decision) -> int:
        """Put a link onto the chain, which no register follows from; its number."""
        self._seals.append(seal(self._seals[-1] if self._seals else BEGINNING, *_parts(entry)))
        self._chain.append(entry)
        return len(self._chain)

    def journal(
        self, kinds: Collection[Kind] = (), customer: str = "", account: str = "", ref: str = ""
    ) -> Iterator[JournalEntry]:
        """Entries in their order: of these kinds, of one customer, account or thing, where given."""
        for link, (entry, sealed) in enumerate(zip(self._chain, self._seals, strict=True), 1):
            if isinstance(entry, Decision) or (kinds and entry.kind not in kinds):
                continue
            wanted = ((customer, entry.customer), (account, entry.account), (ref, entry.ref))
            if all(not want or want == has for want, has in wanted):
                yield entry._replace(link=link, seal=sealed)

    def head(self) -> Head:
        """The end of the chain."""
        return Head(len(self._seals), self._seals[-1]) if self._seals else Head()

    tell = head         # nothing is pruned here

    def chain(self) -> Iterator[Link]:
        """All links in their order."""
        for number, (entry, sealed) in enumerate(zip(self._chain, self._seals, strict=True), 1):
            kind, ref = ("decision", entry.decision_id) if isinstance(entry, Decision) else (
                entry.kind.value, entry.ref,
            )
            yield Link(number, sealed, _parts(entry), kind, entry.at, ref)

    def prove(self, noted: Head | None = None) -> Proof:
        """Follow the chain from its beginning to its end."""
        sound, fault = follow(self.chain, self.head(), noted)
        return Proof(sound, self.head(), fault)


def _parts(entry: JournalEntry | Decision) -> tuple[object, ...]:
    """What a link's seal stands for: the same as on a disk."""
    return decision_parts(row_of_decision(entry)) if isinstance(entry, Decision) else entry.parts
