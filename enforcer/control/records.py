"""What people put on record, told to everybody who watches, by whichever door it came.

In: entries of the journal, as they become known here. Out: happenings of the kind "record". Refuses to know:
doors, and what follows from an entry.

An account that was changed at a door of the enforcer itself is told as an order; what the command line
changed is told here.
"""

from __future__ import annotations

from enforcer.control.feed import Feed
from enforcer.domain.journal import JournalEntry, Kind

TOLD = frozenset({
    Kind.OPT_OUT, Kind.OPT_IN, Kind.STRIKE, Kind.PARDON, Kind.ACCOUNT, Kind.CUSTOMER, Kind.HOLD,
})
MOST = 50               # between two looks: a list that somebody imports is not told line by line


class Records:
    """See the module. `rest` is called now and then: what comes after it is told again."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._some = 0

    def rest(self) -> None:
        """A while has passed."""
        self._some = 0

    def entered(self, entry: JournalEntry) -> None:
        """Something was put on record. Of very many at once the last that is told says "more"."""
        if entry.kind not in TOLD:
            return
        self._some += 1
        if self._some > MOST:
            return
        self._feed.tell("record", entry.at, {
            "record": entry.kind.value if self._some < MOST else "more", "ref": entry.ref,
            "customer": entry.customer or None, "account": entry.account or None,
            "standing": entry.body.get("standing"), "who": entry.body.get("who") or None,
            "link": entry.link or None,
        })
