"""The house that faults strike: a real Asterisk, its far end, an enforcer behind a link that can be cut, and
accounts whose rules want different things while nobody can be asked.

In: how the switch asks, and what the fault needs. Out: a running house. Refuses to know: which fault it is.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from lab.asterisk import Asterisk
from lab.enforcer import Enforcer
from lab.process import free_port
from lab.provision import Provisioned
from lab.sipp import Callee
from tests.faults.links import Cable, Relay, namespaces
from tests.support.broker import PASSWORDS, Broker

DEADLINE = 0.32         # s: the dialplan's two waits together
SMALL = "8m"            # the file system of the ledger, where it is to be full


@dataclass(frozen=True, slots=True)
class Account:
    """One account of the house: the policy of its rule, and what its callers get when the enforcer answers
    and when nobody does (SIP codes). Those that answer 200 can have calls in progress."""

    policy: str
    answered: int
    unanswered: int


ACCOUNTS: dict[str, Account] = {
    "open": Account("open", 200, 200),
    "open-over": Account("open", 403, 200),
    "closed": Account("closed", 200, 503),
    "known": Account("last_known", 200, 200),
    "known-over": Account("last_known", 603, 603),
    "leased": Account("leased", 200, 200),
}
POLICIES = tuple(dict.fromkeys(account.policy for account in ACCOUNTS.values()))
HELP = "globex"         # who calls 911
_RULES = """
[pack]
name = "faults"
revision = "1"
[[rule]]                # far away, and yet no call passes unasked
id = "seen"
kind = "cps"
clause = "every call is seen"
critical = { at = 100000, verdict = "tag" }
accounts = ["open", "open-over", "closed", "known", "known-over"]
[[rule]]
id = "open"
kind = "attempts"
clause = "open"
critical = { at = 0, verdict = "block" }
accounts = ["open-over"]
[[rule]]
id = "closed"
kind = "attempts"
clause = "closed"
critical = { at = 1000000, verdict = "block" }
accounts = ["closed", "leased"]
on_failure = "closed"
[[rule]]
id = "known"
kind = "attempts"
clause = "last known"
critical = { at = 1000000, verdict = "block" }
accounts = ["known"]
on_failure = "last_known"
[[rule]]
id = "known-over"
kind = "attempts"
clause = "last known"
critical = { at = 0, verdict = "block", sip_code = 603 }
accounts = ["known-over"]
on_failure = "last_known"
"""


class House:
    """`asks` is "ami" or "agi". `wants`: "cable" (the enforcer in a namespace of its own, where we may),
    "small" (its ledger on a small file system, where we may), "broker", "clock" (of the enforcer),
    "switch clock". See the module."""

    def __init__(
        self, parts: Mapping[str, Provisioned], asks: str = "ami", wants: frozenset[str] = frozenset()
    ) -> None:
        self.parts = parts
        self.directory = Path(tempfile.mkdtemp(prefix="faults-"))
        self.clock = self.directory / "clock"
        self.clock.write_text("+0\n")
        self.asks = asks
        self.agi_port = free_port(socket.SOCK_STREAM)
        self.cable = Cable() if "cable" in wants and namespaces() else None
        self.small = self.directory / "small" if "small" in wants and namespaces() else None
        self.broker = Broker(parts) if "broker" in wants else None
        self.switch = Asterisk(
            parts["asterisk"], accounts=list(ACCOUNTS),
            variables={"ENF_ASK": asks, "ENF_AGI": f"agi://127.0.0.1:{self.agi_port}/ask"},
            env={**os.environ, **faked(parts, self.clock)} if "switch clock" in wants else None,
        )
        self.relay = Relay(self.switch.ami_port, self.cable.host if self.cable else "127.0.0.1")
        self.enforcer: Enforcer
        self._wants = wants
        self._stack = AsyncExitStack()

    @property
    def ledger(self) -> Path:
        """The file."""
        return (self.small or self.directory) / "enforcer.db"

    async def __aenter__(self) -> Self:
        try:
            await self._built()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _built(self) -> None:
        enter = self._stack.enter_async_context
        self._stack.callback(shutil.rmtree, self.directory, ignore_errors=True)
        self._stack.callback(self.switch.close)
        if self.small is not None:
            _mount(self.small)
            self._stack.callback(subprocess.run, ["umount", "-l", str(self.small)], check=False)
        if self.cable is not None:
            self._stack.enter_context(self.cable)
        await self.switch.start()
        self._stack.push_async_callback(self.switch.stop)
        await enter(Callee(self.parts["sipp"], self.switch.carrier_port))
        await enter(self.relay)
        if self.broker is not None:
            await enter(self.broker)
        self.enforcer = self._enforcer()
        await enter(self.enforcer)

    def _enforcer(self) -> Enforcer:
        env = {"FAULTS_MQTT": PASSWORDS["enforcer"]}
        if "clock" in self._wants:
            env |= faked(self.parts, self.clock)
        more = f'cdr_file = "{self.switch.cdr_path}"\n' + "[lease]\nseconds = 60\n"
        if self.asks == "agi":
            more += f"[door.agi]\nenabled = true\nport = {self.agi_port}\nmax_connections = 200\n"
        if self.broker is not None:
            more += f'[mqtt]\nurl = "mqtt://enforcer@127.0.0.1:{self.broker.port}"\n'
            more += 'secret_env = "FAULTS_MQTT"\n'
        enforcer = Enforcer(
            self.directory, self.switch, _RULES, more=more, env=env,
            accounts="".join(f"{name},{name},pbx,,,1,UTC\n" for name in (*ACCOUNTS, HELP)),
            before=self.cable.inside if self.cable else (),
        )
        text = enforcer.config.read_text()
        text = text.replace(
            f'host = "127.0.0.1"\nport = {self.switch.ami_port}',
            f'host = "{self.relay.host}"\nport = {self.relay.port}',
        )
        enforcer.config.write_text(text.replace("sqlite:///enforcer.db", f"sqlite:///{self.ledger}"))
        return enforcer


def _mount(small: Path) -> None:
    small.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "faults", str(small)]
    subprocess.run(command, check=True)


def faked(parts: Mapping[str, Provisioned], clock: Path) -> dict[str, str]:
    """The environment of a process whose wall clock differs by what stands in this file ("+3600")."""
    return {
        "LD_PRELOAD": str(parts["faketime"].share / "libfaketimeMT.so.1"),
        "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
