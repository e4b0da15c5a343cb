"""Facts in plain English: spans of time, instants in local time. Rules are in `wording`.

In: values of `domain`, and text that a person typed. Out: text, or BadInput.
Refuses to know: terminals and files.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from enforcer.domain.cycle import Span
from enforcer.domain.measure import Measure
from enforcer.errors import BadInput
from enforcer.spans import seconds_of

LONGEST_REASON = 500    # characters, by every door
NOT_EMPTY = "must not be empty; leave it out where none is meant"
MORE_ON_RECORD = "more was put on record at once than is told line by line"


def span_of(text: str, where: str = "--for") -> float:
    """Seconds in a span such as "90s", "2h" or "1d12h". Raises BadInput that names `where`.

    >>> span_of("1h30m")
    5400.0
    """
    try:
        return float(seconds_of(text))
    except ValueError as problem:
        raise BadInput(where, str(problem)) from None


def local(at: float, timezone: str) -> str:
    """An instant as people in that zone read it: "2026-11-22 14:10:00 EST"."""
    return datetime.fromtimestamp(at, ZoneInfo(timezone)).strftime("%Y-%m-%d %H:%M:%S %Z")


def iso(at: float, timezone: str = "UTC") -> str:
    """An instant for programs: ISO 8601 with its offset, to the millisecond."""
    return datetime.fromtimestamp(at, ZoneInfo(timezone)).isoformat(timespec="milliseconds")


def cycle_words(span: Span, timezone: str) -> str:
    """A billing cycle with its edges in local time."""
    return f"cycle {span.label}, {local(span.start, timezone)} to {local(span.end, timezone)}"


def window_line(measure: Measure, span: Span, timezone: str, at: float) -> str:
    """The window of a rule at `at` with its edges in local time."""
    if span.end == float("inf"):
        return f"window: since {local(span.start, timezone)}, until {local(at, timezone)}"
    if measure.billing:
        return cycle_words(span, timezone)
    return f"window {span.label}, {local(span.start, timezone)} to {local(span.end, timezone)}"


def shown(text: str) -> str:
    """Text from a file or a switch, safe on a terminal: what is not printable is spelt out."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


