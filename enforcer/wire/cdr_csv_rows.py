"""Rows out of lines: which lines of a file make a row, and which row is no good.

In: lines, in order, and how one row is read. Out: what the rows tell, and a `BadInput` that names file
and line for each that cannot be read. Refuses to know: columns.

A value may hold a line break, and a switch that died has left half a row behind. So a line that can be
read by itself is a row by itself, whatever was left open before it; others wait for their end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

from enforcer.errors import BadInput

MOST_LINES = 16         # that one row may go over; more is another kind of file
# Asterisk's cdr_csv writes rows of at most 1024 bytes, FreeSWITCH's as long as their values; 8 KB is several
# times what either makes of a call.
LONGEST_ROW = 8192

Told = TypeVar("Told")


class _Line(NamedTuple):
    number: int
    text: str
    trouble: str            # why it is no row by itself


def read(
    lines: Iterable[str],
    row: Callable[[str], Told | None],
    unfinished: Callable[[str], bool],
    name: str,
    opening: str = '"',
) -> Iterator[Told | BadInput]:
    """What `row` makes of each row; None is left out, ValueError makes it a bad one.

    `unfinished` says whether a text that is no row may become one with the line after it; rows begin with
    `opening`. Streams: holds one row at a time.
    """
    held: list[_Line] = []      # no row yet
    for number, line in enumerate(lines, 1):
        text = line.rstrip("\r\n")
        if number == 1:
            text = text.removeprefix("\ufeff")
        if not held and not text.strip():
            continue
        try:
            told = _one(text, row)
        except ValueError as problem:
            held.append(_Line(number, text, str(problem)))
            if len(held) < MOST_LINES and _open(held, unfinished):
                continue
            begun, told = _row_in(held, row)
            again = _open(held[-1:], unfinished) and len(held) > 1 and begun == len(held)
            yield from _bad(held[: begun - again], name, opening)
            held = held[-1:] if again else []
        else:
            yield from _bad(held, name, opening)
            held = []
        if told is not None:
            yield told
    yield from _bad(held, name, opening)


def _bad(held: list[_Line], name: str, opening: str) -> Iterator[BadInput]:
    """The rows among lines that came to nothing: what does not begin like one is the rest of another."""
    for place, line in enumerate(held):
        if place == 0 or line.text.startswith(opening):
            yield BadInput(f"{name}:{line.number}", line.trouble)


def _open(held: list[_Line], unfinished: Callable[[str], bool]) -> bool:
    text = "\n".join(line.text for line in held)
    return len(text) <= LONGEST_ROW and unfinished(text)


def _row_in(held: list[_Line], row: Callable[[str], Told | None]) -> tuple[int, Told | None]:
    """Where in these lines the row begins that ends with them, and what it tells; behind them where none
    does. None of them is a row by itself."""
    for begun in range(len(held) - 1):
        try:
            return begun, _one("\n".join(line.text for line in held[begun:]), row)
        except ValueError:
            continue
    return len(held), None


def _one(text: str, row: Callable[[str], Told | None]) -> Told | None:
    if len(text) > LONGEST_ROW:
        raise ValueError(f"a row of more than {LONGEST_ROW} characters")
    return row(text)
