"""How THROTTLE lets calls through, one after the other.

In: a pace, and the moments at which calls went. Out: how long the next one has to wait.
Refuses to know: why calls are paced, and whose they are.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Pace:
    """How THROTTLE lets calls through: `calls` in any `seconds`, each held for `max_hold` seconds
    at the most; a call that would have to wait longer is shed. Raises ValueError for a pace that
    would let nothing through."""

    calls: int = 1
    seconds: float = 1.0
    max_hold: float = 2.0

    def __post_init__(self) -> None:
        if self.calls < 1 or self.seconds <= 0:
            raise ValueError(f"no pace: {self.calls} calls in {self.seconds} seconds")

    @classmethod
    def of_rate(cls, cps: Fraction, max_hold: float) -> Pace:
        """The pace that never lets more than `cps` calls through in any second.

        So a fraction above one counts as the whole number below it; under one, it is one call in
        so many seconds. Raises ValueError for a rate of 0 or less.

        >>> Pace.of_rate(Fraction(5), 2), Pace.of_rate(Fraction(1, 4), 2)
        (Pace(calls=5, seconds=1.0, max_hold=2), Pace(calls=1, seconds=4.0, max_hold=2))
        """
        if cps >= 1:
            return cls(int(cps), 1.0, max_hold)
        if cps <= 0:
            raise ValueError(f"no pace: {cps} calls a second")
        return cls(1, float(1 / cps), max_hold)


class Pacer:
    """The releases a pace has given. Exact: no window of `seconds` ever holds more than `calls`.

    The n-th call is released no earlier than `seconds` after the one `calls` before it: first
    in, first out. Costs one look at a short queue.
    """

    __slots__ = ("_releases", "pace")

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self._releases: deque[float] = deque(maxlen=pace.calls)

    def hold(self, at: float) -> float:
        """Seconds that a call arriving at `at` has to wait; 0.0 at once."""
        releases = self._releases
        if len(releases) < self.pace.calls:
            return 0.0
        earliest = releases[0] + self.pace.seconds
        return earliest - at if earliest > at else 0.0

    def take(self, release: float) -> None:
        """A call goes on at `release` (Unix seconds). Where another rule held its predecessor for
        longer, it is noted as of then: the queue stays in order and can be counted by halving."""
        releases = self._releases
        releases.append(release if not releases or release > releases[-1] else releases[-1])

    def busy(self, calls: int, at: float) -> bool:
        """Whether at least so many calls (1 or more) were released in the `seconds` before `at`."""
        releases = self._releases
        return len(releases) >= calls and releases[-calls] > at - self.pace.seconds

    def used(self, at: float) -> int:
        """Calls released in the `seconds` before `at`, or due later."""
        return len(self._releases) - bisect_right(self._releases, at - self.pace.seconds)
