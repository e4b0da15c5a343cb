"""CDR files into the ledger: what the switch wrote is counted, once, however often it is imported.

In: files as the switch wrote them. Out: what became of their rows, and each row that is no good.
Refuses to know: what a CDR means (`wire`), how calls are kept (`ledger`), and terminals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from enforcer.domain.call import CallEvent
from enforcer.errors import BadInput
from enforcer.ledger.port import Ledger
from enforcer.settings import SwitchSettings
from enforcer.wire.cdr_csv import read_rows
from enforcer.wire.channel import Identity

BATCH = 5_000       # rows written at once: some megabytes in memory, a few commits a second


@dataclass(slots=True)
class Imported:
    """The sum of an import. `rows` are rows that are calls; `bad` rows were reported and skipped."""

    rows: int = 0
    new: int = 0
    completed: int = 0
    unchanged: int = 0
    bad: int = 0


@dataclass(slots=True)
class Import:
    """Files of one switch on their way into the ledger. `progress` is told bytes as they are read,
    `complain` each bad row; neither may raise."""

    ledger: Ledger
    switch: SwitchSettings
    complain: Callable[[BadInput], None]
    progress: Callable[[int], None]
    total: Imported = field(default_factory=Imported)

    def files(self, paths: list[Path]) -> Imported:
        """Import files, in order. Raises BadInput before anything is imported where one cannot be read."""
        for path in paths:
            try:
                with path.open("rb") as file:
                    file.read(1)
            except OSError as error:
                raise BadInput(str(path), f"cannot be read: {error.strerror or error}") from None
        for path in paths:
            self._file(path)
        return self.total

    def _file(self, path: Path) -> None:
        switch = self.switch
        identity = Identity(
            switch.name, switch.outbound_contexts, switch.inbound_contexts, switch.internal_contexts,
            switch.account_from,
        )
        batch: list[CallEvent] = []
        for row in read_rows(self._lines(path), identity, ZoneInfo(switch.timezone), str(path)):
            if isinstance(row, BadInput):
                self.total.bad += 1
                self.complain(row)
                continue
            batch.append(row)
            if len(batch) >= BATCH:
                self._absorb(batch)
                batch = []
        self._absorb(batch)

    def _lines(self, path: Path) -> Iterator[str]:
        """Lines as the switch ended them. What is not UTF-8 becomes U+FFFD, as Asterisk itself does it."""
        with path.open("rb") as file:
            for line in file:
                self.progress(len(line))
                yield line.decode("utf-8", "replace")

    def _absorb(self, batch: list[CallEvent]) -> None:
        if batch:
            done = self.ledger.absorb(batch)
            self.total.rows += len(batch)
            self.total.new += done.new
            self.total.completed += done.completed
            self.total.unchanged += done.unchanged
