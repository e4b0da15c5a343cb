"""Programs of the lab on the loopback: free ports, a child that cannot outlive us, stop, freeze and thaw.

In: a command line. Out: a running child, by its pid. Refuses to know what the child speaks.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections import deque
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
_GIVEN: deque[int] = deque(maxlen=500)      # ports


class LabFailed(Exception):
    """A program of the lab did not do what it had to; the text says which and quotes its last words."""


def free_port(*kinds: socket.SocketKind, host: str = "127.0.0.1") -> int:
    """A port that nothing holds at this moment and that we did not give away lately, free for each of these
    kinds of socket (UDP and TCP where none is named: SIP has both on one port).

    Below the kernel's range of ephemeral ports: it is bound some seconds from now, and a client of somebody's
    could have got it by then (seen on a busy machine). Workers that share a test suite share the ports too.
    """
    first, many = _ports(os.environ)
    while True:
        port = first + secrets.randbelow(many)
        if port in _GIVEN:
            continue
        with contextlib.ExitStack() as held, contextlib.suppress(OSError):
            for kind in kinds or (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                held.enter_context(socket.socket(socket.AF_INET, kind)).bind((host, port))
            _GIVEN.append(port)
            return port


def _ports(environment: Mapping[str, str]) -> tuple[int, int]:
    """The first port that is ours to give, and how many there are."""
    worker = int(environment.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    workers = int(environment.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    return 10_000 + worker * (10_000 // workers), 10_000 // workers


def run_apart(work: Coroutine[Any, Any, T]) -> T:
    """Run in an event loop of its own and leave the thread's alone: for what outlives any one test's loop."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


def freeze(pid: int) -> None:
    """Stop a process in its tracks (SIGSTOP), all its threads, before this returns: its sockets stay open."""
    os.kill(pid, signal.SIGSTOP)
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        threads = Path(f"/proc/{pid}/task").glob("*/stat")
        if {path.read_text().rpartition(")")[2].split()[0] for path in threads} <= {"T", "Z"}:
            return
        time.sleep(0.002)
    raise LabFailed(f"process {pid} did not stop")


def thaw(pid: int) -> None:
    """Let a frozen process go on."""
    os.kill(pid, signal.SIGCONT)


def guarded(command: Sequence[str]) -> list[str]:
    """The command, killed by the kernel when the thread that starts it is gone, however we die.

    setpriv is in util-linux, which every Debian has; without it an orderly stop still ends the child.
    """
    return [*(("setpriv", "--pdeathsig", "KILL", "--") if shutil.which("setpriv") else ()), *command]


class Child:
    """One program we started; see `guarded`."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._log = log
        with log.open("ab") as sink:
            self._process = subprocess.Popen(
                guarded(command), stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, cwd=cwd, env=env
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

    async def wait(self, within: float) -> int:
        """Its exit status. Raises TimeoutError after `within` seconds (the child goes on)."""
        # Polled: a child waiter of asyncio belongs to one event loop, this object may outlive several.
        async with asyncio.timeout(within):
            while (status := self._process.poll()) is None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return status

    async def stop(self, patience: float = 3.0) -> None:
        """SIGTERM; SIGKILL after `patience` seconds, or at once if we are cancelled meanwhile."""
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
