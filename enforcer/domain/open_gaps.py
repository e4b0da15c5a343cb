"""The gaps that nothing has filled yet: what they allow an account, and not too many of them.

In: entries of the journal about gaps, in order. Out: gaps; what decisions say of them.
Refuses to know: links, CDR files, and who fills gaps.

Where no CDRs can be followed gaps stay open until somebody imports some, and a link that is lost every few
minutes would fill memory and the page with them. So neighbours are put together: every process does so at the
same entry of the journal, and comes to the same gaps. What they allow together never becomes less.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from enforcer.domain.gap import Ended, Gap, Room, all_ended
from enforcer.domain.journal import JournalEntry

MOST_OPEN = 100         # of one switch; links ask to have the last 50 counted later
REMEMBERED = 10_000     # accounts whose words are remembered


class Gaps:
    """The gaps that are open, by when they began; of one switch `most` at the most, which is two or more."""

    def __init__(self, most: int = MOST_OPEN) -> None:
        self._most = most
        self._open: dict[str, Gap] = {}
        self._words: dict[str, str] = {}        # by account, as long as no gap changes: every decision asks

    def take(self, entry: JournalEntry) -> None:
        """A step in the life of a gap. One that is opened again, since the same moment, has become longer."""
        self._words.clear()
        body, known = entry.body, self._open.get(entry.ref)
        if body["what"] == "opened":
            ended = {account: Ended(*numbers) for account, numbers in body["ended"].items()}
            self._open[entry.ref] = Gap(
                body["switch"], body["since"], body["until"], body["cause"], body["unseen"],
                all_ended(ended, known.ended) if known is not None else ended, body["channels"],
            )
            self._put_together(body["switch"])
        elif known is not None and body["what"] == "counted":
            self._open[entry.ref] = known._replace(unseen=body["unseen"])
        elif body["what"] == "closed":
            self._open.pop(entry.ref, None)

    def _put_together(self, switch: str) -> None:
        """Of too many gaps of a switch, make one of the two neighbours that lose the least by it.

        The newer half stays as it is: the switch may tell yet how many channels began in one of them, or that
        it lasted longer, and says so by its name.
        """
        mine = sorted(self.open(switch), key=lambda gap: gap.since)
        if len(mine) <= self._most:
            return
        older = mine[: max(2, len(mine) - self._most // 2)]
        first, second = min(pairwise(older), key=lambda pair: _lost(*pair))
        both = first.with_next(second)
        kept = {ref: gap for ref, gap in self._open.items() if gap is not first and gap is not second}
        while both.id in kept:
            both = kept.pop(both.id).with_next(both)
        self._open = dict(sorted([*kept.items(), (both.id, both)], key=lambda item: item[1].since))

    def open(self, switch: str = "") -> list[Gap]:
        """Those that nothing has filled yet, of one switch or of all."""
        return [gap for gap in self._open.values() if not switch or gap.switch == switch]

    def of(self, account: str) -> list[Gap]:
        """Those in which something of this account may have happened."""
        return [gap for gap in self._open.values() if gap.concerns(account)]

    def __bool__(self) -> bool:
        return bool(self._open)

    def words(self, account: str) -> str:
        """For a decision: what may be missing in the numbers that it rests on; "" nothing.

        One line, whatever number of gaps there are, and worked out once.
        """
        found = self._words.get(account)
        if found is None:
            found = self._said(account)
            if len(self._words) >= REMEMBERED:
                self._words.clear()
            self._words[account] = found
        return found

    def _said(self, account: str) -> str:
        some = self.of(account)
        if not some:
            return ""
        switches = ", ".join(sorted({gap.switch for gap in some}))
        seconds = sum(gap.seconds for gap in some)
        return f"{seconds:.0f} s of {switches} unheard: {room(some, account).words} more"


def room(gaps: Iterable[Gap], account: str) -> Room:
    """What may have happened in all of them."""
    total = Room()
    for gap in gaps:
        total = total.plus(gap.room(account))
    return total


def _lost(first: Gap, second: Gap) -> tuple[bool, float, float]:
    """What two gaps allow too much as one: first of all a count that only one of them has, then time in which
    calls may have talked, then the time between them."""
    both = first.with_next(second)
    talked = sum(one.at_once * (one.unseen or 0) for one in (first, second))
    return (
        (first.unseen is None) is not (second.unseen is None),
        both.at_once * (both.unseen or 0) - talked,
        second.since - first.until,
    )
