"""What an enforcer that is not well costs a FreeSWITCH: the same as `safety`, on a FreeSWITCH of your own
(`ENFORCER_FREESWITCH`, or `freeswitch` in PATH), asked at the door and over HTTP. Without one nothing is
measured.

    frozen    SIGSTOP: after six seconds its heartbeat is stale and nobody asks it any more
    slow      stopped for 0.4 s, running for 0.1 s: its answers come late, but most of them come
    slower    stopped for 2.5 s, running for 0.2 s: its heartbeat stays fresh, and most answers come too late
    silent    its heartbeat stays fresh and nothing is ever answered: the most that asking can cost
    looping   frozen to the switch, and taking a whole CPU, as `[run] nice` has it; idle: as an enforcer does
              whose loop has not turned for three seconds

ENFORCER_BENCH_SLICE="door:slower,http:silent" runs only these, once, and keeps the rates in
safety_freeswitch.json, for machines that have to be asked for in slices.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from pathlib import Path
from typing import NamedTuple

from enforcer.wire.freeswitch_actions import STALE
from lab.freeswitch import NAMED, installed
from lab.provision import Provisioned, provision
from lab.sipp import Outcome
from tests.bench.clean_rate import ROUNDS, highest, say
from tests.bench.freeswitch import Rig, Variant
from tests.bench.report import Figure, at_least, median, percentile
from tests.bench.safety import WELL, harmed
from tests.bench.switch import ASKED

HARMS = (WELL, "frozen", "slow", "slower", "silent", "looping, nice 5", "looping, idle")
RUNS = tuple(f"{way}:{harm}" for way in ("door", "http") for harm in HARMS)
KEPT = Path("safety_freeswitch.json")
START = 80.0            # calls/s, at which set-up times are taken
LONG = 15.0             # seconds of calls there: several times what a mute lasts
WAITED = 500.0          # ms; a call that took longer waited for an answer


class Run(NamedTuple):
    """One run: the highest clean rate (calls/s); at `START`, in ms, set-up p50, p95 and longest; and the
    share of the calls there that waited."""

    rate: float
    p50: float
    p95: float
    longest: float
    waited: float


async def _beat(rig: Rig) -> None:
    while True:
        now = int((await rig.switch.api("strepoch")).strip())
        await rig.switch.api(f"hash insert/enf/hb/{now + STALE}")
        await asyncio.sleep(1.0)


def told(outcome: Outcome) -> tuple[float, float, float, float]:
    """Set-up p50, p95 and longest (ms), and the share that waited."""
    times = outcome.setup_ms
    waited = sum(one > WAITED for one in times) / len(times)
    return percentile(times, 0.5), percentile(times, 0.95), max(times), waited


async def _climbed(sipp: Provisioned, run: str) -> Run:
    """One variant on a fresh switch."""
    way, _, harm = run.partition(":")
    async with Rig(sipp, Variant(run, policy=ASKED, http=way == "http")) as rig:
        assert rig.enforcer is not None
        async with harmed(rig.enforcer.pid, harm, lambda: _beat(rig)):
            times = told(await rig.calls(START, int(START * LONG)))
            rate = await highest(rig, START)
    found = Run(rate, *times)
    others = ", disturbed" if rig.disturbed else ""
    say(f"{run}: {rate:.0f} calls/s{others}; at {START:.0f}: {words(found)}")
    return found


def words(run: Run) -> str:
    """Of the set-up times."""
    return (f"set-up p50 {run.p50:.0f}, p95 {run.p95:.0f}, longest {run.longest:.0f} ms; "
            f"{run.waited:.1%} waited")


async def measure() -> list[Figure]:
    """All of them, interleaved, or one slice."""
    sipp = provision(["sipp"])["sipp"]
    slice_ = os.environ.get("ENFORCER_BENCH_SLICE", "")
    runs = _known() if slice_ else {name: [] for name in RUNS}
    for _ in range(1 if slice_ else ROUNDS):
        for name in re.split(r",(?! )", slice_) if slice_ else RUNS:       # "looping, nice 5" is one
            runs[name].append(await _climbed(sipp, name))
            if slice_:
                _keep(runs)
    return figures(runs)


def _known() -> dict[str, list[Run]]:
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    return {name: [Run(*one) for one in kept.get(name, [])] for name in RUNS}


def _keep(runs: dict[str, list[Run]]) -> None:
    KEPT.write_text(json.dumps(runs) + "\n")


def figures(runs: dict[str, list[Run]]) -> list[Figure]:
    """Each against the enforcer that is well, asked the same way."""
    found: list[Figure] = []
    for name, theirs in runs.items():
        way, _, harm = name.partition(":")
        if not theirs or not runs[f"{way}:{WELL}"]:
            continue
        middle = Run(*(median(column) for column in zip(*theirs, strict=True)))
        well = median([one.rate for one in runs[f"{way}:{WELL}"]])
        each = ", ".join(f"{one.rate:.0f}" for one in theirs)
        note = f"{middle.rate:.0f} calls/s, median of {each}; at {START:.0f}: {words(middle)}"
        what = f"clean rate, {way}, {harm}, against an enforcer that is well"
        ratio = middle.rate / well
        found.append(Figure(what, ratio, "", note=note) if harm == WELL
                     else at_least(what, ratio, "", 0.95, note))
    return found


def run() -> list[Figure]:
    """For `python -m tests.bench`; nothing without a FreeSWITCH."""
    if not installed():
        say(f"no FreeSWITCH: not in PATH, and {NAMED} names none")
        return []
    return asyncio.run(measure())
