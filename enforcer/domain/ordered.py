"""What people asked the enforcer to do: what waits for its answer, and what was carried out and is not again.

In: journal entries of requests and orders, in order, each once. Out: those without an answer; orders by name.
Refuses to know: what is done about any of them.
"""

from __future__ import annotations

from enforcer.domain.journal import JournalEntry


class Requests:
    """What a running enforcer was asked to do, and has not answered yet. A request and its answer have one
    name; the second entry of that name is the answer."""

    def __init__(self) -> None:
        self._open: dict[str, JournalEntry] = {}

    def take(self, entry: JournalEntry) -> None:
        """A request, or the answer to one."""
        if self._open.pop(entry.ref, None) is None and "answer" not in entry.body:
            self._open[entry.ref] = entry

    def pending(self) -> list[JournalEntry]:
        """Those without an answer, oldest first."""
        return list(self._open.values())


class Commands:
    """Orders that had a name and were carried out, so that each is carried out once; the latest of them."""

    MOST = 10_000

    def __init__(self) -> None:
        self._by_name: dict[str, JournalEntry] = {}

    def take(self, entry: JournalEntry) -> None:
        """An order was carried out."""
        self._by_name.setdefault(entry.ref, entry)
        if len(self._by_name) > self.MOST:
            del self._by_name[next(iter(self._by_name))]

    def get(self, name: str) -> JournalEntry | None:
        """The order of that name."""
        return self._by_name.get(name)
