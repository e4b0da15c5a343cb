"""A real Asterisk 22 on free loopback ports, in a directory of its own, gone when you leave.

In: the provisioned programs and, if wanted, further configuration. Out: a booted switch: its ports, its
Master.csv, its console, an AMI session for tests. Refuses to know who calls and who enforces.
"""

from __future__ import annotations

import re
import shutil
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.ami import Ami
from lab.own_program import OwnSwitch
from lab.process import LabFailed, free_port
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


class Asterisk(OwnSwitch):
    """One switch, see `OwnSwitch`: AstDB and Master.csv too stay over a restart.

    hook      False: the dialplan's hook returns at once and the enforcer is not asked (the yardstick)
    accounts  further account names beside acme, globex, initech and umbrella
    variables global dialplan variables, e.g. {"ENF_ASK": "agi", "ENF_AGI": "agi://127.0.0.1:4573/ask"}
    files     further configuration: `extensions_local.conf` and `pjsip_local.conf` are included if given,
              any other name replaces the template of that name
    env       the environment of its process, where it is not ours
    """

    name = "Asterisk"

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
        super().__init__()
        self._parts = parts
        self._env = env
        self.sip_port = free_port()
        self.ami_port = free_port(socket.SOCK_STREAM)
        self.carrier_port = free_port()
        """Where the trunk's far end is expected: start a `lab.sipp.Callee` there."""
        self.phones_port = free_port()
        """Where the accounts' phones are expected for inbound calls."""
        # `secret` is the password of the AMI user `enforcer`, and of `lab`, which may do everything.
        self._render(hook, accounts, variables or {}, dict(files or {}))

    # --- where things are

    @property
    def cdr_path(self) -> Path:
        """Asterisk's own Master.csv (absent before the first call ended)."""
        return self.directory / "var" / "log" / "cdr-csv" / "Master.csv"

    def log_text(self) -> str:
        """What Asterisk wrote as notice, warning and error, since the directory was made."""
        path = self.directory / "var" / "log" / "messages.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def command(self) -> list[str]:
        """See `OwnSwitch`."""
        config = str(self.directory / "etc" / "asterisk.conf")
        return [*self._parts.command("asterisk"), "-C", config, "-f", "-n"]

    def surroundings(self) -> Mapping[str, str] | None:
        """See `OwnSwitch`."""
        return self._env

    async def ready(self) -> bool:
        """Whether it has said FullyBooted."""
        try:
            async with self.ami() as session:
                await session.event("FullyBooted")
                return True
        except (OSError, EOFError):     # not listening yet
            return False

    # --- talking to it

    def ami(self, username: str = "lab") -> Ami:
        """An AMI session to enter with `async with`. User `lab` sees and may do everything."""
        return Ami("127.0.0.1", self.ami_port, username, self.secret)

    async def cli(self, line: str) -> str:
        """What the console prints for one command."""
        async with self.ami() as session:
            return await session.command(line)

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
