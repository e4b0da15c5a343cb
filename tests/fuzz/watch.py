"""That no input is worked at for ever.

In: the number of the input at work. Out: `Spinning` where one takes too long.
Refuses to know: what the work is. Time is the process's own: a machine that is busy with others is no spin.
"""

from __future__ import annotations

import signal
from types import FrameType

import structlog

TICK = 1.0          # s of this process's time
MOST_TICKS = 3      # that one input may see


class Spinning(Exception):
    """An input took longer than any may."""


class Watch:
    """Set `number` for each input."""

    def __init__(self) -> None:
        self.number = 0
        self._seen = -1
        self._ticks = 0
        signal.signal(signal.SIGVTALRM, self._tick)
        signal.setitimer(signal.ITIMER_VIRTUAL, TICK, TICK)

    def stop(self) -> None:
        """Watch no more."""
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)

    def _tick(self, _signal: int, _frame: FrameType | None) -> None:
        self._ticks = self._ticks + 1 if self._seen == self.number else 0
        self._seen = self.number
        if self._ticks >= MOST_TICKS:
            self._ticks = 0
            raise Spinning(f"more than {MOST_TICKS * TICK:g} s at one input")


def silent() -> None:
    """What the product would log of millions of inputs is not written."""
    structlog.configure(processors=[_dropped])


def _dropped(*_: object) -> str:
    raise structlog.DropEvent
