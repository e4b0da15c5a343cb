"""Wall clocks: what a switch wrote as local time, as Unix seconds.

In: the times of one row as text, and its durations. Out: Unix seconds, or ValueError.
Refuses to know: columns, and which switch wrote them.

A clock that is put back shows an hour twice. Durations tell which one is meant wherever the row
reaches out of that hour; where it lies within, the first is taken, always. A clock that is put
forward never shows the hour it leaves out: such a time says that the file is of another zone.
"""

from __future__ import annotations

from datetime import datetime, tzinfo
from functools import lru_cache
from itertools import product

REMEMBERED_MINUTES = 4096


class WallClock:
    """The clock of one time zone. Holds the minutes it converted last."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._minute = lru_cache(maxsize=REMEMBERED_MINUTES)(self._minute_of)

    def times(
        self, start: str, answer: str, end: str, duration: float, billsec: float
    ) -> tuple[float, float | None, float]:
        """Start, answer ("" gives None) and end, given the seconds from start and from answer to end."""
        starts, ends = self._readings(start), self._readings(end)
        answers = self._readings(answer) if answer else ()
        if len(starts) == len(ends) == 1 and len(answers) < 2:
            return starts[0], answers[0] if answers else None, ends[0]

        def odd(reading: tuple[float, float, float]) -> tuple[float, tuple[float, float, float]]:
            first, answered, last = reading
            wrong = abs(last - first - duration)
            return wrong + abs(last - answered - billsec) if answers else wrong, reading

        _, (first, answered, last) = min(map(odd, product(starts, answers or (0.0,), ends)))
        return first, answered if answers else None, last

    def _readings(self, text: str) -> tuple[float, ...]:
        """When a clock of the zone shows this: once, or twice, the earlier first."""
        second = text[17:]
        if len(text) != 19 or not second.isdigit() or not second.isascii() or second > "60":
            raise ValueError(f"not a time: {text[:30]!r}")
        seconds = int(second)
        readings = self._minute(text[:16])
        if len(readings) == 1:
            return (readings[0] + seconds,)
        return tuple(reading + seconds for reading in readings)

    def _minute_of(self, text: str) -> tuple[float, ...]:
        try:
            shown = datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=self._zone)
            first, second = shown.timestamp(), shown.replace(fold=1).timestamp()
        except (ValueError, OverflowError):
            raise ValueError(f"not a time: {text!r}") from None
        if first > second:
            raise ValueError(
                f"no clock of {self._zone} ever showed {text}: is this the switch's timezone?"
            )
        return (first,) if first == second else (first, second)
