"""A program of the lab in a directory of its own: started, waited for, stopped, and gone with its directory.

In: a command line, an environment, and what tells that it is ready (`command`, `surroundings`, `ready` of the
kind at hand). Out: a running program, its process; of a switch, its password too.
Refuses to know what it speaks and how it is configured.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from lab.process import Child, LabFailed


class OwnProgram:
    """`async with` one, or start() and stop() by hand, also repeatedly: ports and directory stay the same
    over a restart, until close(). A kind of program says how it is called, started, and found ready."""

    name = "the program"
    patience = 3.0
    """Seconds it has for an orderly end; 0: it is killed."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix=f"lab-{self.name.lower()}-"))
        self._child: Child | None = None

    # --- what each kind does in its own way

    def command(self) -> list[str]:
        """What starts it, in the foreground."""
        raise NotImplementedError

    def surroundings(self) -> Mapping[str, str] | None:
        """What its process is given, None: what we have."""
        return None

    async def ready(self) -> bool:
        """Whether it is by now; may wait a moment for that. Not listening yet is False."""
        raise NotImplementedError

    def log_text(self) -> str:
        """What it wrote as warning and error, since the directory was made."""
        return ""

    # --- its process

    @property
    def pid(self) -> int:
        if self._child is None:
            raise LabFailed(f"{self.name} is not running")
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.running

    # --- its life

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self.stop()
        finally:
            self.close()

    async def start(self, within: float = 60.0) -> None:
        """Start and wait until it is ready. Raises LabFailed, its last words.

        Call it from a thread that lives as long as the program must.
        """
        self._child = Child(
            self.command(), log=self.directory / "console.log", cwd=self.directory, env=self.surroundings()
        )
        try:
            async with asyncio.timeout(within):
                while not await self.ready():
                    if not self._child.running:
                        raise LabFailed(f"{self.name} ended with {self._child.returncode}:\n{self._words()}")
                    await asyncio.sleep(0.05)
        except TimeoutError:
            self._child.kill()
            raise LabFailed(f"{self.name} is not ready after {within:g} s:\n{self._words()}") from None
        except BaseException:
            self._child.kill()
            raise

    async def stop(self) -> None:
        """End it: SIGTERM, then SIGKILL."""
        if self._child is not None:
            await self._child.stop(patience=self.patience)
            self._child = None

    def kill(self) -> None:
        """SIGKILL, as a power cut: what a database acknowledged in the last second may be lost."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def close(self) -> None:
        """End it at once if it still runs, and delete its directory."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _words(self) -> str:
        said = self._child.last_words() if self._child is not None else ""
        return "\n".join([said, *self.log_text().splitlines()[-8:]]).strip()


class OwnSwitch(OwnProgram):
    """A switch of ours; it is ready when it takes calls."""

    name = "the switch"
    sip_port: int

    def __init__(self) -> None:
        super().__init__()
        self.secret = secrets.token_hex(8)
        """The password that lets the enforcer in."""

    @property
    def sip_address(self) -> str:
        return f"127.0.0.1:{self.sip_port}"
