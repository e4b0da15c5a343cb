"""The enforcer as its users run it: a process beside a switch, with a configuration of its own.

In: a switch, a policy, accounts. Out: a running `enforcer run`, its log lines, its command line.
Refuses to know what the enforcer is made of.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

from lab.process import Child, LabFailed

SECRET = "ENFORCER_AMI_SECRET"

_CONFIG = """\
site = "lab"

[ledger]
url = "sqlite:///enforcer.db"

[policy]
packs = [{packs}]
mode = "{mode}"
{breaker}
[[switch]]
name = "pbx1"
host = "127.0.0.1"
port = {port}
secret_env = "{secret}"
{more}
"""
# Rules are tried on a few accounts, most of which they then refuse: that is what trips it.
_NO_BREAKER = """
[breaker]
enabled = false
"""


class Switch(Protocol):
    """What an enforcer has to know of its switch."""

    @property
    def ami_port(self) -> int:
        """Where it listens; of a FreeSWITCH, its event socket."""

    @property
    def secret(self) -> str:
        """The password there."""


class Enforcer:
    """One enforcer in `directory`. `async with`, or start() and stop() by hand, also repeatedly: the ledger
    stays. `policy` is the text of a pack, or of several, `accounts` CSV rows under the importing header,
    `more` TOML that follows the [[switch]] table, `before` the words of a command that runs it: ("nice",)."""

    def __init__(
        self, directory: Path, switch: Switch, policy: str | Sequence[str], *, accounts: str = "",
        mode: str = "block", more: str = "", env: Mapping[str, str] | None = None,
        before: Sequence[str] = (),
    ) -> None:
        self.directory = directory
        self.config = directory / "enforcer.toml"
        packs = []
        for number, text in enumerate([policy] if isinstance(policy, str) else policy, 1):
            packs.append("policy.toml" if number == 1 else f"policy{number}.toml")
            (directory / packs[-1]).write_text(text)
        self.config.write_text(_CONFIG.format(
            packs=", ".join(f'"{name}"' for name in packs), mode=mode, port=switch.ami_port, secret=SECRET,
            more=more, breaker="" if "[breaker]" in more else _NO_BREAKER,
        ))
        self._accounts = accounts
        self._before = before
        self._env = {**os.environ, **(env or {}), SECRET: switch.secret, "PYTHONUNBUFFERED": "1"}
        self._log = directory / "enforcer.log"
        self._child: Child | None = None
        self._from = 0

    @property
    def pid(self) -> int:
        """Of the running process."""
        if self._child is None:
            raise LabFailed("the enforcer is not running")
        return self._child.pid

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self, level: bool = True) -> None:
        """Import the accounts, start, and wait until the switch's orders are written."""
        if self._accounts:
            file = self.directory / "accounts.csv"
            file.write_text("account,customer,type,channels,plan,anchor_day,timezone\n" + self._accounts)
            await self.command("account", "import", str(file))
            self._accounts = ""
        self._from = len(self._read())
        self._child = Child(
            [*self._before, sys.executable, "-m", "enforcer", "run", "--config", str(self.config)],
            log=self._log, env=self._env,
        )
        if level:
            await self.line(lambda line: line.get("event") == "level with the switch")

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL where that is not heeded."""
        if self._child is not None:
            await self._child.stop()
            self._child = None

    def kill(self) -> None:
        """SIGKILL."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def lines(self) -> list[dict[str, Any]]:
        """The log since the last start."""
        text = self._read()[self._from :]
        return [json.loads(line) for line in text.splitlines() if line.startswith("{") and line.endswith("}")]

    def decisions(self, **fields: object) -> list[dict[str, Any]]:
        """The decisions logged since the last start that have these fields."""
        return [
            line for line in self.lines()
            if line.get("event") == "decision" and all(line.get(k) == v for k, v in fields.items())
        ]

    async def line(self, wanted: Callable[[dict[str, Any]], bool], within: float = 15.0) -> dict[str, Any]:
        """The first log line since the last start that is wanted, as soon as it is there."""
        try:
            async with asyncio.timeout(within):
                while True:
                    for line in self.lines():
                        if wanted(line):
                            return line
                    if self._child is not None and not self._child.running:
                        raise LabFailed(f"the enforcer ended:\n{self._child.last_words()}")
                    await asyncio.sleep(0.01)
        except TimeoutError:
            last = self._read()[-1500:]
            raise LabFailed(f"no such log line within {within:g} s; the last are:\n{last}") from None

    async def command(self, *words: str, expect: int = 0) -> str:
        """What `enforcer WORDS...` prints. Raises LabFailed where its exit code is not `expect`."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "enforcer", *words, "--config", str(self.config), env=self._env,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        if process.returncode != expect:
            said = f"exit {process.returncode}\n{out.decode()}{err.decode()}"
            raise LabFailed(f"enforcer {' '.join(words)}: {said}")
        return out.decode()

    async def json(self, *words: str) -> Any:
        """What `enforcer WORDS... --json` prints, parsed."""
        return json.loads(await self.command(*words, "--json"))

    def _read(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""
