"""A real Asterisk that asks at the FastAGI door while the manager link is down: what the door counts ends."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from lab.asterisk import Asterisk
from lab.enforcer import Enforcer
from lab.process import free_port
from lab.provision import Provisioned
from lab.sipp import Call, Callee, place

POLICY = """
[pack]
name = "asked"
revision = "1"
[[rule]]
id = "rate"
kind = "cps"
clause = "c"
critical = { at = 100000, verdict = "tag" }
"""


class Behind(NamedTuple):
    """A switch, as an enforcer sees it through a line that can be cut."""

    ami_port: int
    secret: str


async def copy(hear: asyncio.StreamReader, say: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await hear.read(65_536):
            say.write(data)
    say.close()


class Line:
    """Connections to a port of the loopback, as long as it is not `down`."""

    def __init__(self, to: int) -> None:
        self.to, self.down = to, False
        self._open: set[asyncio.StreamWriter] = set()

    async def came(self, near: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        if self.down:
            answer.transport.abort()
            return
        hear, say = await asyncio.open_connection("127.0.0.1", self.to)
        self._open |= {answer, say}
        await asyncio.gather(copy(near, say), copy(hear, answer))

    def cut(self) -> None:
        self.down = True
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()


@asynccontextmanager
async def line(to: int) -> AsyncIterator[tuple[Line, int]]:
    found = Line(to)
    async with await asyncio.start_server(found.came, "127.0.0.1", 0) as server:
        try:
            yield found, server.sockets[0].getsockname()[1]
        finally:
            found.cut()


async def until_links(enforcer: Enforcer, event: str, times: int) -> None:
    async with asyncio.timeout(30):
        while sum(said.get("event") == event for said in enforcer.lines()) < times:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@pytest.mark.asterisk
async def test_no_call_that_the_door_counted_while_the_link_was_down_is_in_progress_for_ever(
    lab_parts: Mapping[str, Provisioned], tmp_path: Path
) -> None:
    port = free_port(socket.SOCK_STREAM)
    variables = {"ENF_ASK": "agi", "ENF_AGI": f"agi://127.0.0.1:{port}/ask", "ENF_MAXWAIT": "5",
                 "ENF_STALE": "600"}

    def outcomes() -> list[tuple[str, str]]:
        with closing(sqlite3.connect(tmp_path / "enforcer.db")) as database:
            return database.execute("SELECT number, outcome FROM call ORDER BY number").fetchall()

    async with (
        Asterisk(lab_parts["asterisk"], variables=variables) as switch,
        Callee(lab_parts["sipp"], switch.carrier_port),
        line(switch.ami_port) as (manager, manager_port),
        Enforcer(
            tmp_path, Behind(manager_port, switch.secret), POLICY, accounts="acme,acme,pbx,,,,\n",
            more=f"[lease]\nseconds = 0\n[door.agi]\nenabled = true\nport = {port}\n",
        ) as enforcer,
    ):
        await until_links(enforcer, "level with the switch", 1)
        manager.cut()
        await until_links(enforcer, "link down", 1)
        calls = [Call("acme", "12025550142", 0.1), Call("acme", "12025550143", 0.1)]
        placed = await place(lab_parts["sipp"], switch.sip_address, calls)
        assert placed.codes == {200: 2}
        assert len(enforcer.decisions(account="acme")) == 2, "both were asked about, by the door"
        manager.down = False
        await until_links(enforcer, "level with the switch", 2)
        async with asyncio.timeout(15):
            while any(outcome in ("ringing", "talking") for _, outcome in outcomes()):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        assert len(outcomes()) == 2
