"""Programs of the lab on the loopback: free ports, a child that cannot outlive us, stop, freeze and thaw.

In: a command line. Out: a running child, by its pid. Refuses to know what the child speaks.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


class LabFailed(Exception):
    """A program of the lab did not do what it had to; the text says which and quotes its last words."""


def free_port(kind: socket.SocketKind = socket.SOCK_DGRAM, host: str = "127.0.0.1") -> int:
    """A loopback port that nothing holds at this moment."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def freeze(pid: int) -> None:
    """Stop a process in its tracks (SIGSTOP): its sockets stay open and silent."""
    os.kill(pid, signal.SIGSTOP)


def thaw(pid: int) -> None:
    """Let a frozen process go on."""
    os.kill(pid, signal.SIGCONT)


class Child:
    """One program we started. The kernel kills it when the thread that started it is gone, however we die."""

    def __init__(
        self, command: Sequence[str], *, log: Path, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        self._log = log
        # setpriv is in util-linux, which every Debian has; without it an orderly stop still ends the child.
        guard = ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []
        with log.open("ab") as sink:
            self._process = subprocess.Popen(
                [*guard, *command], stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, cwd=cwd, env=env
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def returncode(self) -> int | None:
        return self._process.poll()

    def last_words(self, lines: int = 12) -> str:
        """The end of what it printed."""
        text = self._log.read_text(errors="replace") if self._log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    async def wait(self, timeout: float) -> int:
        """Its exit status. Raises TimeoutError after `timeout` seconds (the child goes on)."""
        # Polled: a child waiter of asyncio belongs to one event loop, this object may outlive several.
        async with asyncio.timeout(timeout):
            while (status := self._process.poll()) is None:
                await asyncio.sleep(0.01)
        return status

    async def stop(self, patience: float = 3.0) -> None:
        """Ask it to end (SIGTERM), then make it (SIGKILL) after `patience` seconds, or at once if cancelled."""
        try:
            if self.running:
                self._process.send_signal(signal.SIGCONT)  # a frozen process hears nothing else but SIGKILL
                self._process.terminate()
                await self.wait(patience)
        except TimeoutError:
            pass
        finally:
            self.kill()

    def kill(self) -> None:
        """End it now (SIGKILL) and reap it."""
        if self.running:
            self._process.kill()
        self._process.wait()
