"""`make run SWITCH=freeswitch`: this machine's FreeSWITCH, or the one that `docker/compose.yml` runs here.

In: the environment and `docker/.env`. Out: a `Stage`. No FreeSWITCH is fetched from anywhere: where there is
none, the built-in fake one stands in. Refuses to know the enforcer.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from lab.fake_freeswitch import FakeFreeswitch
from lab.freeswitch import NAMED, Freeswitch, ask, installed
from lab.process import LabFailed, free_port
from lab.provision import ROOT, LabUnavailable, provision
from lab.sipp import Callee
from lab.stage import Stage, by_itself, by_sipp, phone_at

DOT_ENV = ROOT / "docker" / ".env"
SECRET = "ENFORCER_ESL_SECRET"
LOOPBACK = {
    "LAB_ESL_PORT": "8021", "LAB_SIP_PORT": "5070", "LAB_TRUNK_PORT": "5072",
    "LAB_CARRIER": "127.0.0.1:5074", "LAB_PHONES": "127.0.0.1:5076", "LAB_DOOR": "127.0.0.1:8084",
}  # fmt: skip
"""Where the FreeSWITCH of the profile `freeswitch-loopback` has what, unless `docker/.env` says otherwise."""

TABLES = """\
[[switch]]
name = "fs1"
kind = "freeswitch"
host = "127.0.0.1"
port = {port}
secret_file = "esl.secret"
outbound_contexts = ["{outbound}"]
inbound_contexts = ["{inbound}"]

[door.esl]
enabled = true
port = {door}
"""


def tables(port: int, door: int, outbound: str = "from-accounts", inbound: str = "from-trunk") -> str:
    """Of enforcer.toml: the switch, and the door at which it asks."""
    return TABLES.format(port=port, door=door, outbound=outbound, inbound=inbound)


def settings(path: Path = DOT_ENV, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What Compose would use: the environment, else `docker/.env`, else what `LOOPBACK` says."""
    with contextlib.suppress(OSError):
        written = re.findall(r"^(\w+)=([^\s#]*)", path.read_text(), re.MULTILINE)
        return {**LOOPBACK, **{name: value for name, value in written if value}, **environment}
    return {**LOOPBACK, **environment}


def port_of(address: str) -> int:
    """Of "host:port", or of a port alone. Raises LabFailed where it is none."""
    text = address.rpartition(":")[2]
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise LabFailed(f"docker/.env or the environment: {address!r} has no port")
    return int(text)


@contextlib.asynccontextmanager
async def real_freeswitch() -> AsyncIterator[Stage]:
    """This machine's own, else one that answers on the loopback. Raises LabUnavailable, LabFailed."""
    binary = installed()
    async with contextlib.AsyncExitStack() as stack:
        own = own_freeswitch(binary) if binary is not None else running_freeswitch()
        yield await stack.enter_async_context(own)


@contextlib.asynccontextmanager
async def own_freeswitch(binary: Path) -> AsyncIterator[Stage]:
    """Started from this binary, with its far end, and SIPp as the accounts."""
    parts = provision(["sipp"])["sipp"]
    async with Freeswitch(binary) as switch, Callee(parts, switch.carrier_port):
        yield Stage(
            f"a real FreeSWITCH {named(await switch.api('version'))}: SIP {switch.sip_address}, "
            f"event socket 127.0.0.1:{switch.esl_port}, asking at {switch.door}",
            tables(switch.esl_port, port_of(switch.door)),
            switch.secret,
            "esl.secret",
            by_sipp(parts, switch.sip_address),
            f".venv/bin/python -m lab.call acme 12025550142\n                 {phone_at(switch.sip_address)}",
            switch.sip_address,
            switch.phones_port,
        )


@contextlib.asynccontextmanager
async def running_freeswitch() -> AsyncIterator[Stage]:
    """The one of the Compose profile `freeswitch-loopback`. Raises LabUnavailable where none answers, and
    LabFailed where one does that is another, or does not take the password of `docker/.env`."""
    found = settings()
    port, address = port_of(found["LAB_ESL_PORT"]), f"127.0.0.1:{port_of(found['LAB_SIP_PORT'])}"
    if not found.get(SECRET) or not answers(port):
        raise LabUnavailable(f"no freeswitch in PATH, none named by {NAMED}, and none of Docker's runs here")
    version, door, outbound = await ask(
        "127.0.0.1", port, found[SECRET], "version", "global_getvar enf_door",
        "xml_locate dialplan context name from-accounts",
    )
    if 'name="from-accounts"' not in outbound or door.strip() != found["LAB_DOOR"]:
        raise LabFailed(f"the FreeSWITCH at 127.0.0.1:{port} is not the lab's: `docker compose -f "
                        "docker/compose.yml --profile freeswitch-loopback up` starts that one")
    parts = provision(["sipp"])["sipp"]
    async with Callee(parts, port_of(found["LAB_CARRIER"])):
        yield Stage(
            f"a real FreeSWITCH {named(version)}, Docker's: SIP {address}, event socket 127.0.0.1:{port}, "
            f"asking at {found['LAB_DOOR']}",
            tables(port, port_of(found["LAB_DOOR"])),
            found[SECRET],
            "esl.secret",
            by_sipp(parts, address),
            f".venv/bin/python -m lab.call acme 12025550142\n                 {phone_at(address)}",
            address,
            port_of(found["LAB_PHONES"]),
        )


@contextlib.asynccontextmanager
async def fake_freeswitch(why: str) -> AsyncIterator[Stage]:
    """The built-in fake FreeSWITCH: the real dialplan, the event socket and the door, but no voice."""
    door = free_port(socket.SOCK_STREAM)
    async with FakeFreeswitch(door=f"127.0.0.1:{door}") as switch:
        yield Stage(
            f"THE BUILT-IN FAKE SWITCH, not a FreeSWITCH ({why}); "
            f"event socket 127.0.0.1:{switch.socket.port}",
            tables(switch.socket.port, door, "default", "public"),
            switch.socket.password,
            "esl.secret",
            by_itself(switch),
            "not on the fake switch",
        )


def answers(port: int) -> bool:
    """Whether anybody listens on this port of the loopback."""
    with socket.socket() as probe:
        probe.settimeout(2.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def named(version: str) -> str:
    """"1.11.3" out of what FreeSWITCH says of itself."""
    match = re.search(r"\d+(?:\.\d+)+", version)
    return match[0] if match else "of unknown version"
