"""The shapes of mod_cdr_csv's rows: which template wrote one.

In: the values of a row. Out: its template. Refuses to know: what the values mean.

A row is whatever `cdr_csv.conf.xml` says. Known are our own template, `enforcer`, and the stock ones
`example` (also as it is built in, without codecs) and `asterisk`.
"""

from __future__ import annotations

import re

FIRST, LAST = "enforcer-1", "end"       # the constant columns of our template: no caller writes at both ends
EXAMPLE_COLUMNS, ASTERISK_COLUMNS, OUR_COLUMNS = 15, 18, 26

_STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)


def ours(parts: list[str]) -> bool:
    """Whether our template wrote this; there may be columns too many."""
    return parts[0] == FIRST and parts[-1] == LAST and len(parts) >= OUR_COLUMNS


def asterisk(parts: list[str]) -> bool:
    """Whether template asterisk wrote this; there may be columns too many."""
    return len(parts) >= ASTERISK_COLUMNS and _stamped(parts[-9], parts[-7])


def example(parts: list[str]) -> bool:
    """Whether template example wrote this; there may be columns too many."""
    return len(parts) >= EXAMPLE_COLUMNS and _stamped(parts[-11], parts[-9])


def with_codecs(parts: list[str]) -> list[str]:
    """A row of the built-in template as template example has it: that has no codecs, and a blank before the
    account."""
    other, blank, account = parts[-1].rpartition('", "')
    return [*parts[:-1], other, account, "", ""] if blank else parts


def leg_named(parts: list[str]) -> str:
    """The other leg that a row of template example names, "" where it is no such row or names none."""
    parts = with_codecs(parts)
    return parts[-4] if len(parts) >= EXAMPLE_COLUMNS and _stamped(parts[-11], parts[-9]) else ""


def _stamped(start: str, end: str) -> bool:
    return _STAMP.fullmatch(start) is not None and _STAMP.fullmatch(end) is not None
