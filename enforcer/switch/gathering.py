"""Events of a busy switch are read many at a time: to wake up costs more than to read an event does.

In: the transport of a connection, and word of each read. Out: reading paused for a moment, unless somebody
waits for what comes next. Refuses to know: what was read.

A process that wakes up for each event finds the processor's caches cold, and takes several times as long for
it as for one of fifty that it reads in one go. So after a second with `MANY` reads, what comes within `PAUSE`
of a read is read together. Where there is less to read everything is read at once: it costs nothing there,
and the first question for a while waits for nobody. Nobody waits for an event: a lease that has to go goes
`PAUSE` later at the most. Whoever does wait, for an answer or with a question, is `prompt`, and nothing
pauses then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

PAUSE = 0.05        # s
WIDE = 0.02         # s, where an event has 6 KB: what piles up at a hundred calls a second is 70 KB
ACTING = 0.01       # s, where we are to end calls that a first event tells of
MANY = 15           # reads in a second; fewer than `PAUSE` leaves of them, so that who gathers goes on


class Gathering:
    """See the module. `seconds` 0: every read is at once."""

    def __init__(self, seconds: float = PAUSE) -> None:
        self.seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._paused: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._held: asyncio.TimerHandle | None = None
        self._since, self._reads, self._busy = 0.0, 0, False

    def hold(self, read: Callable[[], object]) -> None:
        """Something was received that waits, for a moment at most, until it is read."""
        if self._held is None:
            self._held = self._loop.call_later(self.seconds, self._due, read)

    def _due(self, read: Callable[[], object]) -> None:
        self._held = None
        read()

    def read(self, transport: asyncio.Transport | None) -> None:
        """Something was read, and nobody waits for what comes next."""
        if not self._pays() or not self.seconds or self._timer is not None:
            return
        if transport is None or transport.is_closing():
            return
        transport.pause_reading()
        self._paused = transport
        self._timer = self._loop.call_later(self.seconds, self.prompt)

    def _pays(self) -> bool:
        """One read more: whether the second before this one had many."""
        now = self._loop.time()
        if now - self._since >= 1.0:
            self._busy = self._reads >= MANY and now - self._since < 2.0
            self._since, self._reads = now, 0
        self._reads += 1
        return self._busy

    def prompt(self) -> None:
        """Somebody waits for what comes next, or the moment is over."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        paused, self._paused = self._paused, None
        if paused is not None and not paused.is_closing():
            paused.resume_reading()
