"""What single calls tell that no sum does: which numbers, how often, in what order.

In: calls, one by one, in any order, and taken back again. Out: a few numbers, always right at once.
Refuses to know: windows, limits, and who called.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from typing import NamedTuple

from enforcer.domain.call import CallRecord
from enforcer.domain.measure import Detail

# Calls remembered one by one, about 300 bytes each. A window that holds more of them is told by the first
# so many: it undercounts, which is held against nobody.
MOST_CALLS = 20_000
# Extensions are short and dense: two of them in a row mean nothing.
FEWEST_DIGITS = 7
TELLING_DIGITS = 10
MOST_DIGITS = 18         # E.164 has 15, and a prefix may stand before them


class Repeats:
    """Words, and how often each came. `most` is how often the most frequent one did."""

    __slots__ = ("_sizes", "most", "times")

    def __init__(self) -> None:
        self.times: dict[str, int] = {}
        self._sizes: dict[int, int] = {}        # how many words came so often
        self.most = 0

    @property
    def distinct(self) -> int:
        """How many different words there are."""
        return len(self.times)

    def add(self, word: str) -> None:
        """The word came once more."""
        times = self.times[word] = self.times.get(word, 0) + 1
        self._resize(times - 1, times)
        self.most = max(self.most, times)

    def remove(self, word: str) -> None:
        """The word came once less; it must have come."""
        times = self.times[word]
        if times == 1:
            del self.times[word]
        else:
            self.times[word] = times - 1
        self._resize(times, times - 1)
        if times == self.most and times not in self._sizes:
            self.most = times - 1

    def _resize(self, old: int, new: int) -> None:
        if old:
            left = self._sizes[old] - 1
            if left:
                self._sizes[old] = left
            else:
                del self._sizes[old]
        if new:
            self._sizes[new] = self._sizes.get(new, 0) + 1


class Sequence:
    """Numbers tried whose neighbour was tried as well. `pairs` counts such neighbours: a run of ten
    numbers has nine."""

    __slots__ = ("_times", "pairs")

    def __init__(self) -> None:
        self._times: dict[int, int] = {}
        self.pairs = 0

    def add(self, digits: str) -> None:
        """A number was tried."""
        if (number := _whole(digits)) is not None:
            times = self._times.get(number, 0)
            self._times[number] = times + 1
            if not times:
                self.pairs += self._neighbours(number)

    def remove(self, digits: str) -> None:
        """It was tried once less."""
        if (number := _whole(digits)) is not None:
            times = self._times[number] - 1
            if times:
                self._times[number] = times
                return
            del self._times[number]
            self.pairs -= self._neighbours(number)

    def _neighbours(self, number: int) -> int:
        return (number - 1 in self._times) + (number + 1 in self._times)


class Redials:
    """Numbers tried again soon. `chained` counts calls that began within `seconds` after the call before
    to the same number began."""

    __slots__ = ("_seconds", "_starts", "chained")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._starts: dict[str, list[float]] = {}
        self.chained = 0

    def add(self, number: str, at: float) -> None:
        """A call to this number began."""
        starts = self._starts.setdefault(number, [])
        place = bisect_left(starts, at)
        self.chained += self._links(starts, place, at)
        insort(starts, at)

    def remove(self, number: str, at: float) -> None:
        """It did not."""
        starts = self._starts[number]
        place = bisect_left(starts, at)
        del starts[place]
        self.chained -= self._links(starts, place, at)
        if not starts:
            del self._starts[number]

    def _links(self, starts: list[float], place: int, at: float) -> int:
        """What a call between its neighbours adds: two gaps in the place of one."""
        before = starts[place - 1] if place else None
        after = starts[place] if place < len(starts) else None
        links = 0
        if before is not None:
            links += at - before <= self._seconds
        if after is not None:
            links += after - at <= self._seconds
        if before is not None and after is not None:
            links -= after - before <= self._seconds
        return links


def one_number(dialled: str) -> str:
    """A number apart from the ways to dial it, behind which redials could hide: its last ten digits, which
    tell numbers from each other. What is too long for a number stays as it is.

    >>> {one_number(way) for way in ("2025550123", "12025550123", "+12025550123", "01112025550123")}
    {'2025550123'}
    """
    digits = dialled.lstrip("+")
    return digits[-TELLING_DIGITS:] if digits.isdecimal() and len(digits) <= MOST_DIGITS else digits


class _Call(NamedTuple):
    number: str
    caller: str
    at: float


class Trail:
    """The calls of one window, by the details that its rules ask for. A call counts once, by its id."""

    __slots__ = ("_calls", "callers", "full", "numbers", "redials", "sequence")

    def __init__(self, details: Iterable[Detail], redial_seconds: float = 0) -> None:
        wanted = frozenset(details)
        self._calls: dict[str, _Call] = {}
        self.numbers = Repeats() if Detail.NUMBERS in wanted else None
        self.callers = Repeats() if Detail.CALLERS in wanted else None
        self.sequence = Sequence() if Detail.SEQUENCE in wanted else None
        self.redials = Redials(redial_seconds) if Detail.REDIALS in wanted else None
        self.full = False           # calls found no room: the numbers are lower than they should be

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, record: CallRecord) -> None:
        """A call belongs to the window; what was told of it before is forgotten."""
        self.remove(record.call_id)
        if len(self._calls) >= MOST_CALLS:
            self.full = True
            return
        call = _Call(one_number(record.number), one_number(record.caller), record.started_at)
        self._calls[record.call_id] = call
        if self.numbers is not None:
            self.numbers.add(call.number)
        if self.callers is not None:
            self.callers.add(call.caller)
        if self.sequence is not None:
            self.sequence.add(call.number)
        if self.redials is not None:
            self.redials.add(call.number, call.at)

    def remove(self, call_id: str) -> None:
        """It does not any more; nothing where it never did."""
        call = self._calls.pop(call_id, None)
        if call is None:
            return
        if self.numbers is not None:
            self.numbers.remove(call.number)
        if self.callers is not None:
            self.callers.remove(call.caller)
        if self.sequence is not None:
            self.sequence.remove(call.number)
        if self.redials is not None:
            self.redials.remove(call.number, call.at)

    def started(self, call_id: str) -> float | None:
        """When a call of the trail began, None where it is not in it."""
        call = self._calls.get(call_id)
        return None if call is None else call.at

    @property
    def figures(self) -> tuple[int, ...]:
        """All numbers in one tuple, for comparisons."""
        numbers, callers = self.numbers, self.callers
        return (
            numbers.distinct if numbers else 0, numbers.most if numbers else 0,
            callers.distinct if callers else 0, self.sequence.pairs if self.sequence else 0,
            self.redials.chained if self.redials else 0,
        )


def _whole(digits: str) -> int | None:
    """The number as one that has neighbours; None for extensions, names and codes."""
    return int(digits) if FEWEST_DIGITS <= len(digits) <= MOST_DIGITS and digits.isdecimal() else None
