"""A real Asterisk 22 on free loopback ports, in a directory of its own, gone when you leave.

In: the provisioned programs and, if wanted, further configuration. Out: a booted switch: its ports, its
Master.csv, its console, an AMI session for tests. Refuses to know who calls and who enforces.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import shutil
import socket
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from lab.ami import Ami
from lab.process import Child, LabFailed, free_port
from lab.provision import ROOT, Provisioned

TEMPLATES = ROOT / "docker" / "asterisk"
DIALPLAN = ROOT / "dialplan" / "asterisk"

_NO_HOOK = """\
; The switch without an enforcer: the yardstick.
[enforcer]
exten => s,1,Return()
"""

_LOCAL_MANAGER = """\
[lab]
secret = {secret}
deny = 0.0.0.0/0.0.0.0
permit = 127.0.0.1/255.255.255.255
read = all
write = all
writetimeout = 10000
"""


def render(templates: Path, values: Mapping[str, str | int], target: Path) -> None:
    """Write every `*.conf` of `templates` to `target` with each @NAME@ filled in. Raises LabFailed on an
    unknown name."""
    target.mkdir(parents=True, exist_ok=True)
    for template in sorted(templates.glob("*.conf")):

        def fill(match: re.Match[str], template: Path = template) -> str:
            if match[1] not in values:
                raise LabFailed(f"{template.name} wants @{match[1]}@, which nobody gives")
            return str(values[match[1]])

        (target / template.name).write_text(re.sub(r"@([A-Z][A-Z_]*)@", fill, template.read_text()))


class Asterisk:
    """One switch. `async with Asterisk(parts) as switch:`, or start() and stop() by hand, also repeatedly:
    ports, AstDB and Master.csv stay the same over a restart, until close().

    hook      False: the dialplan's hook returns at once and the enforcer is not asked (the yardstick)
    accounts  further account names beside acme, globex, initech and umbrella
    variables global dialplan variables, e.g. {"ENF_ASK": "agi", "ENF_AGI": "agi://127.0.0.1:4573/ask"}
    files     further configuration: `extensions_local.conf` and `pjsip_local.conf` are included if given,
              any other name replaces the template of that name
    env       the environment of its process, where it is not ours
    """

    def __init__(
        self,
        parts: Provisioned,
        *,
        hook: bool = True,
        accounts: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
        files: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._parts = parts
        self._env = env
        self.directory = Path(tempfile.mkdtemp(prefix="lab-asterisk-"))
        self.sip_port = free_port()
        self.ami_port = free_port(socket.SOCK_STREAM)
        self.carrier_port = free_port()
        """Where the trunk's far end is expected: start a `lab.sipp.Callee` there."""
        self.phones_port = free_port()
        """Where the accounts' phones are expected for inbound calls."""
        self.secret = secrets.token_hex(8)
        """Password of the AMI user `enforcer` (and of `lab`, which may do everything)."""
        self._child: Child | None = None
        self._render(hook, accounts, variables or {}, dict(files or {}))

    # --- where things are

    @property
    def sip_address(self) -> str:
        return f"127.0.0.1:{self.sip_port}"

    @property
    def cdr_path(self) -> Path:
        """Asterisk's own Master.csv (absent before the first call ended)."""
        return self.directory / "var" / "log" / "cdr-csv" / "Master.csv"

    @property
    def pid(self) -> int:
        if self._child is None:
            raise LabFailed("Asterisk is not running")
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.running

    def log_text(self) -> str:
        """What Asterisk wrote as notice, warning and error, since the directory was made."""
        path = self.directory / "var" / "log" / "messages.log"
        return path.read_text(errors="replace") if path.exists() else ""

    # --- life

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

    async def start(self, within: float = 30.0) -> None:
        """Start and wait until the switch itself says FullyBooted. Raises LabFailed with its last words.

        Call it from a thread that lives as long as the switch must.
        """
        command = [
            *self._parts.command("asterisk"),
            *("-C", str(self.directory / "etc" / "asterisk.conf"), "-f", "-n"),
        ]
        self._child = Child(command, log=self.directory / "console.log", cwd=self.directory, env=self._env)
        try:
            async with asyncio.timeout(within):
                await self._booted()
        except TimeoutError:
            self._child.kill()
            words = self._child.last_words()
            raise LabFailed(f"Asterisk did not boot within {within:g} s:\n{words}") from None
        except BaseException:
            self._child.kill()
            raise

    async def stop(self) -> None:
        """End the switch: SIGTERM, then SIGKILL (a stop right at boot is known to hang)."""
        if self._child is not None:
            await self._child.stop()
            self._child = None

    def kill(self) -> None:
        """SIGKILL, as a power cut: what AstDB acknowledged in the last second may be lost."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def close(self) -> None:
        """End the switch at once if it still runs, and delete its directory."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    # --- talking to it

    def ami(self, username: str = "lab") -> Ami:
        """An AMI session to enter with `async with`. User `lab` sees and may do everything."""
        return Ami("127.0.0.1", self.ami_port, username, self.secret)

    async def cli(self, line: str) -> str:
        """What the console prints for one command."""
        async with self.ami() as session:
            return await session.command(line)

    async def _booted(self) -> None:
        assert self._child is not None
        while self._child.running:
            try:
                async with self.ami() as session:
                    await session.event("FullyBooted")
                    return
            except (OSError, EOFError):  # not listening yet
                await asyncio.sleep(0.05)
        raise LabFailed(f"Asterisk ended with {self._child.returncode}:\n{self._child.last_words()}")

    def _render(
        self, hook: bool, accounts: Sequence[str], variables: Mapping[str, str], files: dict[str, str]
    ) -> None:
        etc, var = self.directory / "etc", self.directory / "var"
        for name in ("lib", "cache", "spool", "log/cdr-csv", "sbin"):
            (var / name).mkdir(parents=True)
        (self.directory / "run").mkdir()
        values: dict[str, str | int] = {
            "ETC": str(etc),
            "MODULES": str(self._parts.plugins),
            "DATA": str(self._parts.share),
            "VAR": str(var),
            "RUN": str(self.directory / "run"),
            "SYSTEM_NAME": "lab",
            "AMI_BIND": "127.0.0.1",
            "AMI_PORT": self.ami_port,
            "AMI_SECRET": self.secret,
            "AMI_PERMIT": "127.0.0.1/255.255.255.255",
            "SIP_BIND": "127.0.0.1",
            "SIP_PORT": self.sip_port,
            # below the kernel's own ephemeral range; two switches may share it, each skips ports in use
            "RTP_START": 20000,
            "RTP_END": 29998,
            "CARRIER": f"127.0.0.1:{self.carrier_port}",
            "PHONES": f"127.0.0.1:{self.phones_port}",
        }
        render(TEMPLATES, values, etc)
        for path in DIALPLAN.glob("*.conf"):
            shutil.copy(path, etc)
        if not hook:
            (etc / "enforcer.conf").write_text(_NO_HOOK)
        files["manager_local.conf"] = _LOCAL_MANAGER.format(secret=self.secret)
        files["globals_local.conf"] = "".join(f"{name}={value}\n" for name, value in variables.items())
        if accounts:
            named = "".join(
                f"[{name}](account)\naccountcode = {name}\nmessage_context = messages-{name}\naors = {name}\n"
                f"[{name}](phone)\ncontact = sip:{name}@127.0.0.1:{self.phones_port}\n"
                for name in accounts
            )
            files["pjsip_local.conf"] = named + files.get("pjsip_local.conf", "")
            contexts = "".join(f"[messages-{name}](account-messages)\n" for name in accounts)
            files["messages_local.conf"] = contexts + files.get("messages_local.conf", "")
        for name, text in files.items():
            (etc / name).write_text(text)
