"""What a service manager hears of us: that we are ready, that we are alive, that we are going.

In: the environment that systemd starts a service with. Out: datagrams to its socket (sd_notify(3)),
"READY=1", "WATCHDOG=1", "STOPPING=1". Started otherwise, nobody hears anything.
Refuses to know: what we do. A manager that does not listen costs us nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

AUTOGROUP = Path("/proc/self/autogroup")


@dataclass(frozen=True, slots=True)
class Supervisor:
    """`address` is the socket's, "" where nobody listens; `watchdog` the seconds after which silence is taken
    for death, 0 where nobody waits."""

    address: str = ""
    watchdog: float = 0.0

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Supervisor:
        """Whoever started us. A watchdog that is set for another process is not ours."""
        micros = environment.get("WATCHDOG_USEC", "")
        ours = environment.get("WATCHDOG_PID", "") in ("", str(os.getpid()))
        told = micros.isascii() and micros.isdecimal() and len(micros) < 18
        watchdog = int(micros) / 1e6 if ours and told else 0.0
        return cls(environment.get("NOTIFY_SOCKET", ""), watchdog)

    def ready(self) -> None:
        """We do what we are there for."""
        self._tell("READY=1")

    def stopping(self) -> None:
        """We have been told to stop, and do."""
        self._tell("STOPPING=1")

    async def watched(self) -> None:
        """Say that the loop turns, three times in each span that is waited for; until cancelled."""
        while self.watchdog > 0:
            self._tell("WATCHDOG=1")
            await asyncio.sleep(self.watchdog / 3)

    def _tell(self, line: str) -> None:
        if not self.address.startswith(("/", "@")):
            return
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.setblocking(False)
            out.sendto(line.encode(), address)


def give_way(nice: int) -> None:
    """Let others on the same processors go first, at least so far (0 to 19). Never the other way: whoever
    started us may have set more, or forbidden it."""
    with contextlib.suppress(OSError):
        if os.getpriority(os.PRIO_PROCESS, 0) < nice:
            os.setpriority(os.PRIO_PROCESS, 0, nice)
            stand_back(nice)


def stand_back(nice: int) -> None:
    """The same for our session, where it is ours alone. Kernels with autogroups (sched(7)) share the
    processor out between sessions first, and the nice value of a process counts only within its own: beside
    a switch of another session it alone would change nothing. Under a service manager or in a container,
    what counts is the weight that they give us (`CPUWeight=`, `cpu_shares`)."""
    if os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):      # no autogroups, or too soon after the last time
            AUTOGROUP.write_text(str(nice))


NOBODY = Supervisor()
