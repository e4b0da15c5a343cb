"""What one call costs the enforcer: CPU of `enforcer run`, whole, beside a switch that is only its events.

In: `percall_replay`, which sends what an Asterisk or a FreeSWITCH sends for answered calls, at a steady
rate, to an enforcer as its users run it: ledger on the disk, log lines, metrics. Out: milliseconds of its CPU
a call, what it costs at rest taken off; and the same against a bare reader, which cuts the bytes into lines.

ENFORCER_BENCH_CALLS is how many calls a second (200), ENFORCER_BENCH_ROUNDS how many turns each.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import process_time

from lab.enforcer import Enforcer
from lab.process import LabFailed
from tests.bench.clean_rate import ROUNDS, cpu_of, say
from tests.bench.report import Figure, median
from tests.bench.switch import ASKED, LEASED

RATE = int(os.environ.get("ENFORCER_BENCH_CALLS", "200"))
SECONDS = 8
RESTING = 3.0
KINDS = {
    "asterisk": 'kind = "asterisk"\n',
    "freeswitch": 'kind = "freeswitch"\noutbound_contexts = ["from-accounts"]\n',
}


@dataclass(frozen=True, slots=True)
class Variant:
    """One switch, and how it asks."""

    name: str
    kind: str
    policy: str
    asked: bool = False


VARIANTS = (
    Variant("Asterisk, leased", "asterisk", LEASED),
    Variant("Asterisk, asked over AMI", "asterisk", ASKED, asked=True),
    Variant("FreeSWITCH, leased", "freeswitch", LEASED),
)


@dataclass
class Replay:
    """The far end, as an enforcer sees it."""

    ami_port: int
    process: asyncio.subprocess.Process
    secret: str = "secret"

    async def calls(self, count: int, rate: int) -> None:
        """So many at so many a second, and wait until they are over."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{count} {rate}\n".encode())
        await self.process.stdout.readline()


@asynccontextmanager
async def replaying(variant: Variant) -> AsyncIterator[Replay]:
    """A switch of this kind."""
    words = [sys.executable, "-m", "tests.bench.percall_replay", variant.kind]
    words += ["asked"] if variant.asked else []
    process = await asyncio.create_subprocess_exec(*words, stdin=PIPE, stdout=PIPE)
    try:
        assert process.stdout is not None
        yield Replay(int(await process.stdout.readline()), process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def enforced(variant: Variant, before: tuple[str, ...] = ()) -> float:
    """Milliseconds of the enforcer's CPU a call. `before` is a command that runs it."""
    with tempfile.TemporaryDirectory() as directory:
        async with replaying(variant) as switch:
            enforcer = Enforcer(
                Path(directory), switch, variant.policy, more=KINDS[variant.kind],
                accounts="acme,acme,pbx,,,,\n", before=before,
            )
            async with enforcer:
                await switch.calls(5, 5)
                await asyncio.sleep(2.5)        # a round, so that the lease is there
                began = cpu_of(enforcer.pid)
                await asyncio.sleep(RESTING)
                resting = (cpu_of(enforcer.pid) - began) / RESTING
                began = cpu_of(enforcer.pid)
                await switch.calls(RATE * SECONDS, RATE)
                await asyncio.sleep(0.5)
                spent = cpu_of(enforcer.pid) - began - resting * (SECONDS + 0.5)
                used = await enforcer.json("usage", "acme")
                counted = sum(total["attempts"] for total in used["totals"])
                if counted != RATE * SECONDS + 5:
                    raise LabFailed(f"{variant.name}: {counted} calls counted:\n{enforcer.lines()[-5:]}")
                say(f"{variant.name}: {1000 * spent / (RATE * SECONDS):.3f} ms a call; at rest {resting:.1%}")
    return 1000 * spent / (RATE * SECONDS)


async def read_only(variant: Variant) -> float:
    """Milliseconds of CPU a call of a reader that cuts the same bytes into lines, and knows nothing."""
    async with replaying(variant) as switch:
        reader, writer = await asyncio.open_connection("127.0.0.1", switch.ami_port)
        lines = 0

        async def read() -> None:
            nonlocal lines
            while data := await reader.read(65_536):
                lines += len(data.split(b"\n"))

        reading = asyncio.create_task(read(), name="read")
        await switch.calls(5, 5)
        began = process_time()
        await switch.calls(RATE * SECONDS, RATE)
        spent = process_time() - began
        reading.cancel()
        writer.close()
    return 1000 * spent / (RATE * SECONDS)


async def measure() -> list[Figure]:
    """All variants, interleaved."""
    ours: dict[str, list[float]] = {variant.name: [] for variant in VARIANTS}
    bare: dict[str, list[float]] = {variant.name: [] for variant in VARIANTS}
    for _ in range(ROUNDS):
        for variant in VARIANTS:
            bare[variant.name].append(await read_only(variant))
            ours[variant.name].append(await enforced(variant))
    figures = []
    for name, each in ours.items():
        note = "runs " + ", ".join(f"{one:.3f}" for one in each)
        what = f"{name}, CPU of the enforcer a call at {RATE}/s"
        figures.append(Figure(what, median(each), "ms", note=note))
        ratios = [mine / least for mine, least in zip(each, bare[name], strict=True)]
        figures.append(Figure(
            f"{name}, the same against a bare reader of the bytes", median(ratios), "",
            note=f"the reader {median(bare[name]):.3f} ms",
        ))
    return figures


def run() -> list[Figure]:
    """All figures of this page."""
    return asyncio.run(measure())
