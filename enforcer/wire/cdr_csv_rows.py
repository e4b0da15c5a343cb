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
    held: list[str] = []        # lines that are no row yet
    first, trouble = 0, ""      # the line that the first of them is, and what is wrong with it alone
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
                if len(held) < MOST_LINES and _open("\n".join(held), unfinished):
                    continue
                begun, told = _row_in(held, row)
                if begun != 0:
                    yield BadInput(f"{name}:{first}", trouble)
                held = []
                if begun is not None:
                    if told is not None:
                        yield told
                    continue
            if _open(text, unfinished):
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


def _open(text: str, unfinished: Callable[[str], bool]) -> bool:
    return len(text) <= LONGEST_ROW and unfinished(text)


def _row_in(held: list[str], row: Callable[[str], Told | None]) -> tuple[int | None, Told | None]:
    """Where in these lines the row begins that ends with them, and what it tells; None where none does."""
    for begun in range(len(held) - 1):
        try:
            return begun, _one("\n".join(held[begun:]), row)
        except ValueError:
            continue
    return None, None


def _one(text: str, row: Callable[[str], Told | None]) -> Told | None:
    if len(text) > LONGEST_ROW:
        raise ValueError(f"a row of more than {LONGEST_ROW} characters")
    return row(text)
