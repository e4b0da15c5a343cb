"""Whose turn it is to write: the threads of this process, one after the other, in the order they came.

In: a file, threads that want to write into it. Out: the turn, to each in its order.
Refuses to know: what is written, and other processes: with those SQLite sorts it out.

SQLite lets one write at a time and has no queue: whoever finds the file taken sleeps, looks again, and gives
up after its patience, however short the others write; so a thread that writes all the time may keep another
out for good. In here nobody is kept out: what one thread writes is some hundred rows, and the next is whoever
came first. Only a disk that hangs makes a turn last for seconds; who waits is told then, and waits no longer.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from weakref import WeakValueDictionary

LONGEST = 2.0       # seconds


class Turns:
    """The threads that want to write into one file. A thread that has its turn must not ask for another."""

    def __init__(self) -> None:
        self._ready = threading.Condition()
        self._row: deque[int] = deque()         # whoever has the turn, and behind it who waits

    @contextmanager
    def mine(self) -> Iterator[None]:
        """Waits for the turn; the next one has it when this is left. Raises TimeoutError where it does not
        come."""
        me = threading.get_ident()
        with self._ready:
            if me in self._row:
                raise RuntimeError("this thread writes already")
            self._row.append(me)
        try:
            with self._ready:
                if not self._ready.wait_for(lambda: self._row[0] == me, LONGEST):
                    raise TimeoutError
            yield
        finally:
            with self._ready:
                self._row.remove(me)
                self._ready.notify_all()


_all: WeakValueDictionary[tuple[int, int], Turns] = WeakValueDictionary()
_finding = threading.Lock()


def turns_of(path: Path) -> Turns:
    """The turns of a file that is there, by whatever name it is called: the same for all in this process.
    Raises OSError where it is not there."""
    found = os.stat(path)
    with _finding:
        return _all.setdefault((found.st_dev, found.st_ino), Turns())
