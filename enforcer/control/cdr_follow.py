"""A CDR file that the switch goes on writing: read from where it was left, also after it was rotated.

In: the switch's settings, a ledger, the file as it is now. Out: its new rows in the ledger, and with them, in
one transaction, the place that was read up to; since when nothing was missed. Refuses to know: what a row
means, gaps, and when it is time to look again.

    the file is the same, and has grown     go on at the remembered byte
    it was renamed, another one begun       the old one to its end, then the new one, once that has a row:
                                            until then the switch may still write into the old one
    it was copied and cut off               the copy from the remembered byte on, then the file from its start
    the old one is gone, or is packed       the new one from its start; what was between is missed, and told
    a row is no good                        the rest; but what is followed without a break begins anew there

The remembered byte is trusted where the line before it is still the one that was read (its digest). A line is
read when its end is written. Old files are looked for beside the file, under names that begin with its own.
"""

from __future__ import annotations

import glob
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from enforcer.control.cdr_import import LONGEST_LINE, reading
from enforcer.domain.call import CallEvent
from enforcer.domain.gap import IN_ORDER
from enforcer.errors import BadInput
from enforcer.ledger.port import Ledger, Place
from enforcer.settings_switch import SwitchSettings
from enforcer.wire.cdr_csv_kin import Kin
from enforcer.wire.cdr_csv_rows import MOST_LINES

BITE = 200              # lines read and written at once: some 20 ms of one core
PAUSE = 0.02            # seconds between two bites of a running enforcer: calls come first
STILL_WRITING = 10.0    # seconds for which a row that seems unfinished may become one with the next line
LOOK_BACK = 256 * 1024  # bytes before the place in which legs of the same calls may stand (FreeSWITCH)
UNKNOWN = float("inf")
PACKED = (".gz", ".bz2", ".xz", ".zst")

Rows = Iterator[CallEvent | BadInput]


@dataclass(slots=True)
class Swept:
    """What came of one look. `trouble` says what could not be read; `place` is where the next look begins."""

    rows: int = 0
    new: int = 0
    completed: int = 0
    unchanged: int = 0
    bad: int = 0
    trouble: str = ""
    place: Place | None = None


@dataclass(slots=True)
class Follower:
    """See the module. `opened` opens the ledger, for each look anew: what is registered is known then.
    `complain` is told each bad row. `pause` (seconds) is slept between bites; `stopped` says that it is
    enough."""

    switch: SwitchSettings
    path: Path
    opened: Callable[[], AbstractContextManager[Ledger]]
    complain: Callable[[BadInput], None]
    clock: Callable[[], float] = time.time
    pause: float = 0.0
    stopped: Callable[[], bool] = lambda: False
    _swept: Swept = field(default_factory=Swept)
    _seen: tuple[int, int, float] = (0, 0, 0.0)     # inode, size and time of the last look

    def sweep(self) -> Swept:
        """Read what is new, to the end. Raises LedgerError; then nothing is remembered that was not
        written."""
        self._swept = Swept()
        with self.opened() as ledger:
            place = ledger.places().get(self.switch.name)
            try:
                self._swept.place = self._read(ledger, place)
            except OSError as problem:
                self._swept.trouble = f"{self.path}: {problem.strerror or problem}"
                self._swept.place = place
        return self._swept

    def _read(self, ledger: Ledger, place: Place | None) -> Place | None:
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            if not self.path.parent.is_dir():   # a path that is wrong fills no gap
                raise
            if place is None:       # with no older file beside it, nothing was ever written
                since = self.clock() if any(self._named()) else 0.0
                place = Place(self.switch.name, 0, 0, 0, 0, "", since, self.clock())
                ledger.absorb([], place)
                return place
            if (old := self._old(place)) is not None:       # renamed just now, and not begun anew
                return self._finish(ledger, old, place)
            if place.position:
                raise
            return self._mark(ledger, place, self.clock())
        with file:
            found = os.fstat(file.fileno())
            same = place is not None and (found.st_dev, found.st_ino) == (place.device, place.inode)
            if place is not None and same and _is_at(file, place):
                return self._to_end(ledger, file, place)
            if place is not None and not found.st_size and (old := self._old(place)) is not None:
                return self._finish(ledger, old, place)
            begun = Place(self.switch.name, found.st_dev, found.st_ino, 0, 0, "", UNKNOWN, 0.0)
            if place is not None:
                place = self._finish_old(ledger, place, found.st_ino)
                begun = begun._replace(since=place.since, ended_at=place.ended_at)
            return self._to_end(ledger, file, begun)

    def _finish_old(self, ledger: Ledger, place: Place, inode: int) -> Place:
        """Read on in the file that was, and all that came after it; how far that came, with an infinite
        `since` where something was missed."""
        old = self._old(place)
        after = place.read_at
        if old is not None:
            after = old.stat().st_mtime
            place = self._finish(ledger, old, place, over=True)
        others = [p for p in self._named() if p.is_file() and p != old and p.stat().st_ino != inode]
        later = sorted((p for p in others if p.stat().st_mtime > after), key=lambda p: p.stat().st_mtime)
        # A file that was there is gone; one that was not there yet, or had no row, may have left nothing.
        gone = old is None and (place.position or place.inode)
        if gone or any(path.suffix in PACKED for path in later):
            self._swept.trouble = (
                f"{self.path}: it was replaced, and what it was is not beside it any more: import it with "
                f"`enforcer cdr import FILE --switch {self.switch.name}`"
            )
            return place._replace(since=UNKNOWN)
        for path in later:
            found = path.stat()
            whole = place._replace(device=found.st_dev, inode=found.st_ino, position=0, line=0, digest="")
            place = self._finish(ledger, path, whole, over=True)
        return place

    def _finish(self, ledger: Ledger, old: Path, place: Place, over: bool = False) -> Place:
        with old.open("rb") as file:
            found = os.fstat(file.fileno())
            place = place._replace(device=found.st_dev, inode=found.st_ino)
            return self._to_end(ledger, file, place, over)

    def _old(self, place: Place) -> Path | None:
        """The file that the place is in, under whatever name it has now; where nothing was read of it yet,
        the one of that number."""
        for path in self._beside():
            with path.open("rb") as file:
                found = os.fstat(file.fileno())
                same = (found.st_dev, found.st_ino) == (place.device, place.inode)
                if _is_at(file, place) if place.position else same:
                    return path
        return None

    def _beside(self) -> list[Path]:
        return [path for path in self._named() if path.suffix not in PACKED and path.is_file()]

    def _named(self) -> Iterator[Path]:
        return self.path.parent.glob(f"{glob.escape(self.path.name)}[.-]*")

    def _to_end(self, ledger: Ledger, file: BinaryIO, place: Place, over: bool = False) -> Place:
        """Read whole lines from the place to the end; `over`: nobody writes there any more."""
        rows = self._reader(file, place)
        now, found = self.clock(), os.fstat(file.fileno())
        upto, seen_at = found.st_size, now
        if self.pause and self.switch.kind != "asterisk" and not over:
            # Its legs' rows are read together or they are taken for calls of their own: a look late.
            inode, size, at = self._seen
            self._seen = found.st_ino, upto, now
            upto, seen_at = (size, at) if inode == found.st_ino else (place.position, place.read_at)
        file.seek(place.position)
        for lines in _bites(file, upto, over or now - found.st_mtime > STILL_WRITING):
            if self.stopped():
                return place
            bad = self._swept.bad
            events = self._events(rows(lines))
            last = lines[-1]
            position = place.position + sum(map(len, lines))
            place = place._replace(
                position=position, line=len(last), digest=hashlib.sha256(last).hexdigest(),
                since=self._since(place, events, bad), ended_at=self._ended_at(place, events, now),
            )
            done = ledger.absorb(events, place)
            swept = self._swept
            swept.rows += len(events)
            swept.new, swept.completed = swept.new + done.new, swept.completed + done.completed
            swept.unchanged += done.unchanged
            if self.pause:
                time.sleep(self.pause)
        # What is left of a row that is not whole yet may be of a call that ended long ago.
        # And of a FreeSWITCH's new file only the next look is to its end.
        return self._mark(ledger, place, seen_at) if place.position >= upto and seen_at else place

    def _since(self, place: Place, events: list[CallEvent], bad: int) -> float:
        """Since when nothing was missed: `bad` rows had been no good before these."""
        if self._swept.bad > bad:
            return UNKNOWN
        return events[0].at + IN_ORDER if events and place.since == UNKNOWN else place.since

    @staticmethod
    def _ended_at(place: Place, events: list[CallEvent], now: float) -> float:
        """The latest end. A row from the future proves nothing but a wrong time zone."""
        return max([place.ended_at, *(event.at for event in events if event.at <= now)])

    def _mark(self, ledger: Ledger, place: Place, at: float) -> Place:
        """The end as it was then is read."""
        place = place._replace(read_at=at, since=min(place.since, at))
        ledger.absorb([], place)
        return place

    def _events(self, rows: Rows) -> list[CallEvent]:
        found = []
        for row in rows:
            if isinstance(row, BadInput):
                self._swept.bad += 1
                self.complain(row)
            else:
                found.append(row)
        return found

    def _reader(self, file: BinaryIO, place: Place) -> Callable[[list[bytes]], Rows]:
        kin = Kin()
        if self.switch.kind != "asterisk":
            file.seek(max(0, place.position - LOOK_BACK))
            kin.learn(_text(line) for line in file)
            kin.done()
        read, name = reading(self.switch, kin), f"{self.path.name} after byte {place.position}"
        return lambda lines: read((_text(line) for line in lines), name)


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace")


def _bites(file: BinaryIO, upto: int, still: bool) -> Iterator[list[bytes]]:
    """Whole lines that begin before a byte, some at a time, cut where no quote is open. `still`: what is
    unfinished stays so."""
    lines: list[bytes] = []
    quotes = 0
    while True:
        line = file.readline(LONGEST_LINE) if file.tell() < upto else b""
        if not line or (not line.endswith(b"\n") and len(line) < LONGEST_LINE and not still):
            break
        lines.append(line)
        quotes += line.count(b'"')
        if len(lines) >= BITE and (quotes % 2 == 0 or len(lines) >= BITE + MOST_LINES):
            yield lines
            lines, quotes = [], 0
    while quotes % 2 and not still and lines:       # the last row may go on
        odd = lines.pop().count(b'"') % 2
        if odd:
            break
    if lines:
        yield lines


def _is_at(file: BinaryIO, place: Place) -> bool:
    """Whether the file is the one that was read up to this place."""
    if os.fstat(file.fileno()).st_size < place.position:
        return False
    file.seek(place.position - place.line)
    read = file.read(place.line)
    return not place.position or hashlib.sha256(read).hexdigest() == place.digest
