"""What `make run` can stand beside: a switch with calls to come, real or not.

In: which kind of switch. Out: a `Stage`. Refuses to know the enforcer, and what is shown.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from lab.asterisk import Asterisk
from lab.fake_asterisk import FakeAsterisk
from lab.provision import LabUnavailable, Provisioned, provision
from lab.sipp import Call, Callee, place

DEMO = Path(__file__).parent / "demo"
"""Policy, accounts and calls of the demonstration."""
RATE = 2.0
"""Calls a second."""
AMI = """\
[[switch]]
name = "pbx1"
kind = "asterisk"
host = "127.0.0.1"
port = {port}
username = "enforcer"
secret_file = "{secret_file}"
outbound_contexts = ["from-accounts"]
inbound_contexts = ["from-trunk"]
messages = true
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """A switch with calls to come, real or not."""

    title: str
    tables: str
    """Of enforcer.toml: the switch, and the door where it asks at one."""
    secret: str
    secret_file: str
    """The file that `tables` name for it."""
    callers: Callable[[], Coroutine[Any, Any, None]]
    """Places calls until cancelled."""
    own_calls: str
    """How to place calls of one's own."""
    sip: str = ""
    """host:port where it takes calls, "" nowhere."""
    phones: int = 0
    """The port where it expects the accounts' phones."""


def traffic(path: Path = DEMO / "traffic.csv") -> list[Call]:
    """The calls of the demonstration, in order; see the head of that file."""
    rows = [line.split(";") for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return [Call(account, number, int(ms) / 1000) for account, number, ms, *_ in rows]


def by_sipp(parts: Provisioned, address: str) -> Callable[[], Coroutine[Any, Any, None]]:
    """The demonstration's calls, placed by SIPp at "host:port"."""
    calls = traffic() * 20

    async def callers() -> None:
        while True:
            await place(parts, address, calls, rate=RATE, within=3600)

    return callers


class Placing(Protocol):
    """A fake switch, as far as its callers know it."""

    async def call(self, account: str, number: str, *, talk: float) -> object:
        """One call, from its beginning to its end."""


def by_itself(switch: Placing) -> Callable[[], Coroutine[Any, Any, None]]:
    """The demonstration's calls, on a fake switch."""

    async def callers() -> None:
        async with asyncio.TaskGroup() as tasks:
            while True:
                for call in traffic():
                    tasks.create_task(switch.call(call.account, call.number, talk=call.talk), name="call")
                    await asyncio.sleep(1 / RATE)

    return callers


def phone_at(address: str) -> str:
    """What a person with a SIP phone does."""
    return f"or any SIP phone at {address}, user acme, globex, initech or umbrella, no password"


@contextlib.asynccontextmanager
async def real_asterisk() -> AsyncIterator[Stage]:
    """Asterisk 22, its trunk's far end, and SIPp as the accounts. Raises LabUnavailable, LabFailed."""
    parts = provision(["asterisk", "sipp"])
    async with Asterisk(parts["asterisk"]) as switch, Callee(parts["sipp"], switch.carrier_port):
        version = parts["asterisk"].versions()["asterisk"].partition(":")[2].partition("+")[0]
        yield Stage(
            f"a real Asterisk {version}: SIP {switch.sip_address}, AMI 127.0.0.1:{switch.ami_port}",
            AMI.format(port=switch.ami_port, secret_file="ami.secret"),
            switch.secret,
            "ami.secret",
            by_sipp(parts["sipp"], switch.sip_address),
            ".venv/bin/python -m lab.call acme 12025550142\n                 "
            ".venv/bin/python -m lab.text acme 12025550142 hello\n                 "
            f"{phone_at(switch.sip_address)}",
            switch.sip_address,
            switch.phones_port,
        )


@contextlib.asynccontextmanager
async def fake_asterisk(why: str) -> AsyncIterator[Stage]:
    """The built-in fake switch, which speaks AMI but carries no voice."""
    async with FakeAsterisk() as switch:
        yield Stage(
            f"THE BUILT-IN FAKE SWITCH, not an Asterisk ({why}); AMI 127.0.0.1:{switch.ami_port}",
            AMI.format(port=switch.ami_port, secret_file="ami.secret"),
            switch.secret,
            "ami.secret",
            by_itself(switch),
            "not on the fake switch",
        )


@contextlib.asynccontextmanager
async def first_of(
    real: Callable[[], AbstractAsyncContextManager[Stage]],
    stand_in: Callable[[str], AbstractAsyncContextManager[Stage]],
    *,
    fake: bool,
) -> AsyncIterator[Stage]:
    """The real one if it can be had, else the one that stands in, which says why. Raises LabFailed."""
    async with contextlib.AsyncExitStack() as stack:
        try:
            if fake:
                raise LabUnavailable("asked for with --fake")
            stage = await stack.enter_async_context(real())
        except LabUnavailable as reason:
            stage = await stack.enter_async_context(stand_in(str(reason)))
        yield stage
