"""Word of gaps, for whoever listens: one opened, one is known better, one was filled.

In: entries of the journal about gaps, once they are known. Out: a happening for each gap that is not what it
was. Refuses to know: how gaps come about and end, and who listens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from enforcer.control.gaps import gap_facts
from enforcer.domain.journal import JournalEntry
from enforcer.domain.open_gaps import Gaps

PART = "it is part of a longer one now"


class GapNews:
    """See the module. `tell` is given the name of what happens, when, and its facts."""

    def __init__(self, gaps: Gaps, tell: Callable[[str, float, dict[str, Any]], object]) -> None:
        self._gaps = gaps
        self._tell = tell
        self._told = self._now()

    def entered(self, entry: JournalEntry) -> None:
        """Tell what this entry changed. One gap too many makes one of two others."""
        before, self._told = self._told, self._now()
        for name, facts in self._told.items():
            if before.get(name) != facts:
                self._tell("gap", entry.at, facts | {"open": True})
        for name in before:
            if name not in self._told:
                by = entry.body.get("by", "") if name == entry.ref else PART
                self._tell("gap", entry.at, {"gap": name, "open": False, "by": by})

    def _now(self) -> dict[str, dict[str, Any]]:
        return {gap.id: gap_facts(gap) for gap in self._gaps.open()}
