"""How many channels a switch made while nobody listened: it numbers them.

In: the Uniqueid of each channel that is created, and those listed after a connect. Out: how many channels
began and ended unheard, at most. Refuses to know: calls, and the connection.

Asterisk's Uniqueid ends in a number that rises by one with every channel (22.10: `chancount` in channel.c).
Legs that were dialled and `Local/` channels have theirs as well, so the count is never less than the calls it
stands for. Two threads that make channels at once may tell of them in the other order: of the last few before
a loss it is remembered which were heard of.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

LATELY = 16         # channels before a loss of which some may be told in another order


class Census:
    """See the module. `serial` is the number of the last channel heard of, None where nobody knows."""

    def __init__(self) -> None:
        self.serial: int | None = None
        self._first = 0                         # the first of this run that could be heard
        self._seen: deque[int] = deque(maxlen=2 * LATELY)
        self._before: int | None = None         # the last before the loss
        self._missing = 0                       # of the last few before it
        self._next: int | None = None           # the first after it
        self._listed: frozenset[int] | None = None
        self._waiting = False                   # for either

    def remember(self, serial: int | None) -> None:
        """The last that an enforcer before us heard of."""
        self.serial = serial
        self._first = 0 if serial is None else serial + 1

    def lost(self) -> None:
        """Nothing is heard from here on. Where nobody counted yet what a loss before has cost, the next
        channel tells of both."""
        if not self._waiting:
            self._before, self._missing = self.serial, 0
        if self.serial is not None and not self._waiting:
            lately = range(max(self._first, self.serial - LATELY + 1), self.serial + 1)
            self._missing = len(set(lately) - set(self._seen))
        self._next = self._listed = None
        self._waiting = self._before is not None

    def forget(self) -> None:
        """The switch was restarted: it numbers anew."""
        self._waiting = False
        self.serial = None
        self._seen.clear()

    def saw(self, uniqueid: str) -> int | None:
        """A channel is created. How many began unheard, where this is the one that tells."""
        number = serial_of(uniqueid)
        if number is None:
            return None
        self._seen.append(number)
        if self.serial is None:
            self.serial = self._first = number
        elif number > self.serial:
            self.serial = number
        if self._waiting and self._next is None and self._before is not None and number > self._before:
            self._next = number
            return self._told()
        return None

    def level(self, listed: Iterable[str]) -> int | None:
        """What is in progress after a connect. How many channels began unheard and are over, where that is
        known by now; else the next channel tells."""
        self._listed = frozenset(n for n in map(serial_of, listed) if n is not None)
        return self._told()

    def _told(self) -> int | None:
        if not self._waiting or self._next is None or self._listed is None or self._before is None:
            return None
        self._waiting = False
        there = sum(1 for number in self._listed if self._before < number < self._next)
        return max(0, self._next - self._before - 1 - there) + self._missing


def serial_of(uniqueid: str) -> int | None:
    """The number in a Uniqueid.

    >>> serial_of("lab-1795309504.425"), serial_of("none")
    (425, None)
    """
    _, dot, number = uniqueid.rpartition(".")
    return int(number) if dot and number.isascii() and number.isdigit() and len(number) < 16 else None
