"""The highest rate at which every call still goes through at once, of any switch under SIPp.

In: a rig, which is one switch with its callers and, perhaps, an enforcer. Out: rates, set-up times, CPU.
Refuses to know which switch it is.

What others take of the machine meanwhile is measured too: a run that failed beside them is done again, not
believed.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from lab.sipp import Outcome
from tests.bench.report import Figure, at_least, at_most, median, percentile

ROUNDS = int(os.environ.get("ENFORCER_BENCH_ROUNDS", "3"))
SECONDS = 4.0           # of calls at each rate
STEP = 1.2              # from one rate to the next, upwards
HALVINGS = 3            # then between the last clean rate and the first that was not: to 2.3 %
NOISE = 0.03            # share of all cores that others may take in a run that is believed
PATIENCE = 4            # tries at one rate until others leave us alone


class Rig(Protocol):
    """A switch that takes calls."""

    disturbed: bool         # a rate was given up though others were at work at every try

    async def calls(self, rate: float, count: int) -> Outcome:
        """So many calls at so many a second."""

    def cpu(self) -> tuple[float, float]:
        """CPU seconds so far: of the switch, of the enforcer."""

    async def idle(self) -> None:
        """Wait until the switch has done with what was too much for it."""


def clean(outcome: Outcome) -> bool:
    """Every call went, none had to say it twice (one in 500 may: that is noise of the machine)."""
    return outcome.failed == 0 and outcome.retransmissions * 500 <= outcome.placed


def cpu_of(pid: int) -> float:
    """CPU seconds of a process so far, its threads with it."""
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


class Others:
    """How much of the machine others took since this was made: other programs, and other guests (steal)."""

    def __init__(self) -> None:
        self._before = self._now()

    def share(self) -> float:
        """Of all cores, 0 to 1."""
        busy, total, ours = (now - then for now, then in zip(self._now(), self._before, strict=True))
        return max(0.0, busy - ours) / max(total, 1e-9)

    @staticmethod
    def _now() -> tuple[float, float, float]:
        """Seconds that were busy, that passed, and that we and our children were busy. The kernel's own
        interrupts are nobody's: most of them carry our packets."""
        tick = os.sysconf("SC_CLK_TCK")
        times = [int(n) / tick for n in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        user, nice, system, idle, waiting, _irq, _softirq, steal = times
        processes = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:         # it ended just now
                continue
            # Parent; user, system, and both of the children it has waited for.
            processes[int(stat.parent.name)] = int(fields[1]), sum(map(int, fields[11:15])) / tick
        family = {os.getpid()}
        while more := {pid for pid, (parent, _) in processes.items() if parent in family} - family:
            family |= more
        ours = sum(processes[pid][1] for pid in family if pid in processes)
        return user + nice + system + steal, sum((user, nice, system, steal, idle, waiting)), ours


async def passes(rig: Rig, rate: float) -> bool:
    """Whether this rate goes through clean, at the second try at the latest; tries that failed while others
    were at work count less."""
    failures, alone = 0.0, False
    while failures < 2:
        others = Others()
        if clean(await rig.calls(rate, int(rate * SECONDS))):
            return True
        share = others.share()
        alone = alone or share <= NOISE
        failures += 1 if share <= NOISE else 2 / PATIENCE
        say(f"({rate:.0f} calls/s: not clean, others took {share:.0%} of the machine)")
        await rig.idle()
    rig.disturbed = rig.disturbed or not alone
    return False


async def highest(rig: Rig, start: float) -> float:
    """The highest clean rate: upwards from `start` to one that is not, then closer from both sides."""
    low, high = 0.0, start
    while high < 2000 and await passes(rig, high):
        low, high = high, high * STEP
    if not low:
        return low
    for _ in range(HALVINGS):
        middle = math.sqrt(low * high)
        if await passes(rig, middle):
            low = middle
        else:
            high = middle
    return low


def say(text: str) -> None:
    """Progress, for whoever waits."""
    print("  " + text, file=sys.stderr, flush=True)


async def at_half(rig: Rig, rate: float) -> tuple[Outcome, tuple[float, float]]:
    """Calls at a rate that every variant bears; what became of them, and the milliseconds of CPU that each
    cost the switch and the enforcer. The last try is taken, whoever else was at work."""
    for _ in range(PATIENCE):
        others, before = Others(), rig.cpu()
        outcome = await rig.calls(rate, int(rate * 2 * SECONDS))
        spent = [1000 * (now - then) / outcome.placed for now, then in zip(rig.cpu(), before, strict=True)]
        if others.share() <= NOISE:
            break
    return outcome, (spent[0], spent[1])


def work_of(work: dict[str, list[tuple[float, float]]]) -> list[Figure]:
    """CPU a call: says what a variant costs where the rates are too noisy to."""
    figures = []
    plain = median([switch for switch, _ in work["plain"]])
    for name, runs in work.items():
        switch, enforcer = (median(column) for column in zip(*runs, strict=True))
        note = f"switch {switch / plain:.2f} of plain's, enforcer {enforcer:.2f} ms"
        figures.append(Figure(f"{name}, CPU a call of the switch", switch, "ms", note=note))
    return figures


def rates_of(rates: Mapping[str, Sequence[float]], goals: Mapping[str, float], switch: str) -> list[Figure]:
    """The plain rate, and each variant's against the plain one of its round, with what it should reach."""
    note = f"runs {', '.join(f'{rate:.0f}' for rate in rates['plain'])}"
    figures = [Figure(f"plain {switch}, highest clean rate", median(rates["plain"]), "calls/s", note=note)]
    for name, goal in goals.items():
        ratios = [mine / theirs for mine, theirs in zip(rates[name], rates["plain"], strict=True)]
        note = "runs " + ", ".join(f"{ratio:.2f}" for ratio in ratios)
        figures.append(at_least(f"{name}, rate against plain", median(ratios), "", goal, note))
    return figures


def delays_of(delays: Mapping[str, Sequence[float]], limits: Mapping[str, float]) -> list[Figure]:
    """What each variant adds to the set-up of a call, with what it should not exceed, in milliseconds."""
    figures = []
    base = percentile(delays["plain"], 0.5)
    for name, limit in limits.items():
        added = percentile(delays[name], 0.5) - base
        late = [f"{percentile(delays[which], 0.99):.1f} ms" for which in (name, "plain")]
        note = f"p99 {late[0]}, plain {late[1]}"
        figures.append(at_most(f"{name}, added set-up time at half rate, p50", added, "ms", limit, note))
    return figures
