"""Many calls, told by how many they are and by the ids of the first and the last of them.

In: ids of calls, one by one. Out: `Calls`. Refuses to know: what the calls have in common.
Memory stays small however many calls there are, unless all are asked for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple


class Calls(NamedTuple):
    """So many calls, and the ids of the first and the last of them; between those others are left out."""

    words: str
    number: int
    first: tuple[str, ...] = ()
    last: tuple[str, ...] = ()

    @property
    def left_out(self) -> int:
        """Calls whose ids are not told."""
        return self.number - len(self.first) - len(self.last)


class Sample:
    """Calls as they come: how many, and those at both ends. `most` at either end, None keeps all."""

    __slots__ = ("first", "last", "most", "number")

    def __init__(self, most: int | None) -> None:
        self.most = most
        self.first: list[str] = []
        self.last: deque[str] | None = None
        self.number = 0

    def add(self, call_id: str) -> None:
        """One more."""
        self.number += 1
        if self.most is None or len(self.first) < self.most:
            self.first.append(call_id)
            return
        if self.last is None:
            self.last = deque(maxlen=self.most)
        self.last.append(call_id)

    def told(self, words: str) -> Calls:
        """What there is to tell."""
        return Calls(words, self.number, tuple(self.first), tuple(self.last or ()))


def together(samples: Iterable[Sample], words: str, most: int | None) -> Calls:
    """Several samples as one, those of the first before those of the next."""
    kept, number = Sample(most), 0
    for sample in samples:
        number += sample.number
        for call_id in (*sample.first, *(sample.last or ())):
            kept.add(call_id)
    return kept.told(words)._replace(number=number)
