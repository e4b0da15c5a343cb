"""CDR files into the ledger: what the switch wrote is counted, once, however often it is imported.

In: files as the switch wrote them. Out: what became of their rows, and each row that is no good.
Refuses to know: what a CDR means (`wire`), how calls are kept (`ledger`), and terminals.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from enforcer.domain.call import CallEvent
from enforcer.errors import BadInput
from enforcer.ledger.port import Ledger
from enforcer.settings_switch import SwitchSettings
from enforcer.wire import cdr_csv, cdr_csv_freeswitch
from enforcer.wire.cdr_csv_kin import Kin
from enforcer.wire.cdr_csv_rows import LONGEST_ROW
from enforcer.wire.channel import Identity

TOLD_AT_ONCE = 1 << 16              # bytes of progress, some hundred rows
LONGEST_LINE = 4 * LONGEST_ROW      # bytes of a line that are read; a character has up to four
# Rows written at once. While an enforcer runs, it waits for less than a second; where nobody does, four times
# as many: each index is written anew for every batch, which was a third of all the time (82 s for a million
# rows of random ids instead of 110, for 60 MB more of memory).
BATCH = 10_000
BATCH_ALONE = 40_000


@dataclass(slots=True)
class Imported:
    """The sum of an import. `rows` are rows that are calls; `bad` rows were reported and skipped."""

    rows: int = 0
    new: int = 0
    completed: int = 0
    unchanged: int = 0
    bad: int = 0
    # when the first of these calls ended, and the last, Unix seconds: rows are written as calls end
    since: float = float("inf")
    until: float = float("-inf")


Reader = Callable[[Iterable[str], str], Iterator[CallEvent | BadInput]]


def reading(switch: SwitchSettings, kin: Kin) -> Reader:
    """What reads the rows of one file, as this kind of switch writes them; `kin` has looked at all of
    them."""
    identity = Identity(
        switch.name, switch.outbound_contexts, switch.inbound_contexts, switch.internal_contexts,
        switch.account_from,
    )
    zone = ZoneInfo(switch.timezone)
    if switch.kind == "asterisk":
        return lambda lines, name: cdr_csv.read_rows(lines, identity, zone, name)
    return lambda lines, name: cdr_csv_freeswitch.read_rows(lines, identity, zone, name, kin)


@dataclass(slots=True)
class Import:
    """Files of one switch on their way into the ledger. `progress` is told bytes as they are read,
    `complain` each bad row; neither may raise. `batch` rows are written at once."""

    ledger: Ledger
    switch: SwitchSettings
    complain: Callable[[BadInput], None]
    progress: Callable[[int], None]
    batch: int = BATCH
    total: Imported = field(default_factory=Imported)

    def files(self, paths: list[Path]) -> Imported:
        """Import files, in order. Raises BadInput before anything is imported where one cannot be read."""
        for path in paths:
            try:
                with path.open("rb") as file:
                    file.read(1)
            except OSError as error:
                raise BadInput(str(path), f"cannot be read: {error.strerror or error}") from None
        rows = self._rows(paths)
        for path in paths:
            self._file(rows(self._lines(path, self.progress), str(path)))
        return self.total

    def _rows(self, paths: list[Path]) -> Reader:
        """What reads the rows of one file, as this kind of switch writes them."""
        if self.switch.kind == "gateway":
            raise BadInput("--switch", f"{self.switch.name} is a gateway: it reports its calls over HTTP")
        kin = Kin()
        if self.switch.kind != "asterisk":
            for path in paths:
                kin.learn(self._lines(path, lambda read: None))
            kin.done()
        return reading(self.switch, kin)

    def _file(self, rows: Iterable[CallEvent | BadInput]) -> None:
        batch: list[CallEvent] = []
        for row in rows:
            if isinstance(row, BadInput):
                self.total.bad += 1
                self.complain(row)
                continue
            batch.append(row)
            if len(batch) >= self.batch:
                self._absorb(batch)
                batch = []
        self._absorb(batch)

    def _lines(self, path: Path, progress: Callable[[int], None]) -> Iterator[str]:
        """Lines as the switch ended them, cut where they are too long to be any. What is not UTF-8 becomes
        U+FFFD, as Asterisk itself does it."""
        read = 0
        with path.open("rb") as file:
            while line := file.readline(LONGEST_LINE):
                read += len(line)
                rest = line
                while len(rest) == LONGEST_LINE and not rest.endswith(b"\n"):
                    rest = file.readline(LONGEST_LINE)
                    read += len(rest)
                if read >= TOLD_AT_ONCE:
                    progress(read)
                    read = 0
                yield line.decode("utf-8", "replace")
        progress(read)

    def _absorb(self, batch: list[CallEvent]) -> None:
        if batch:
            done = self.ledger.absorb(batch)
            now = time.time()       # a row from the future proves nothing but a wrong time zone
            ends = [event.at for event in batch if event.at <= now]
            self.total.since = min(self.total.since, *ends, float("inf"))
            self.total.until = max(self.total.until, *ends, float("-inf"))
            self.total.rows += len(batch)
            self.total.new += done.new
            self.total.completed += done.completed
            self.total.unchanged += done.unchanged
