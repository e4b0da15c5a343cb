"""What an enforcer that is not well costs the switch: the highest clean call rate beside one that is frozen,
slow, silent or looping, against that beside one that is well, and against none.

    frozen    SIGSTOP: after six seconds its heartbeat is stale and nobody asks it any more
    slow      stopped for 0.4 s, running for 0.1 s: its heartbeat stays fresh, and most answers come too late
    silent    its heartbeat stays fresh and nothing is ever answered: the most that asking can cost
    looping   frozen to the switch, and taking a whole CPU; not giving way at all, as `[run] nice` has it, and
              as it does once its loop has not turned for three seconds (SCHED_IDLE)

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
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import NamedTuple

from lab.process import freeze, guarded, thaw
from lab.provision import Provisioned, provision
from tests.bench.clean_rate import ROUNDS, clean, say
from tests.bench.report import Figure, at_least, median
from tests.bench.switch import ASKED, Rig, Variant

WELL = "well"
HARMS = ("none", WELL, "frozen", "slow", "silent", "looping", "looping, nice 5", "looping, idle")
KEPT = Path("safety.json")
START = 100.0           # calls/s
STEP = 1.05
SECONDS = 3.0           # of calls at each rate
STUTTERS = {"slow": (0.4, 0.1), "slower": (2.5, 0.2)}     # s it is stopped, s it runs
NICE = 5                # as `[run] nice` is where nobody sets it


@contextlib.asynccontextmanager
async def harmed(pid: int, harm: str, beat: Callable[[], Coroutine[None, None, None]]) -> AsyncIterator[None]:
    """The enforcer of this pid is not well meanwhile; `beat` keeps its heartbeat fresh where it is silent."""
    if harm in ("none", WELL):
        yield
        return
    jobs: list[asyncio.Task[None]] = []
    burner: subprocess.Popen[bytes] | None = None
    try:
        if harm in STUTTERS:
            jobs.append(asyncio.create_task(_stutter(pid, *STUTTERS[harm]), name="stutter"))
        else:
            freeze(pid)
        if harm == "silent":
            jobs.append(asyncio.create_task(beat(), name="beat"))
        elif harm not in STUTTERS:
            await asyncio.sleep(8.0)        # a stale heartbeat
        if harm.startswith("looping"):
            burner = _burning(NICE if "nice" in harm else 0)
            if "idle" in harm:
                os.sched_setscheduler(burner.pid, os.SCHED_IDLE, os.sched_param(0))
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


async def _stutter(pid: int, stopped: float, running: float) -> None:
    while True:
        freeze(pid)
        await asyncio.sleep(stopped)
        thaw(pid)
        await asyncio.sleep(running)


async def _beat(rig: Rig) -> None:
    assert rig.switch is not None
    async with rig.switch.ami() as session:
        await session.action("Events", EventMask="off")
        while True:
            now = (await session.action("Ping", within=60)).get("Timestamp", "0").partition(".")[0]
            await session.action("DBPut", Family="enforcer", Key="hb", Val=now, within=60)
            await asyncio.sleep(1.0)


class Run(NamedTuple):
    """One run: the highest clean rate (calls/s), and the CPU (ms) that a call cost the switch at `START`."""

    rate: float
    cpu: float


async def _climbed(parts: dict[str, Provisioned], harm: str) -> Run:
    """Upwards in steps of 5 %, until a rate is not clean twice."""
    variant = Variant(harm) if harm == "none" else Variant(harm, policy=ASKED)
    async with Rig(parts, variant) as rig, harmed(
        rig.enforcer.pid if rig.enforcer else 0, harm, lambda: _beat(rig)
    ):
        before = rig.cpu()[0]
        outcome = await rig.calls(START, int(START * 2 * SECONDS))
        cpu = 1000 * (rig.cpu()[0] - before) / outcome.placed
        low, rate, failures = 0.0, START, 0
        while failures < 2 and rate < 2000:
            if clean(await rig.calls(rate, int(rate * SECONDS))):
                low, rate, failures = rate, rate * STEP, 0
            else:
                failures += 1
                await rig.idle()
    say(f"{harm}: {low:.0f} calls/s, {cpu:.2f} ms a call")
    return Run(low, cpu)


def _known() -> dict[str, list[Run]]:
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    return {harm: [Run(*one) for one in kept.get(harm, [])] for harm in HARMS}


def _keep(runs: dict[str, list[Run]]) -> None:
    KEPT.write_text(json.dumps(runs) + "\n")


async def measure() -> list[Figure]:
    """All of them, interleaved, or one slice."""
    parts = dict(provision(["asterisk", "sipp"]))
    slice_ = os.environ.get("ENFORCER_BENCH_SLICE", "")
    runs: dict[str, list[Run]] = _known() if slice_ else {harm: [] for harm in HARMS}
    harms = [HARMS[int(one)] for one in slice_.split(",")] if slice_ else list(HARMS)
    for _ in range(1 if slice_ else ROUNDS):
        for harm in harms:
            runs[harm].append(await _climbed(parts, harm))
            if slice_:
                _keep(runs)
    return figures(runs)


def figures(runs: dict[str, list[Run]]) -> list[Figure]:
    """Each against the enforcer that is well."""
    found: list[Figure] = []
    if not runs[WELL]:
        return found
    well, usual = (median(column) for column in zip(*runs[WELL], strict=True))
    for harm, theirs in runs.items():
        if not theirs:
            continue
        rate, cpu = (median(column) for column in zip(*theirs, strict=True))
        each = ", ".join(f"{one.rate:.0f}" for one in theirs)
        note = f"{rate:.0f} calls/s, median of {each}; {cpu:.2f} ms of the switch's CPU a call"
        what = f"clean rate, {harm}, against an enforcer that is well"
        plain = Figure(what, rate / well, "", note=note)
        found.append(plain if harm in ("none", WELL) else at_least(what, rate / well, "", 0.95, note))
        found.append(Figure(f"CPU a call of the switch, {harm}, against the same", cpu / usual, ""))
    return found


def run() -> list[Figure]:
    """For `python -m tests.bench`."""
    return asyncio.run(measure())
