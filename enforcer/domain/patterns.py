"""What single calls have in common: for each kind of rule, the pattern that it looks for.

In: call records that were not refused, in the order they began. Out: groups of calls, each with its words,
the weightiest first, and of each no more than a sample.
Refuses to know: windows, limits, and how many groups anybody wants to see.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from typing import TypeVar

from enforcer.domain.call import CallRecord
from enforcer.domain.measure import Measure
from enforcer.domain.pattern_words import GROUPED, Word, number_of
from enforcer.domain.rules import Rule
from enforcer.domain.samples import Calls, Sample, together
from enforcer.domain.trail import FEWEST_DIGITS, MOST_CALLS, one_number

K = TypeVar("K")


class Pattern(ABC):
    """Calls as they come, and what they make together."""

    __slots__ = ()

    @abstractmethod
    def take(self, record: CallRecord) -> None:
        """One more call of the window."""

    @abstractmethod
    def groups(self) -> list[Calls]:
        """What was found, the weightiest first."""

    @abstractmethod
    def words(self, groups: int) -> str:
        """What the groups are, and how many there are, as a heading."""


class Grouped(Pattern):
    """Calls that share a word: a number, a caller, a cause, a length. The most frequent weigh most."""

    __slots__ = ("_calls", "_measure", "_most", "_noun", "_shown", "_word")

    def __init__(self, noun: tuple[str, str], word: Word, measure: Measure, most: int | None) -> None:
        self._noun = noun
        self._word = word
        self._measure = measure
        self._most = most
        self._calls: dict[str, Sample] = {}
        self._shown: dict[str, str] = {}        # a number as it was dialled first

    def take(self, record: CallRecord) -> None:
        """See the class. Words beyond very many are not told apart any more."""
        word = self._word(record, self._measure)
        if word is not None and _into(self._calls, one_number(word), record.call_id, self._most):
            self._shown.setdefault(one_number(word), word)

    def groups(self) -> list[Calls]:
        """The most frequent first."""
        ranked = sorted(self._calls.items(), key=lambda one: (-one[1].number, one[0]))
        return [sample.told(f"{self._shown[key]}: {_times(sample.number)}") for key, sample in ranked]

    def words(self, groups: int) -> str:
        """Such as "37 different numbers"."""
        return f"{groups} {self._noun[groups != 1]}"


class Talk(Pattern):
    """How long was talked with each number. Those talked with longest weigh most."""

    __slots__ = ("_calls", "_most", "_msec")

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._calls: dict[str, Sample] = {}
        self._msec: dict[str, int] = {}

    def take(self, record: CallRecord) -> None:
        """See the class."""
        msec = record.billmsec
        number = number_of(record)
        if msec and _into(self._calls, number, record.call_id, self._most):
            self._msec[number] = self._msec.get(number, 0) + msec

    def groups(self) -> list[Calls]:
        """The longest first."""
        ranked = sorted(self._msec, key=lambda number: (-self._msec[number], number))
        return [
            self._calls[number].told(
                f"{number}: {_times(self._calls[number].number)}, {self._msec[number] / 60_000:.1f} min"
            )
            for number in ranked
        ]

    def words(self, groups: int) -> str:
        """How many numbers."""
        return f"talk with {groups} number{'' if groups == 1 else 's'}"


class Runs(Pattern):
    """Numbers in a row, each with its neighbour. The longest runs weigh most."""

    __slots__ = ("_calls", "_most")

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._calls: dict[int, Sample] = {}

    def take(self, record: CallRecord) -> None:
        """See the class; extensions and codes have no neighbours (see `trail`)."""
        digits = record.number.lstrip("+")
        if FEWEST_DIGITS <= len(digits) <= 18 and digits.isdecimal():
            _into(self._calls, int(digits), record.call_id, self._most)

    def groups(self) -> list[Calls]:
        """Runs of two numbers or more."""
        runs: list[list[int]] = []
        for number in sorted(self._calls):
            if runs and runs[-1][-1] == number - 1:
                runs[-1].append(number)
            else:
                runs.append([number])
        long = sorted((run for run in runs if len(run) > 1), key=lambda run: (-len(run), run[0]))
        return [
            together(
                (self._calls[number] for number in run),
                f"{run[0]} to {run[-1]}: {len(run)} numbers in a row", self._most,
            )
            for run in long
        ]

    def words(self, groups: int) -> str:
        """How many runs."""
        return f"{groups} run{'' if groups == 1 else 's'} of numbers"


class Chains(Pattern):
    """Calls to one number that follow each other within so many seconds. The longest chains weigh most."""

    __slots__ = ("_chains", "_last", "_most", "_seconds")

    def __init__(self, seconds: int, most: int | None) -> None:
        self._seconds = seconds
        self._most = most
        self._last: dict[str, tuple[float, Sample]] = {}
        self._chains: list[tuple[str, Sample]] = []

    def take(self, record: CallRecord) -> None:
        """See the class. Calls come in the order they began."""
        number, at = number_of(record), record.started_at
        key = one_number(number)
        before = self._last.get(key)
        if before is None or at - before[0] > self._seconds:
            chain = Sample(self._most)
        else:
            chain = before[1]
            if chain.number == 1:
                self._chains.append((number, chain))
        chain.add(record.call_id)
        self._last[key] = at, chain

    def groups(self) -> list[Calls]:
        """Chains of two calls or more."""
        ranked = sorted(self._chains, key=lambda one: (-one[1].number, one[0]))
        return [chain.told(f"{number}: {chain.number} calls in a chain") for number, chain in ranked]

    def words(self, groups: int) -> str:
        """How many chains."""
        each = f"each within {self._seconds} s of the one before"
        return f"{groups} chain{'' if groups == 1 else 's'} of calls to one number, {each}"


class BusiestSecond(Pattern):
    """The most calls that began within one second."""

    __slots__ = ("_best", "_most", "_window")

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._window: deque[tuple[float, str]] = deque()
        self._best: list[str] = []

    def take(self, record: CallRecord) -> None:
        """See the class. Calls come in the order they began."""
        window, at = self._window, record.started_at
        window.append((at, record.call_id))
        while window[0][0] <= at - 1:
            window.popleft()
        if len(window) > len(self._best):
            self._best = [call_id for _, call_id in window]

    def groups(self) -> list[Calls]:
        """The one."""
        sample = Sample(self._most)
        for call_id in self._best:
            sample.add(call_id)
        return [sample.told(f"{sample.number} within one second")] if self._best else []

    def words(self, groups: int) -> str:
        """What it is."""
        return "the busiest second so far"


def pattern_of(rule: Rule, most: int | None) -> Pattern | None:
    """What a kind of rule looks for, None for kinds that look at no calls; `most` ids at either end of a
    group."""
    spec = rule.spec
    match spec.kind:
        case "minutes" | "average_minutes" | "diluted_average":
            return Talk(most)
        case "sequential_numbers":
            return Runs(most)
        case "redials":
            return Chains(spec.measure.redial_seconds, most)
        case "cps":
            return BusiestSecond(most)
    told = GROUPED.get(spec.kind)
    return None if told is None else Grouped(*told, spec.measure, most)


def _into(calls: dict[K, Sample], key: K, call_id: str, most: int | None) -> bool:
    """Put a call with its likes; False where it has none and there are very many already."""
    sample = calls.get(key)
    if sample is None:
        if len(calls) >= MOST_CALLS:
            return False
        sample = calls[key] = Sample(most)
    sample.add(call_id)
    return True


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
