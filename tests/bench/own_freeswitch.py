"""A FreeSWITCH of your own, on free loopback ports, in a directory of its own, gone when you leave.

In: the program (`ENFORCER_FREESWITCH`, or `freeswitch` in PATH). Out: a switch that takes calls: its ports,
its CDRs, its console. Refuses to know who calls and who enforces.

Nothing of an installed configuration is read. Accounts are believed, not authenticated: From's user is the
directory's user, as in the lab's Asterisk.
"""

from __future__ import annotations

import shutil
import socket

from lab.freeswitch import DIALPLAN, NAMED, AnyFreeswitch, installed
from lab.process import LabFailed, free_port

HOOKS = ("enforcer.xml", "emergency.xml")
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


class OwnFreeswitch(AnyFreeswitch):
    """One switch. `async with OwnFreeswitch() as switch:`.

    hook  False: the dialplan bridges at once and asks nobody (the yardstick)
    door  where it asks, a port on the loopback
    ask   how, see the head of enforcer.xml
    extensions  further ones, behind the emergency numbers; @ASK@ in them is the hook's two lines
    """

    patience = 1.0

    def __init__(
        self, *, hook: bool = True, door: int = 8084, ask: str = "door", extensions: str = ""
    ) -> None:
        super().__init__()
        self.sip_port, self.carrier_port, trunk = (free_port() for _ in range(3))
        self.esl_port = self.ami_port = free_port(socket.SOCK_STREAM)      # the latter as `Enforcer` calls it
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

    def command(self) -> list[str]:
        """See `lab.own_program`."""
        places = {"conf": "conf", "log": "log", "db": "db", "run": "run", "temp": "run", "storage": "run",
                  "cache": "run", "recordings": "run", "certs": "run", "scripts": "run", "htdocs": "run"}
        words = [word for name, where in places.items() for word in (f"-{name}", str(self.directory / where))]
        binary = installed()
        if binary is None:
            raise LabFailed(f"no FreeSWITCH: not in PATH, and {NAMED} names none")
        return [str(binary), "-nf", "-nc", "-np", "-nonat", "-nocal", *words]


def _params(pairs: str) -> str:
    return "".join('<param name="{}" value="{}"/>'.format(*pair.split("=", 1)) for pair in pairs.split())


def _template() -> str:
    """The columns of our CDRs, as in the file that users copy."""
    text = (DIALPLAN / "cdr_csv.conf.xml.example").read_text()
    start = text.index("<templates>")
    return text[start : text.index("</templates>") + len("</templates>")]
