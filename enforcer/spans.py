"""Spans of time as people write them: "90s", "2h", "1d12h".

In: text. Out: seconds, or ValueError. Refuses to know: where it was written.
"""

from __future__ import annotations

import re

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
LONGEST_SPAN = 10 * 366 * 86_400        # what is meant to last longer needs no end


def seconds_of(text: str) -> int:
    """Seconds in a span. Raises ValueError.

    >>> seconds_of("1h30m")
    5400
    """
    parts = re.findall(r"([0-9]{1,9})([smhdw])", text.lower())
    seconds = sum(int(number) * UNITS[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != text.lower() or not 0 < seconds <= LONGEST_SPAN:
        raise ValueError(f"{text!r} is no span of time: numbers with s, m, h, d or w, such as 2h")
    return seconds


def span_words(seconds: float) -> str:
    """Seconds as people say them, in the largest unit that fits.

    >>> span_words(86_400 * 30), span_words(5400), span_words(0.5)
    ('30 days', '90 minutes', '0.5 seconds')
    """
    for size, unit in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size and seconds % size == 0:
            number = int(seconds // size)
            return f"{number} {unit}{'' if number == 1 else 's'}"
    return f"{seconds:g} second{'' if seconds == 1 else 's'}"
