"""Which accounts are looked at besides their calls, and when: all that called lately, a few at a time.

In: who calls; who else has to be looked at. Out: (switch, account), in rounds.
Refuses to know: what is looked for, and the clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator

Place = tuple[str, str]         # switch ("" any) and account

MOST_SEEN = 100_000             # accounts that called in an hour and are remembered
LOOKS_AT_ONCE = 100             # some 5 ms
HOUR_SECONDS = 3600.0


class Rounds:
    """`callers` gives those with orders on a switch, who called moments ago. A round begins `sweep` seconds
    after the one before began, or when that is over."""

    def __init__(self, callers: Callable[[], Iterable[Place]], sweep: float) -> None:
        self._callers = callers
        self._sweep = sweep
        self._seen: dict[Place, None] = {}      # who called in this hour
        self._before: dict[Place, None] = {}    # and in the one before
        self._hour = float("-inf")
        self._left: deque[Place] = deque()
        self._next = float("-inf")

    def called(self, place: Place) -> None:
        """An account calls: it is looked at for an hour at least, for a call may end, and matter, long after
        it was asked about."""
        if len(self._seen) < MOST_SEEN:
            self._seen[place] = None

    def look_again(self) -> None:
        """Begin a new round as soon as this one is over."""
        self._next = float("-inf")

    def begins(self, at: float) -> bool:
        """Whether a round is to begin."""
        return not self._left and at >= self._next

    def begin(self, at: float, others: Iterable[str]) -> None:
        """Begin a round: whoever called lately, and these accounts."""
        self._seen |= dict.fromkeys(self._callers())
        places = self._before | self._seen
        known = {account for _, account in places}
        places |= dict.fromkeys(("", account) for account in others if account not in known)
        if at >= self._hour:
            self._before, self._seen, self._hour = self._seen, {}, at + HOUR_SECONDS
        self._left.extend(places)
        self._next = at + self._sweep

    def due(self) -> Iterator[Place]:
        """The next of this round."""
        for _ in range(min(len(self._left), LOOKS_AT_ONCE)):
            yield self._left.popleft()
