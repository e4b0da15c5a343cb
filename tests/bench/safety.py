"""What an enforcer that is not well costs the switch: the highest clean call rate beside one that is frozen,
slow, silent or looping, against that beside one that is well, and against none.

    frozen    SIGSTOP: after six seconds its heartbeat is stale and nobody asks it any more
    slow      stopped for 0.4 s, running for 0.1 s: its heartbeat stays fresh, and most answers come too late
    silent    its heartbeat stays fresh and nothing is ever answered: the most that asking can cost
    looping   frozen to the switch, and taking a whole CPU; as started by hand, and giving way to others

Interleaved, each on a fresh switch, as in `switch`. ENFORCER_BENCH_SLICE=1,4 runs only these of them, once,
and keeps the rates in safety.json, for machines that have to be asked for in slices.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from lab.process import freeze, guarded, thaw
from lab.provision import Provisioned, provision
from tests.bench.report import Figure, at_least, median
from tests.bench.switch import ASKED, ROUNDS, Rig, Variant, highest, say

WELL = "well"
HARMS = ("none", WELL, "frozen", "slow", "silent", "looping", "looping, nice 5", "well, nice 5")
KEPT = Path("safety.json")
START = 150.0
NICE = 5


@contextlib.asynccontextmanager
async def harmed(rig: Rig, harm: str) -> AsyncIterator[None]:
    """The enforcer of this rig is not well meanwhile."""
    if harm in ("none", WELL):
        yield
        return
    assert rig.enforcer is not None
    pid = rig.enforcer.pid
    if harm.startswith(WELL):
        os.setpriority(os.PRIO_PROCESS, pid, NICE)
        yield
        return
    jobs: list[asyncio.Task[None]] = []
    burner: subprocess.Popen[bytes] | None = None
    try:
        if harm == "slow":
            jobs.append(asyncio.create_task(_stutter(pid), name="stutter"))
        else:
            freeze(pid)
        if harm == "silent":
            jobs.append(asyncio.create_task(_beat(rig), name="beat"))
        elif harm != "slow":
            await asyncio.sleep(8.0)        # a stale heartbeat
        if harm.startswith("looping"):
            burner = _burning(NICE if "nice" in harm else 0)
        yield
    finally:
        if burner is not None:
            burner.kill()
            burner.wait()
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
        thaw(pid)


def _burning(nice: int) -> subprocess.Popen[bytes]:
    command = ["nice", "-n", str(nice), sys.executable, "-c", "while True: pass"]
    return subprocess.Popen(guarded(command))


async def _stutter(pid: int) -> None:
    while True:
        freeze(pid)
        await asyncio.sleep(0.4)
        thaw(pid)
        await asyncio.sleep(0.1)


async def _beat(rig: Rig) -> None:
    assert rig.switch is not None
    async with rig.switch.ami() as session:
        await session.action("Events", EventMask="off")
        while True:
            now = (await session.action("Ping", within=60)).get("Timestamp", "0").partition(".")[0]
            await session.action("DBPut", Family="enforcer", Key="hb", Val=now, within=60)
            await asyncio.sleep(1.0)


async def _rate(parts: dict[str, Provisioned], harm: str, start: float) -> float:
    variant = Variant(harm) if harm == "none" else Variant(harm, policy=ASKED)
    async with Rig(parts, variant) as rig, harmed(rig, harm):
        found = await highest(rig, start)
    say(f"{harm}: {found:.0f} calls/s{' (others were at work)' if rig.disturbed else ''}")
    return found


def _known() -> dict[str, list[float]]:
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    return {harm: kept.get(harm, []) for harm in HARMS}


def _keep(rates: dict[str, list[float]]) -> None:
    KEPT.write_text(json.dumps(rates) + "\n")


async def measure() -> list[Figure]:
    """All of them, interleaved, or one slice."""
    parts = dict(provision(["asterisk", "sipp"]))
    slice_ = os.environ.get("ENFORCER_BENCH_SLICE", "")
    rates = _known() if slice_ else {harm: [] for harm in HARMS}
    harms = [HARMS[int(one)] for one in slice_.split(",")] if slice_ else list(HARMS)
    for _ in range(1 if slice_ else ROUNDS):
        for harm in harms:
            known = rates[WELL] + rates["none"]
            rates[harm].append(await _rate(parts, harm, 0.75 * median(known) if known else START))
            if slice_:
                _keep(rates)
    return figures(rates)


def figures(rates: dict[str, list[float]]) -> list[Figure]:
    """Each against the enforcer that is well."""
    found = []
    well = median(rates[WELL]) if rates[WELL] else 0.0
    for harm, runs in rates.items():
        if not runs:
            continue
        note = f"{median(runs):.0f} calls/s, median of {len(runs)}: {', '.join(f'{one:.0f}' for one in runs)}"
        share = median(runs) / well if well else 0.0
        what = f"clean rate, {harm}, against an enforcer that is well"
        plain = Figure(what, share, "", note=note)
        found.append(plain if harm in ("none", WELL) else at_least(what, share, "", 0.95, note))
    return found


def run() -> list[Figure]:
    """For `python -m tests.bench`."""
    return asyncio.run(measure())
