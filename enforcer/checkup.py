"""What a check found: one line for people, with what to do about it.

In: the words of whoever looked. Out: `Finding`s. Refuses to know: what was looked at.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Grade(StrEnum):
    """How bad it is: fine, worth a look, or broken."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


class Finding(NamedTuple):
    """One thing looked at. `advice` says what to do, "" where nothing has to be done."""

    subject: str
    grade: Grade
    words: str
    advice: str = ""
