"""Whether anything changed of an account that somebody looks at: a value to compare, without looking it up.

In: accounts that something was told of, what is put on record, the numbers and modes of now. Out: for an
account a beat; as long as two are equal, nobody has to look again. Refuses to know: what changed, and who
looks.

Everything comes from memory: calls are decided in the same loop.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager

from enforcer.domain.journal import JournalEntry, Kind
from enforcer.domain.mode import Modes
from enforcer.ledger.port import Ledger

# What everybody's page may say something else about from then on.
FOR_ALL = frozenset({Kind.POLICY})


class Pulse:
    """See the module. `modes` are those in force. Accounts that nobody looks at are not remembered."""

    def __init__(self, ledger: Ledger, modes: Callable[[], Modes]) -> None:
        self._ledger = ledger
        self._modes = modes
        self._lookers: dict[str, int] = {}
        self._told: dict[str, int] = {}
        ledger.registers.on_entry.append(self._entered)

    @contextmanager
    def watched(self, account: str) -> Iterator[None]:
        """Somebody looks at an account."""
        self._lookers[account] = self._lookers.get(account, 0) + 1
        self._told.setdefault(account, 0)
        try:
            yield
        finally:
            self._lookers[account] -= 1
            if not self._lookers[account]:
                del self._lookers[account], self._told[account]

    def told(self, account: str) -> None:
        """A call or message of that account began, went on, ended, or was decided."""
        if account in self._told:
            self._told[account] += 1

    def beat(self, account: str, at: float) -> Hashable:
        """To be compared with the one before; `at` in Unix seconds."""
        ledger = self._ledger
        seats = tuple(
            (seat.rule.spec.id, seat.rule.standing(seat.tally, at), seat.rule.look(seat, at) is not None)
            for seat in ledger.seats(account, at)
        )
        settings = tuple(one for one in self._modes().settings(at) if one.account in ("", account))
        return self._told.get(account, 0), seats, settings, ledger.account(account)

    def _entered(self, entry: JournalEntry) -> None:
        if not self._told:
            return
        for account in self._told:
            customer = self._ledger.account(account).customer
            if entry.kind in FOR_ALL or entry.account == account or (
                not entry.account and entry.customer == customer
            ):
                self._told[account] += 1
