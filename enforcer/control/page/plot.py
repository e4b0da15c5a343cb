"""Decisions by verdict over time, as columns to draw.

In: counts a minute (see `series`). Out: paths, lines and words, in the units of a drawing that is
`WIDTH` by `HEIGHT`. Refuses to know: SVG and colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

WIDTH, HEIGHT = 720, 220
LEFT, RIGHT, BOTTOM, TOP = 34, 18, 20, 14
ORDER = ("leased", "exempt", "allow", "tag", "throttle", "block")     # from the axis upwards


class Line(NamedTuple):
    """A line of the grid, or a tick, with what is written at it."""

    at: float
    words: str


class Plot(NamedTuple):
    """See the module. `areas` has all columns of a verdict as one path, in SVG's words; `rows` are the same
    numbers in steps of ten minutes, for whoever does not see."""

    areas: dict[str, str]
    levels: list[Line]
    times: list[Line]
    rows: list[dict[str, Any]]
    total: dict[str, int]
    words: str


def plot(minutes: Sequence[dict[str, Any]]) -> Plot:
    """The drawing of these minutes, the oldest first."""
    most = max((sum(one[word] for word in ORDER) for one in minutes), default=0)
    top = nice(most)
    step = (WIDTH - LEFT - RIGHT) / max(1, len(minutes))
    scale = (HEIGHT - BOTTOM - TOP) / top
    areas: dict[str, list[str]] = {word: [] for word in ORDER}
    for place, one in enumerate(minutes):
        y = float(HEIGHT - BOTTOM)
        for word in ORDER:
            if one[word]:
                height = one[word] * scale
                y -= height
                areas[word].append(f"M{LEFT + place * step:.2f} {y:.2f}h{step * 0.86:.2f}v{height:.2f}"
                                   f"h-{step * 0.86:.2f}z")
    levels = [Line(round(HEIGHT - BOTTOM - part * scale, 2), f"{part:g}") for part in (0, top / 2, top)]
    times = [
        Line(round(LEFT + place * step, 2), _clock(one["minute"]))
        for place, one in enumerate(minutes) if one["minute"] % 600 == 0
    ]
    total = {word: sum(one[word] for one in minutes) for word in ORDER}
    told = ", ".join(f"{total[word]:,} {word}" for word in reversed(ORDER) if total[word]) or "none"
    words = f"Decisions a minute over the last {len(minutes)} minutes: {told}. At most {most:,} a minute."
    drawn = {word: "".join(boxes) for word, boxes in areas.items() if boxes}
    return Plot(drawn, levels, times, _rows(minutes), total, words)


def nice(most: int) -> int:
    """The top of the axis: an even number, a little above.

    >>> nice(0), nice(3), nice(17), nice(230)
    (2, 4, 20, 400)
    """
    power = 1
    while power * 10 <= most:
        power *= 10
    return max(2, next(step * power for step in (1, 2, 4, 6, 10) if step * power >= most))


def _rows(minutes: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    for one in minutes:
        row = found.setdefault(one["minute"] // 600, {"time": _clock(one["minute"] // 600 * 600)})
        for word in ORDER:
            row[word] = row.get(word, 0) + one[word]
    return list(found.values())


def _clock(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M")
