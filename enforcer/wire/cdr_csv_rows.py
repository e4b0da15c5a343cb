"""Rows out of lines: which lines of a file make a row, and which row is no good.

In: lines, in order, and how one row is read. Out: what the rows tell, and a `BadInput` that names file
and line for each that cannot be read. Refuses to know: columns.

A value may hold a line break, and a switch that died has left half a row behind. So a line that can be
read by itself is a row by itself, whatever was left open before it; others wait for their end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from enforcer.errors import BadInput

MOST_LINES = 16         # that one row may go over; more is another kind of file
# Asterisk's cdr_csv writes rows of at most 1024 bytes, FreeSWITCH's as long as their values; 8 KB is several
# times what either makes of a call.
LONGEST_ROW = 8192

Told = TypeVar("Told")


def read(
    lines: Iterable[str],
    row: Callable[[str], Told | None],
    unfinished: Callable[[str], bool],
    name: str,
) -> Iterator[Told | BadInput]:
    """What `row` makes of each row; None is left out, ValueError makes it a bad one.

    `unfinished` says whether a text that is no row may become one with the line after it.
    Streams: holds one row at a time.
    """
    held: list[str] = []
    first, trouble = 0, ""
    for number, line in enumerate(lines, 1):
        text = line.rstrip("\r\n")
        if number == 1:
            text = text.removeprefix("\ufeff")
        if not held and not text.strip():
            continue
        try:
            told = _one(text, row)
        except ValueError as problem:
            if held:
                held.append(text)
                whole = "\n".join(held)
                if len(held) < MOST_LINES and len(whole) <= LONGEST_ROW and unfinished(whole):
                    continue
                held = []
                try:
                    told = _one(whole, row)
                except ValueError:
                    yield BadInput(f"{name}:{first}", trouble)
                else:
                    if told is not None:
                        yield told
                    continue
            if len(text) <= LONGEST_ROW and unfinished(text):
                held, first, trouble = [text], number, str(problem)
            else:
                yield BadInput(f"{name}:{number}", str(problem))
            continue
        if held:
            yield BadInput(f"{name}:{first}", trouble)
            held = []
        if told is not None:
            yield told
    if held:
        yield BadInput(f"{name}:{first}", trouble)


def _one(text: str, row: Callable[[str], Told | None]) -> Told | None:
    if len(text) > LONGEST_ROW:
        raise ValueError(f"a row of more than {LONGEST_ROW} characters")
    return row(text)
