"""A real Asterisk asks over FastAGI while everything is thrown at the enforcer's ports: every call is
answered as the policy says, and afterwards the process is as it was."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest

from lab.asterisk import Asterisk, free_port
from lab.enforcer import Enforcer
from lab.provision import Provisioned
from lab.sipp import Call, Callee, place
from tests.integration.test_doors_attacked import GARBAGE

FINE = tuple(f"fine{number}" for number in range(12))
BARRED = tuple(f"barred{number}" for number in range(12))
POLICY = """
[pack]
name = "attacked"
revision = "1"
[[rule]]
id = "barred"
kind = "attempts"
clause = "none"
accounts = [BARRED]
critical = { at = 0, verdict = "block" }
""".replace("BARRED", ", ".join(f'"{name}"' for name in BARRED))
MOST = 100


async def throwing(port: int) -> None:
    """Garbage of every kind, connections that close at once, and half questions, until cancelled."""
    for number in range(1_000_000):
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            kinds = list(GARBAGE.values())
            try:
                if number % 2:
                    writer.write(kinds[number // 2 % len(kinds)][:200_000])
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(reader.read(100), 0.2)
            finally:
                writer.transport.abort()
        await asyncio.sleep(0.005)


async def sitting(port: int, many: int) -> None:
    """So many connections that say next to nothing, each made anew as soon as it is closed."""
    async def one() -> None:
        while True:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"agi_network: yes\n")
                try:
                    await reader.read(1)
                finally:
                    writer.transport.abort()
            await asyncio.sleep(1)

    async with asyncio.TaskGroup() as tasks:
        for number in range(many):
            tasks.create_task(one(), name=f"sitting {number}")


def size(pid: int) -> tuple[int, int, int]:
    """Open files, threads, and MB in memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    threads, memory = (int(re.search(rf"{name}:\s+(\d+)", status)[1]) for name in ("Threads", "VmRSS"))  # type: ignore[index]
    return len(os.listdir(f"/proc/{pid}/fd")), threads, memory // 1024


@pytest.mark.asterisk
async def test_every_call_is_answered_as_the_policy_says_and_nothing_grows(
    lab_parts: Mapping[str, Provisioned], tmp_path: Path
) -> None:
    port, metrics = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_STREAM)
    # The deadline is long, so that a busy machine is no matter: what is tested is that the answer comes.
    variables = {"ENF_ASK": "agi", "ENF_AGI": f"agi://127.0.0.1:{port}/ask", "ENF_MAXWAIT": "5"}
    more = (
        f"[door.agi]\nenabled = true\nport = {port}\nmax_connections = {MOST}\n"
        f'[metrics]\nlisten = "127.0.0.1:{metrics}"\n'
    )
    accounts = "".join(f"{name},{name},pbx,,,,\n" for name in FINE + BARRED)

    def counted() -> dict[str, float]:
        with urllib.request.urlopen(f"http://127.0.0.1:{metrics}/metrics", timeout=10) as page:
            text = page.read().decode()
        found = re.findall(r'enforcer_door_connections_total\{door="agi",outcome="(\w+)"\} (\S+)', text)
        return {outcome: float(times) for outcome, times in found}

    async with (
        Asterisk(lab_parts["asterisk"], accounts=FINE + BARRED, variables=variables) as switch,
        Callee(lab_parts["sipp"], switch.carrier_port),
        Enforcer(tmp_path, switch, POLICY, accounts=accounts, more=more) as enforcer,
    ):
        await asyncio.to_thread(counted)
        files, threads, memory = size(enforcer.pid)
        attack = [
            asyncio.create_task(throwing(port), name="throwing"),
            asyncio.create_task(sitting(port, MOST + 50), name="sitting"),
            asyncio.create_task(sitting(metrics, 30), name="sitting at the metrics"),
        ]
        try:
            await asyncio.sleep(1)
            names = [name for pair in zip(FINE, BARRED, strict=True) for name in pair]
            calls = [*(Call(name, "12025550142", 0.1) for name in names), Call(FINE[0], "911")]
            placed = await place(lab_parts["sipp"], switch.sip_address, calls, rate=6)
            during = await asyncio.to_thread(counted)
        finally:
            for task in attack:
                task.cancel()
            await asyncio.gather(*attack, return_exceptions=True)
        assert placed.codes == {200: len(FINE) + 1, 403: len(BARRED)}
        blocked = {line["account"] for line in enforcer.decisions(verdict="block")}
        assert blocked == set(BARRED)
        assert during["crowded"] >= MOST
        assert during["malformed"] >= 5
        assert during["answered"] >= 20
        async with asyncio.timeout(20):
            while (left := size(enforcer.pid))[0] > files + 2 or left[1] > threads + 2:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        assert left[2] < memory + 40
        assert not [line for line in enforcer.lines() if line.get("level") == "error"]
