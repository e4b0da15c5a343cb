"""A FreeSWITCH of your own, on free loopback ports, in a directory of its own, gone when you leave.

In: the program (`ENFORCER_FREESWITCH`, or `freeswitch` in PATH). Out: a switch that takes calls: its ports,
its CDRs, its console. Refuses to know who calls and who enforces.

Nothing of an installed configuration is read. Accounts are believed, not authenticated: From's user is the
directory's user, as in the lab's Asterisk.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import socket
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from lab.process import Child, LabFailed, free_port
from lab.provision import ROOT

DIALPLAN = ROOT / "dialplan" / "freeswitch"
HOOKS = ("enforcer.xml", "emergency.xml")
PROGRAM = "ENFORCER_FREESWITCH"
MODULES = (
    "mod_event_socket", "mod_commands", "mod_dptools", "mod_hash", "mod_dialplan_xml", "mod_cdr_csv",
    "mod_loopback", "mod_conference", "mod_curl", "mod_sofia",
    "mod_logfile",
)
SETTINGS = {
    "switch": "max-sessions=5000 sessions-per-second=2000 loglevel=warning rtp-start-port=20000 "
              "rtp-end-port=29998",
    "event_socket": "listen-ip=127.0.0.1 listen-port={esl} password={secret} nat-map=false "
                    "stop-on-bind-error=true",
    "cdr_csv": "default-template=enforcer legs=ab master-file-only=true",
}
ASKING = (
    '<action application="multiset" data="^^|enforcer_direction=outbound|enforcer_number=$1'
    '|enforcer_again=${destination_number} XML ${context}"/>'
    '<action application="execute_extension" data="enforcer XML enforcer"/>'
)
PROFILE = (
    "sip-ip=127.0.0.1 rtp-ip=127.0.0.1 dialplan=XML auth-calls=false inbound-codec-prefs=PCMU "
    "outbound-codec-prefs=PCMU rtp-timer-name=soft manage-presence=false"
)
DOCUMENT = """\
<document type="freeswitch/xml">
  <section name="configuration">
    <configuration name="modules.conf"><modules>{modules}</modules></configuration>
    {settings}
    <configuration name="sofia.conf"><global_settings/><profiles>
      <profile name="accounts"><settings><param name="sip-port" value="{sip}"/>
        <param name="context" value="from-accounts"/>{profile}</settings></profile>
      <profile name="trunk"><gateways><gateway name="carrier"><param name="username" value="lab"/>
        <param name="password" value="none"/><param name="proxy" value="127.0.0.1:{far}"/>
        <param name="register" value="false"/></gateway></gateways>
        <settings><param name="sip-port" value="{trunk}"/><param name="context" value="from-trunk"/>{profile}
        </settings></profile>
    </profiles></configuration>
  </section>
  <section name="dialplan"><context name="from-accounts">
    <extension name="who" continue="true">
      <condition field="${{sip_from_user}}" expression="^([a-z]{{1,32}})$">
        <action application="set_user" data="$1@lab" inline="true"/></condition></extension>
    <X-PRE-PROCESS cmd="include" data="{directory}/emergency.xml"/>
    {extensions}<extension name="out"><condition field="destination_number" expression="^([0-9+*#]{{1,64}})$">
      {asking}<action application="bridge" data="sofia/gateway/carrier/$1"/></condition></extension>
  </context>
  <X-PRE-PROCESS cmd="include" data="{directory}/enforcer.xml"/>
  </section>
  <section name="directory"><domain name="lab">
    <groups><group name="all"><users>{users}</users></group></groups></domain></section>
</document>
"""
USER = '<user id="{0}"><variables><variable name="accountcode" value="{0}"/></variables></user>'


def program() -> str:
    """Where the FreeSWITCH is; "" where there is none."""
    return os.environ.get(PROGRAM) or shutil.which("freeswitch") or ""


class OwnFreeswitch:
    """One switch. `async with OwnFreeswitch() as switch:`.

    hook  False: the dialplan bridges at once and asks nobody (the yardstick)
    door  where it asks, a port on the loopback
    ask   how, see the head of enforcer.xml
    extensions  further ones, behind the emergency numbers; @ASK@ in them is the hook's two lines
    """

    def __init__(
        self, *, hook: bool = True, door: int = 8084, ask: str = "door", extensions: str = ""
    ) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="lab-freeswitch-"))
        self.sip_port, self.carrier_port, trunk = (_free_port() for _ in range(3))
        self.ami_port = free_port(socket.SOCK_STREAM)      # of the event socket, as `Enforcer` calls it
        self.secret = secrets.token_hex(8)
        self._child: Child | None = None
        for name in ("log", "conf", "run", "db"):
            (self.directory / name).mkdir()
        for file in HOOKS:
            shutil.copy(DIALPLAN / file, self.directory / "conf")
        names = {"esl": self.ami_port, "secret": self.secret}
        settings = "".join(
            f'<configuration name="{name}.conf"><settings>{_params(pairs.format(**names))}</settings>'
            f"{_template() if name == 'cdr_csv' else ''}</configuration>"
            for name, pairs in SETTINGS.items()
        )
        document = DOCUMENT.format(
            modules="".join(f'<load module="{name}"/>' for name in MODULES), settings=settings,
            sip=self.sip_port, trunk=trunk, far=self.carrier_port, profile=_params(PROFILE),
            asking=ASKING if hook else "", extensions=extensions.replace("@ASK@", ASKING),
            directory=self.directory / "conf",
            users="".join(USER.format(name) for name in ("acme", "globex")),
        )
        globals_ = {"enf_ask": ask, "enf_door": f"127.0.0.1:{door}", "emergency_gateway": "carrier"}
        named = "".join(
            f'<X-PRE-PROCESS cmd="set" data="{name}={value}"/>\n'
            for name, value in globals_.items()
        )
        (self.directory / "conf" / "freeswitch.xml").write_text(named + document)

    @property
    def sip_address(self) -> str:
        return f"127.0.0.1:{self.sip_port}"

    @property
    def cdr_path(self) -> Path:
        """All its CDRs."""
        return self.directory / "log" / "cdr-csv" / "Master.csv"

    @property
    def pid(self) -> int:
        if self._child is None:
            raise LabFailed("FreeSWITCH is not running")
        return self._child.pid

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
            if self._child is not None:
                await self._child.stop(patience=1)
        finally:
            self.close()

    async def start(self, within: float = 60.0) -> None:
        """Start and wait until it takes calls. Raises LabFailed with its last words."""
        places = {"conf": "conf", "log": "log", "db": "db", "run": "run", "temp": "run", "storage": "run",
                  "cache": "run", "recordings": "run", "certs": "run", "scripts": "run", "htdocs": "run"}
        words = [word for name, where in places.items() for word in (f"-{name}", str(self.directory / where))]
        self._child = Child(
            [program(), "-nf", "-nc", "-np", "-nonat", "-nocal", *words],
            log=self.directory / "console.log", cwd=self.directory,
        )
        try:
            async with asyncio.timeout(within):
                while not await self._ready():
                    if not self._child.running:
                        raise LabFailed(f"FreeSWITCH ended:\n{self._child.last_words()}")
                    await asyncio.sleep(0.1)
        except TimeoutError:
            words = self._child.last_words().splitlines()
            raise LabFailed("\n".join([f"FreeSWITCH took no calls within {within:g} s:", *words])) from None

    async def api(self, command: str) -> str:
        """What its console answers to one command; "" where it does not listen."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.ami_port)
        except OSError:
            return ""
        with contextlib.closing(writer):
            writer.write(f"auth {self.secret}\n\napi {command}\n\nexit\n\n".encode())
            said = await reader.read(-1)
        return said.partition(b"api/response")[2].decode(errors="replace")

    async def _ready(self) -> bool:
        if "is ready" not in await self.api("status"):
            return False
        return (await self.api("sofia status")).count("RUNNING") >= 2

    def close(self) -> None:
        """End the switch at once if it still runs, and delete its directory."""
        if self._child is not None:
            self._child.kill()
            self._child = None
        shutil.rmtree(self.directory, ignore_errors=True)


def _free_port() -> int:
    """Free over UDP and over TCP: FreeSWITCH takes both."""
    while True:
        port = free_port()
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _params(pairs: str) -> str:
    return "".join('<param name="{}" value="{}"/>'.format(*pair.split("=", 1)) for pair in pairs.split())


def _template() -> str:
    """The columns of our CDRs, as in the file that users copy."""
    text = (DIALPLAN / "cdr_csv.conf.xml.example").read_text()
    start = text.index("<templates>")
    return text[start : text.index("</templates>") + len("</templates>")]
