"""Callers nobody registered, as far as they have books: so many at most; who was silent longest goes.

In: the names by which calls come, people's modes. Out: who is to make room.
Refuses to know: what a book counts, and how it is made again when somebody comes back.

Where the account of a call is what its caller says it is, millions of names may come in a night, each once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable

# Callers without registration that have books: some 10 KB each with nine rules while they call. Registered
# accounts all have theirs. What a book that made room had counted is in the ledger, and is counted again when
# its caller comes back.
MOST_STRANGERS = 30_000


class Strangers:
    """See the module. `gone`: some made room since the books were begun, so that a name that is new here may
    have calls in the ledger."""

    def __init__(self) -> None:
        self.gone = False
        self._by_silence: OrderedDict[str, None] = OrderedDict()
        self._named: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self._by_silence)

    def clear(self) -> None:
        """There are no books."""
        self.gone = False
        self._by_silence.clear()

    def name(self, accounts: Iterable[str]) -> None:
        """People set a mode for each of these: they stay."""
        self._named = frozenset(accounts)

    def enter(self, account: str) -> None:
        """It has books now."""
        self._by_silence[account] = None

    def heard(self, account: str) -> None:
        """Somebody asked about it just now."""
        if account in self._by_silence:
            self._by_silence.move_to_end(account)

    def leave(self, account: str) -> None:
        """It is registered now, or has no books any more."""
        self._by_silence.pop(account, None)

    def make_room(self, busy: Callable[[str], bool]) -> list[str]:
        """Who has to let go of its books: nobody with calls in progress (`busy`) or a mode of its own."""
        gone = []
        for _ in range(2):      # two for one: those that must stay do not add up
            if len(self._by_silence) <= MOST_STRANGERS:
                break
            account, _ = self._by_silence.popitem(last=False)
            if account in self._named or busy(account):
                self._by_silence[account] = None
            else:
                gone.append(account)
        self.gone = self.gone or bool(gone)
        return gone
