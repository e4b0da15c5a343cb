"""Where log lines go, and what becomes of them where they cannot: nothing that anybody waits for.

In: a stream, and lines. Out: the lines that it took; how many it did not. A disk that is full, a pipe whose
reader is gone or a terminal that was closed is no reason to stop answering calls.
Refuses to know: what is said.
"""

from __future__ import annotations

from typing import TextIO


class LogStream:
    """Writes to `out` as long as it takes anything; see the module. `lost` counts the lines that it refused
    since it last took one; before the next that it takes it says so in `words`, which hold "%d"."""

    def __init__(self, out: TextIO, words: str) -> None:
        self._out = out
        self._words = words
        self.lost = 0

    def write(self, text: str) -> int:
        """All of the text, or nothing is said of it."""
        try:
            if self.lost:
                self._out.write(f"{self._words % self.lost}\n")
                self._out.flush()
                self.lost = 0
            self._out.write(text)
            self._out.flush()
        except (OSError, ValueError):       # ValueError: the stream was closed
            self.lost += 1
        return len(text)

    def flush(self) -> None:
        """Nothing waits here: each line is on its way when it is written."""

    def isatty(self) -> bool:
        """Whether people read it as it is written."""
        return self._out.isatty()
