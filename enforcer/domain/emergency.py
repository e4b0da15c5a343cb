"""After an emergency call: for how long whoever calls that account is exempt, and whom it may call back.

In: entries of the journal, each an emergency call and the end of its window; who called meanwhile.
Out: whether an attempt is a call back. Refuses to know: which numbers are emergency numbers, how long a
window is, and the clock.

A call-back by a public safety answering point (PSAP) comes from a number that nobody knows beforehand, so
that every call to the account may be it: RFC 7090 tells why its number proves nothing, and why what marks
such a call (`Priority: psap-callback`) may be trusted within one network only. What is exempt outbound are
the redials: emergency numbers at any time, and whoever called within the window, for that call may not have
been answered.
"""

from __future__ import annotations

from itertools import islice
from typing import NamedTuple

from enforcer.domain.call import CallAttempt, Direction
from enforcer.domain.journal import JournalEntry, Kind

MOST_WINDOWS = 10_000   # remembered, also after their end; more in one hour is a catastrophe
CLOCKS_APART = 86_400   # s by which a switch's clock, or ours, may be behind the one that told of the call
# Who called is remembered so that nobody can make us forget who called before: not by calling an account from
# many numbers (10,000 different ones in an hour are three a second, more than a call centre sees), nor by
# calling many accounts: then whichever account has most makes room, and one that was called from ten numbers
# (all, by windows) never does. Full it is some 16 MB.
MOST_CALLERS = 10_000       # for one account; the newest are kept, for a PSAP calls after the emergency call
MOST_CALLERS_IN_ALL = 100_000


class Window(NamedTuple):
    """From an emergency call on, until then (Unix seconds); `callers` are the numbers that called, E.164, the
    latest last."""

    at: float
    until: float
    callers: dict[str, None]


class Windows:
    """Those of all accounts. A later entry lengthens a window, none shortens it: neither does a clock that
    goes wrong, by which a window of somebody else's would be over, or not have begun."""

    def __init__(self) -> None:
        self._windows: dict[str, Window] = {}       # in the order of their latest entries
        self._callers = 0                           # of all

    def take(self, entry: JournalEntry) -> None:
        """An emergency call began or ended. Of too many windows the one that was opened, or lengthened, the
        longest ago is forgotten. (By order, not by their ends: a look at all for each of a year's entries
        would make a start last minutes.)"""
        until = float(entry.body["until"])
        known = self._windows.pop(entry.account, None)
        if known is not None and entry.at < known.until:
            kept = Window(min(known.at, entry.at), max(known.until, until), known.callers)
        else:
            self._forget(known)
            kept = Window(entry.at, until, {})
        if len(self._windows) >= MOST_WINDOWS:
            self._forget(self._windows.pop(next(iter(self._windows))))
        self._windows[entry.account] = kept

    def of(self, account: str) -> Window | None:
        """The account's window, the latest, whether it is open or not."""
        return self._windows.get(account)

    def until(self, account: str, at: float) -> float:
        """When the account's window ends, 0 where none is open at `at`."""
        one = self._windows.get(account)
        return one.until if one is not None and one.at - CLOCKS_APART <= at < one.until else 0.0

    def open(self, at: float) -> list[tuple[str, Window]]:
        """Each account whose window is open at `at`, and the window."""
        return [(account, one) for account, one in self._windows.items() if self.until(account, at)]

    def called_by(self, account: str, caller: str) -> None:
        """Somebody called an account whose window is open."""
        callers = self._windows[account].callers
        if not caller:
            return
        self._callers += caller not in callers
        callers.pop(caller, None)
        callers[caller] = None
        if len(callers) > MOST_CALLERS:
            self._drop(callers, 1)
        elif self._callers > MOST_CALLERS_IN_ALL:
            most = max((one.callers for one in self._windows.values()), key=len)
            self._drop(most, (len(most) + 1) // 2)      # half of them, so that this is not looked for often

    def holds(self, attempt: CallAttempt, account: str, number: str, at: float) -> bool:
        """Whether the attempt, to a `number` (E.164), is a call back: to the account, or by it to somebody
        who called within its window, as it is at `at`."""
        if not self.until(account, at):
            return False
        if attempt.direction is Direction.OUTBOUND:
            return number in self._windows[account].callers
        return attempt.direction is Direction.INBOUND

    def _drop(self, callers: dict[str, None], how_many: int) -> None:
        for caller in list(islice(callers, how_many)):
            del callers[caller]
        self._callers -= how_many

    def _forget(self, window: Window | None) -> None:
        if window is not None:
            self._callers -= len(window.callers)


def entry_of(call_id: str, customer: str, account: str, at: float, until: float) -> JournalEntry:
    """What is put on record of an emergency call."""
    return JournalEntry(Kind.EMERGENCY, at, call_id, customer, account, {"until": until})
