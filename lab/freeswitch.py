"""A real FreeSWITCH on free loopback ports, in a directory of its own, gone when you leave.

In: where its binary is. Out: a switch that takes calls: its ports, its secret, its CDRs, answers of its API.
Its configuration is `docker/freeswitch` as it is; what differs comes from the environment (`vars.xml`).
Refuses to know who calls and who enforces, and where a FreeSWITCH comes from: none is fetched.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path

from lab.own_program import OwnSwitch
from lab.process import LabFailed, free_port
from lab.provision import ROOT

CONFIGURATION = ROOT / "docker" / "freeswitch"
DIALPLAN = ROOT / "dialplan" / "freeswitch"
NAMED = "ENFORCER_FREESWITCH"
"""The variable that names a FreeSWITCH: its binary, or the directory that holds bin/freeswitch."""
OWN = ("run", "db", "log", "temp", "storage", "cache", "recordings", "certs", "sounds", "scripts", "htdocs",
       "grammar")
"""The directories that FreeSWITCH is given, each as the option of that name."""


def installed(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The binary of this machine's FreeSWITCH, None where there is none. Raises LabFailed where one is named
    that is not there."""
    named = environment.get(NAMED)
    if not named:
        found = shutil.which("freeswitch", path=environment.get("PATH"))
        return Path(found) if found else None
    path = Path(named).expanduser()
    for binary in (path, path / "bin" / "freeswitch"):
        if binary.is_file() and os.access(binary, os.X_OK):
            return binary
    raise LabFailed(f"{NAMED} names {named}, where there is no program freeswitch")


async def ask(host: str, port: int, secret: str, *commands: str, within: float = 5.0) -> list[str]:
    """What the event socket answers to these API commands. Raises LabFailed: nobody there, or refused."""
    said = "".join(f"{line}\n\n" for line in (f"auth {secret}", *(f"api {one}" for one in commands), "exit"))
    try:
        async with asyncio.timeout(within):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(said.encode())
                return await _answers(reader)
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError) as problem:
        raise LabFailed(f"no event socket answers at {host}:{port} ({problem or 'too late'})") from None


async def _answers(reader: asyncio.StreamReader) -> list[str]:
    """The bodies of the API's answers, until the switch says goodbye."""
    found: list[str] = []
    while True:
        head = (await reader.readuntil(b"\n\n")).decode("utf-8", "replace")
        headers = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
        body = await reader.readexactly(int(headers.get("Content-Length", "0")))
        kind, word = headers.get("Content-Type", ""), headers.get("Reply-Text", "")
        if word.startswith("-ERR inv") or kind == "text/rude-rejection":
            raise LabFailed("the event socket refuses the password, or this address")
        if kind == "api/response":
            found.append(body.decode("utf-8", "replace"))
        elif kind == "text/disconnect-notice" or "bye" in word:
            return found


class AnyFreeswitch(OwnSwitch):
    """A FreeSWITCH with an event socket on `esl_port` and two profiles, however it is configured. An orderly
    end writes the CDRs of calls that go on."""

    name = "FreeSWITCH"
    esl_port: int

    @property
    def cdr_path(self) -> Path:
        """FreeSWITCH's own Master.csv (absent before the first call ended)."""
        return self.directory / "log" / "cdr-csv" / "Master.csv"

    def log_text(self) -> str:
        """What FreeSWITCH wrote as warning and error."""
        path = self.directory / "log" / "freeswitch.log"
        return path.read_text(errors="replace") if path.exists() else ""

    async def api(self, command: str) -> str:
        """What one API command answers. Raises LabFailed."""
        return (await ask("127.0.0.1", self.esl_port, self.secret, command))[0]

    async def ready(self) -> bool:
        """Whether the switch is ready and both profiles run."""
        try:
            status, profiles = await ask(
                "127.0.0.1", self.esl_port, self.secret, "status", "sofia status", within=3.0
            )
        except LabFailed:       # not listening yet
            return False
        return "is ready" in status and profiles.count("RUNNING") >= 2


class Freeswitch(AnyFreeswitch):
    """One switch with the configuration of `docker/freeswitch`, see `OwnSwitch`.

    door    host:port where its dialplan asks; a free port of the loopback unless told
    ask     door | local | off
    """

    patience = 10.0

    def __init__(self, binary: Path, *, door: str = "", ask: str = "door") -> None:
        super().__init__()
        self._binary = binary
        self.sip_port, self.trunk_port = free_port(), free_port()
        self.esl_port = free_port(socket.SOCK_STREAM)
        self.carrier_port = free_port()
        """Where the trunk's far end is expected: start a `lab.sipp.Callee` there."""
        self.phones_port = free_port()
        """Where the accounts' phones are expected for inbound calls."""
        self.door = door or f"127.0.0.1:{free_port(socket.SOCK_STREAM)}"
        self._ask = ask
        for name in OWN:
            (self.directory / name).mkdir()

    def command(self) -> list[str]:
        """See `OwnSwitch`."""
        return _command(self._binary, self.directory)

    def surroundings(self) -> dict[str, str]:
        """See `OwnSwitch`."""
        return {**os.environ, **_libraries(self._binary), **self.environment()}

    def environment(self) -> dict[str, str]:
        """What its configuration reads; see `docker/freeswitch/vars.xml`."""
        return {
            "LAB_DIALPLAN": str(DIALPLAN),
            "LAB_BIND": "127.0.0.1",
            "LAB_ESL_PORT": str(self.esl_port),
            "LAB_PERMIT": "127.0.0.1",
            "LAB_PERMIT_MASK": "255.255.255.255",
            "LAB_SIP_PORT": str(self.sip_port),
            "LAB_TRUNK_PORT": str(self.trunk_port),
            "LAB_CARRIER": f"127.0.0.1:{self.carrier_port}",
            "LAB_PHONES": f"127.0.0.1:{self.phones_port}",
            # below the kernel's own ephemeral range; two switches may share it, each skips ports in use
            "LAB_RTP_START": "20000",
            "LAB_RTP_END": "29998",
            "LAB_DOOR": self.door,
            "LAB_ASK": self._ask,
            "ENFORCER_ESL_SECRET": self.secret,
        }


def _command(binary: Path, directory: Path) -> list[str]:
    """In the foreground, without a console, and writing to nothing but `directory`."""
    where = [word for name in OWN for word in (f"-{name}", str(directory / name))]
    modules = [one for one in (_beside(binary, "lib/freeswitch/mod"), _beside(binary, "mod")) if one]
    given = ["-mod", str(modules[0])] if modules else []
    return [str(binary), "-nf", "-nc", "-np", "-nonat", "-nocal", "-conf", str(CONFIGURATION), *where, *given]


def _libraries(binary: Path) -> dict[str, str]:
    """For a FreeSWITCH that was moved, or that stands outside of the loader's path."""
    lib = _beside(binary, "lib")
    if lib is None or not any(lib.glob("libfreeswitch.so*")):
        return {}
    before = os.environ.get("LD_LIBRARY_PATH", "")
    return {"LD_LIBRARY_PATH": f"{lib}:{before}".rstrip(":")}


def _beside(binary: Path, name: str) -> Path | None:
    """A directory of the installation that the binary is in, where it is there."""
    path = binary.resolve().parent.parent / name
    return path if path.is_dir() else None
