"""CSV that people open in spreadsheets: nothing in a cell is taken for a formula.

In: rows by column. Out: text. Refuses to know: files.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

# What a spreadsheet may take for the beginning of a formula (OWASP, CSV Injection). A negative number that is
# all of its cell stays one: "-1.5" does, "-1+1" does not.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def sheet(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """Rows under a header. Lists are joined by blanks; what is not there is an empty cell."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([cell(row.get(column)) for column in columns])
    return out.getvalue()


def cell(value: object) -> str:
    """A value as a spreadsheet shows it, and does not compute it.

    >>> cell("=1+1"), cell("+12025550123"), cell("-1.5"), cell(True), cell(None), cell(["a", "b"])
    ("'=1+1", "'+12025550123", '-1.5', 'true', '', 'a b')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    text = " ".join(str(one) for one in value) if isinstance(value, list | tuple) else str(value)
    if text.startswith(_FORMULA) and not _negative(text):
        return f"'{text}"
    return text


def _negative(text: str) -> bool:
    whole, _, places = text.removeprefix("-").partition(".")
    return text.startswith("-") and whole.isdecimal() and (not places or places.isdecimal())
