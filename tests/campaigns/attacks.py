"""Every door of a running enforcer under every attack, while calls go on through a real Asterisk.

    python -m tests.campaigns.attacks [--door NAME...] [--attack NAME...]

`enforcer run` with all its doors open on loopback; calls ask over FastAGI, and of each kind (allowed,
blocked, an emergency) some are placed in every cell. A row per cell: calls gone as their policy says, open
files and megabytes before and after, what the doors counted. Exit 1 where a call went otherwise, files stay
open, memory grows (in a second run of the cell too: what the first needed may be kept), or the process does
not come to rest. Needs the lab's Asterisk and SIPp, and some minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import socket
import ssl
import struct
import sys
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from lab.asterisk import Asterisk, free_port
from lab.enforcer import Enforcer
from lab.provision import provision
from lab.sipp import Call, Callee, place
from tests.fuzz.asterisk import REQUEST
from tests.fuzz.doors import ASKED, LINE, posted
from tests.fuzz.freeswitch import CHANNEL
from tests.integration.test_doors_attacked import AMI, ESL, HTTP, SIP, TLS
from tests.support.certificates import certificate

FINE, BARRED = ("fine0", "fine1", "fine2"), ("barred0", "barred1", "barred2")
POLICY = """
[pack]
name = "attacked"
revision = "1"
[[rule]]
id = "barred"
kind = "attempts"
clause = "none"
accounts = ["barred0", "barred1", "barred2"]
critical = { at = 0, verdict = "block" }
"""
IDLE = 1500             # connections that say nothing
LEAST = 3.0             # s that an attack lasts: the doors' deadlines pass in it
GROWTH = 20             # MB, in one cell
API = b"POST /v1/admit HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\nContent-Length: 60\r\n\r\n{"


class Target(NamedTuple):
    """A door: where it is, a whole question there, and whether it speaks TLS."""

    address: tuple[str, int] | str
    question: bytes
    tls: bool = False


async def _open(target: Target, secured: bool = True) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if isinstance(target.address, str):
        return await asyncio.open_unix_connection(target.address)
    context = None
    if target.tls and secured:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return await asyncio.open_connection(*target.address, ssl=context)


async def _say(
    target: Target, *said: bytes, pause: float = 0.0, secured: bool = True, stay: float = 0.2
) -> None:
    with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
        async with asyncio.timeout(5):
            reader, writer = await _open(target, secured)
            try:
                for part in said:
                    writer.write(part)
                    await writer.drain()
                    if pause:
                        await asyncio.sleep(pause)
                async with asyncio.timeout(stay):
                    await reader.read(65_536)
            finally:
                writer.transport.abort()


async def _many(make: Callable[[], Awaitable[None]], at_once: int) -> None:
    async def again() -> None:
        me = asyncio.current_task()
        while me is not None and not me.cancelling():       # the word may have come while it was deaf to it
            await make()
            await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as tasks:
        for number in range(at_once):
            tasks.create_task(again(), name=f"attacker {number}")


async def slowloris(target: Target) -> None:
    """Forty that send a byte at a time."""
    await _many(lambda: _say(target, *(target.question[n : n + 1] for n in range(25)), pause=0.1), 40)


async def flood(target: Target) -> None:
    """Connections that close at once, half of them with a reset; some hundred a second."""
    async def one() -> None:
        with contextlib.suppress(OSError):
            _, writer = await _open(target, secured=False)
            if random.random() < 0.5 and not isinstance(target.address, str):
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.close()

    await _many(one, 8)


async def half(target: Target) -> None:
    """Half a question, and silence."""
    await _many(lambda: _say(target, target.question[: len(target.question) // 2], stay=3.0), 60)


async def megabytes(target: Target) -> None:
    """Headers without end."""
    line = b"X-Header-agi_: " + b"x" * 1000 + b"\r\n"
    first = target.question.partition(b"\n")[0] + b"\n"
    await _many(lambda: _say(target, first, *[line * 200] * 10), 3)


async def binary(target: Target) -> None:
    """Random bytes."""
    await _many(lambda: _say(target, random.randbytes(20_000)), 4)


async def strangers(target: Target) -> None:
    """Every other protocol, in turn."""
    kinds = [HTTP, AMI, ESL, SIP, REQUEST, CHANNEL, LINE, posted(ASKED),
             b"\x10\x0e\0\x04MQTT\x05\x02\0\x3c\0\0"]
    kinds = [one for one in kinds if one != target.question]
    await _many(lambda: _say(target, random.choice(kinds), stay=0.05), 5)


async def hello(target: Target) -> None:
    """A TLS hello where none is expected; plain words where TLS is."""
    await _many(lambda: _say(target, target.question if target.tls else TLS, secured=False), 6)


async def idle(target: Target) -> None:
    """So many connections that say nothing, opened again where they are closed."""
    async def sit() -> None:
        with contextlib.suppress(OSError):
            reader, writer = await _open(target, secured=False)
            try:
                await reader.read()
            finally:
                writer.transport.abort()
        await asyncio.sleep(1)

    await _many(sit, IDLE)


ATTACKS = {one.__name__: one for one in (slowloris, flood, half, megabytes, binary, strangers, hello, idle)}


class Size(NamedTuple):
    """Open files, megabytes and seconds of a process."""

    files: int
    memory: float
    busy: float


def size(pid: int) -> Size:
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    memory = int(re.search(r"VmRSS:\s+(\d+)",
                           Path(f"/proc/{pid}/status").read_text())[1]) / 1000  # type: ignore[index]
    return Size(len(os.listdir(f"/proc/{pid}/fd")), memory, (int(stat[11]) + int(stat[12])) / 100)


class Cell(NamedTuple):
    """What became of one attack."""

    door: str
    attack: str
    placed: int
    fine: int
    codes: dict[int, int]
    files: tuple[int, int]
    memory: tuple[float, float]
    busy: float             # share of a processor, afterwards
    counters: dict[str, float]

    @property
    def well(self) -> bool:
        return (
            self.fine == self.placed and self.files[1] <= self.files[0] + 4 and self.busy < 0.5
            and not self.grows
        )

    @property
    def grows(self) -> bool:
        return self.memory[1] > self.memory[0] + GROWTH


class House:
    """The parts that every cell needs."""

    def __init__(self, sipp: object, sip: str, enforcer: Enforcer, metrics: int) -> None:
        self.sipp, self.sip, self.enforcer, self.metrics = sipp, sip, enforcer, metrics

    def counted(self) -> dict[str, float]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics}/metrics", timeout=20) as page:
            text = page.read().decode()
        found = re.findall(r'enforcer_door_connections_total\{door="(\w+)",outcome="(\w+)"\} (\S+)', text)
        found += [("http_api", status, n) for status, n in re.findall(
            r'enforcer_http_requests_total\{status="(\w+)"\} (\S+)', text)]
        return {f"{door} {outcome}": float(times) for door, outcome, times in found}

    async def cell(self, name: str, target: Target, attack: str) -> Cell:
        before, counted = size(self.enforcer.pid), await asyncio.to_thread(self.counted)
        attacking = asyncio.create_task(ATTACKS[attack](target), name=attack)
        calls = [Call(name, "12025550142", 0.05) for name in FINE + BARRED] + [Call(FINE[0], "911", 0.05)]
        try:
            await asyncio.sleep(LEAST / 2)
            outcome = await place(self.sipp, self.sip, calls, rate=6)       # type: ignore[arg-type]
            await asyncio.sleep(LEAST / 2)
        finally:
            while not attacking.done():     # one who is just done may overhear that it is cancelled
                attacking.cancel()
                await asyncio.wait([attacking], timeout=1)
        until = time.monotonic() + 30
        while (after := size(self.enforcer.pid)).files > before.files + 2 and time.monotonic() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        began = time.monotonic()
        await asyncio.sleep(1.3)            # the counters are read out once a second
        resting = size(self.enforcer.pid)
        now = await asyncio.to_thread(self.counted)
        changed = {key: now[key] - counted.get(key, 0) for key in now if now[key] != counted.get(key, 0)}
        wanted = {200: len(FINE) + 1, 403: len(BARRED)}
        fine = sum(min(outcome.codes.get(code, 0), times) for code, times in wanted.items())
        busy = (resting.busy - after.busy) / (time.monotonic() - began)
        return Cell(
            name, attack, len(calls), fine, dict(outcome.codes), (before.files, after.files),
            (before.memory, resting.memory), busy, changed,
        )


def shown(cell: Cell) -> str:
    counters = ", ".join(f"{key} {times:.0f}" for key, times in cell.counters.items()
                         if key.startswith(cell.door) or cell.door not in ("agi", "esl", "http", "messages"))
    told = (
        cell.door, cell.attack, f"{cell.fine} of {cell.placed}", f"{cell.files[0]} to {cell.files[1]}",
        f"{cell.memory[0]:.0f} to {cell.memory[1]:.0f}", f"{cell.busy:.0%}", counters,
        "" if cell.well else "BAD",
    )
    return f"| {' | '.join(told)} |"


async def campaign(doors: list[str], attacks: list[str], folder: Path, report: Path | None) -> int:
    ports = {name: free_port(socket.SOCK_STREAM) for name in ("agi", "esl", "http", "messages", "api",
                                                              "metrics")}
    authority = certificate("127.0.0.1")
    (folder / "cert.pem").write_text(authority.public)
    (folder / "key.pem").write_text(authority.private)
    (folder / "key.pem").chmod(0o600)
    more = "".join(
        f"[door.{name}]\nenabled = true\nport = {ports[name]}\n" for name in ("agi", "esl", "http",
                                                                              "messages")
    ) + (
        f'[http]\nlisten = "127.0.0.1:{ports["api"]}"\ntls_cert = "cert.pem"\ntls_key = "key.pem"\n'
        f'[metrics]\nlisten = "127.0.0.1:{ports["metrics"]}"\n'
        f'[[switch]]\nname = "fs1"\nkind = "freeswitch"\nport = {free_port(socket.SOCK_STREAM)}\n'
        'secret_env = "ENFORCER_AMI_SECRET"\n'
    )
    questions = {"agi": REQUEST, "esl": CHANNEL, "http": posted(ASKED), "messages": LINE, "metrics": HTTP}
    targets = {name: Target(("127.0.0.1", ports[name]), said) for name, said in questions.items()}
    targets["api"] = Target(("127.0.0.1", ports["api"]), API, tls=True)
    targets["window"] = Target(str(folder / "enforcer.db.sock"), b'{"do": "mode.ceiling", "mode": "off"}')
    parts = provision(("asterisk", "sipp"))
    variables = {"ENF_ASK": "agi", "ENF_AGI": f"agi://127.0.0.1:{ports['agi']}/ask", "ENF_MAXWAIT": "5"}
    cells = []
    async with (
        Asterisk(parts["asterisk"], accounts=FINE + BARRED, variables=variables) as switch,
        Callee(parts["sipp"], switch.carrier_port), contextlib.AsyncExitStack() as stack,
    ):
        accounts = "".join(f"{name},{name},pbx,,,,\n" for name in FINE + BARRED)
        enforcer = Enforcer(folder, switch, POLICY, more=more, accounts=accounts)
        stack.push_async_callback(enforcer.stop)
        await enforcer.start(level=False)
        await enforcer.line(lambda line: line.get("event") == "level with the switch", within=90)
        house = House(parts["sipp"], switch.sip_address, enforcer, ports["metrics"])
        print("| door | attack | calls as their policy says | files | MB | busy after | counted | |\n"
              "|---|---|---|---|---|---|---|---|", flush=True)
        for door in doors or list(targets):
            for attack in attacks or list(ATTACKS):
                cell = await house.cell(door, targets[door], attack)
                if cell.grows:
                    print(shown(cell), flush=True)
                    cell = await house.cell(door, targets[door], attack)
                cells.append(cell)
                print(shown(cell), flush=True)
                if report is not None:
                    kept = json.dumps([cell._asdict() for cell in cells], indent=1)
                    await asyncio.to_thread(report.write_text, kept)
        errors = [
            line for line in enforcer.lines() if line.get("level") == "error" and line.get("switch") != "fs1"
        ]
    for line in errors[:10]:
        print(line, file=sys.stderr)
    bad = sum(not cell.well for cell in cells)
    fine, placed = sum(cell.fine for cell in cells), sum(cell.placed for cell in cells)
    print(f"{len(cells)} cells, {bad} bad; {fine} of {placed} calls as their policy says; "
          f"{len(errors)} errors logged")
    return 1 if bad else 0


def main() -> int:
    """1 where something was not as it should be."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns.attacks", description=__doc__)
    parser.add_argument("--door", nargs="*", default=[])
    parser.add_argument("--attack", nargs="*", default=[], choices=list(ATTACKS))
    parser.add_argument("--report", type=Path, default=None)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="attacks-") as folder:
        return asyncio.run(campaign(told.door, told.attack, Path(folder), told.report))


if __name__ == "__main__":
    sys.exit(main())
