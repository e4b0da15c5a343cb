"""CSV that people open in spreadsheets: a row is one line, and nothing in it is taken for a formula.

In: rows by column. Out: text. Refuses to know: files.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence

from enforcer.control.words import shown

# What a spreadsheet may take for the beginning of a formula (OWASP, CSV Injection; some read the wide forms
# as well). A negative number that is all of its cell stays one: "-1.5" does, "-1+1" does not.
_BEGINS = "=+\\-@\uff1d\uff0b\uff0d\uff20"
# A cell begins where the cell does, and where a spreadsheet of another country parts cells (quotes do not
# keep it from that): "x;=1+1". Tabs and line ends, of which the same is true, are spelt out.
_FORMULA = re.compile(rf"(?:^|(?<=[;|])) *(?=[{_BEGINS}])")
_NEGATIVE = re.compile(r"-[0-9]+(\.[0-9]+)?", re.ASCII)


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
    if _NEGATIVE.fullmatch(text):
        return text
    return _FORMULA.sub(lambda found: f"'{found[0]}", shown(text))
