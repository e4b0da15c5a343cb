"""An event loop that does not turn gives the processor away: the switch beside it must not pay for our bug.

In: nothing but the thread that runs the loop. Out: that thread's scheduling class, idle while it is stuck,
and the weight of our session, the least.
Refuses to know: why it is stuck. A service manager's watchdog ends it in the end (`supervisor`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import threading
import time
from collections.abc import Callable

from enforcer.supervisor import stand_back

LEAST = 19          # of the nice values of a session
TURN, STUCK = 1.0, 3.0      # s: how often the loop shows that it turns, and after how long it does not


class Yielding:
    """Make it in the thread that runs the loop. `stuck` says whether it was when it was last looked at."""

    def __init__(self, turn: float = TURN, after: float = STUCK) -> None:
        self._turn, self._after = turn, after
        self._thread = threading.get_native_id()
        self._turned = time.monotonic()
        self._over = threading.Event()
        self._usual = max(0, os.getpriority(os.PRIO_PROCESS, 0))
        self.stuck = False
        self.on_change: Callable[[bool], object] = lambda stuck: None       # told in the thread that looks

    async def run(self) -> None:
        """Show that the loop turns, until cancelled; a thread of its own looks."""
        self._turned = time.monotonic()
        if may_return():
            threading.Thread(target=self._look, name="stuck", daemon=True).start()
        try:
            while True:
                self._turned = time.monotonic()
                await asyncio.sleep(self._turn)
        finally:
            self._over.set()

    def _look(self) -> None:
        looked = time.monotonic()
        while not self._over.wait(self._turn):
            before, looked = looked, time.monotonic()
            stuck = looked - self._turned > self._after
            if stuck == self.stuck or looked - before > self._after:
                continue        # (this thread did not run either: the whole process was stopped)
            self.stuck = stuck
            self.on_change(stuck)
            with contextlib.suppress(OSError):
                policy = os.SCHED_IDLE if stuck else os.SCHED_OTHER
                os.sched_setscheduler(self._thread, policy, os.sched_param(0))
            stand_back(LEAST if stuck else self._usual)


def may_return() -> bool:
    """Whether the kernel lets this process out of SCHED_IDLE again: root, or RLIMIT_NICE down to where we
    are. Who may not had better stay out of it: one bad moment would leave it behind everybody for good."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NICE)
    lowest = -20 if soft == resource.RLIM_INFINITY else 20 - soft
    return os.geteuid() == 0 or os.getpriority(os.PRIO_PROCESS, 0) >= lowest
