"""A real Asterisk under SIPp, with enforcement and without: the highest rate at which every call still
goes through at once, and what enforcement adds to the set-up of a call.

Runs are interleaved (one of each variant, then again), each on a fresh switch, and only their ratios
mean anything: SIPp, both far ends and the enforcer share this machine with Asterisk. What others take of
the machine meanwhile is measured too: a run that failed beside them is done again, not believed.
"""

from __future__ import annotations

import asyncio
import math
import os
import socket
import sys
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from lab.asterisk import Asterisk
from lab.enforcer import Enforcer
from lab.process import free_port
from lab.provision import Provisioned, provision
from lab.sipp import Call, Callee, Outcome, place
from tests.bench.report import Figure, at_least, at_most, median, percentile

ROUNDS = int(os.environ.get("ENFORCER_BENCH_ROUNDS", "3"))
SECONDS = 4.0           # of calls at each rate
STEP = 1.2              # from one rate to the next, upwards
HALVINGS = 3            # then between the last clean rate and the first that was not: to 2.3 %
NOISE = 0.03            # share of all cores that others may take in a run that is believed
PATIENCE = 4            # tries at one rate until others leave us alone
NUMBER = "12025550142"

# "asked" has a rule that must see every call and never bites; "leased" one that is far away.
ASKED = """
[pack]
name = "bench"
revision = "1"
[[rule]]
id = "rate"
kind = "cps"
clause = "bench"
critical = { at = 100000, verdict = "tag" }
"""
LEASED = """
[pack]
name = "bench"
revision = "1"
[[rule]]
id = "attempts"
kind = "attempts"
clause = "bench"
critical = { at = 100000000, verdict = "block" }
"""


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to run the switch."""

    name: str
    hook: bool = True
    policy: str = ""            # "" no enforcer at all
    ask: str = "ami"


PLAIN = Variant("plain", hook=False)
VARIANTS = (
    PLAIN,
    Variant("listener attached", hook=False, policy=LEASED),
    Variant("leased", policy=LEASED),
    Variant("asked over AMI", policy=ASKED),
    Variant("asked over FastAGI", policy=ASKED, ask="agi"),
)


class Rig:
    """One variant, running."""

    def __init__(self, parts: dict[str, Provisioned], variant: Variant) -> None:
        self.parts = parts
        self.variant = variant
        self._stack = AsyncExitStack()
        self.switch: Asterisk | None = None
        self.enforcer: Enforcer | None = None
        self.disturbed = False      # a rate was given up though others were at work at every try

    async def __aenter__(self) -> Rig:
        agi = free_port(socket.SOCK_STREAM)
        variables = {"ENF_ASK": self.variant.ask, "ENF_AGI": f"agi://127.0.0.1:{agi}/ask"}
        self.switch = await self._stack.enter_async_context(
            Asterisk(self.parts["asterisk"], hook=self.variant.hook, variables=variables)
        )
        await self._stack.enter_async_context(Callee(self.parts["sipp"], self.switch.carrier_port))
        if self.variant.policy:
            directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
            more = f"[door.agi]\nenabled = {str(self.variant.ask == 'agi').lower()}\nport = {agi}\n"
            self.enforcer = Enforcer(
                directory, self.switch, self.variant.policy, more=more, accounts="acme,acme,pbx,,,,\n"
            )
            await self._stack.enter_async_context(self.enforcer)
            await self.calls(5, 5)
            await asyncio.sleep(2.5)        # a round, so that the lease is there
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def calls(self, rate: float, count: int) -> Outcome:
        """So many calls at so many a second."""
        assert self.switch is not None
        batch = [Call("acme", NUMBER)] * count
        return await place(self.parts["sipp"], self.switch.sip_address, batch, rate=rate, within=90)

    def cpu(self) -> tuple[float, float]:
        """CPU seconds so far: of the switch, of the enforcer."""
        assert self.switch is not None
        return _cpu(self.switch.pid), _cpu(self.enforcer.pid) if self.enforcer else 0.0

    async def idle(self) -> None:
        """Wait until the switch has done with what was too much for it. A minute is enough: SIP gives up
        after 32 seconds."""
        assert self.switch is not None
        async with self.switch.ami() as session:
            await session.action("Events", EventMask="off")
            for _ in range(60):
                await asyncio.sleep(1.0)
                status = await session.action("CoreStatus", within=60)
                if status.get("CoreCurrentCalls") == "0":
                    return


def clean(outcome: Outcome) -> bool:
    """Every call went, none had to say it twice (one in 500 may: that is noise of the machine)."""
    return outcome.failed == 0 and outcome.retransmissions * 500 <= outcome.placed


def _cpu(pid: int) -> float:
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


async def measure() -> list[Figure]:
    """All variants, interleaved."""
    parts = dict(provision(["asterisk", "sipp"]))
    rates: dict[str, list[float]] = {variant.name: [] for variant in VARIANTS}
    start, disturbed = 200.0, 0
    for number in range(ROUNDS):
        for variant in VARIANTS:
            async with Rig(parts, variant) as rig:
                found = await highest(rig, start)
                disturbed += rig.disturbed
            rates[variant.name].append(found)
            say(f"round {number + 1}: {variant.name}: {found:.0f} calls/s")
            start = max(50.0, 0.7 * median(rates["plain"]))
    plain = median(rates["plain"])
    delays: dict[str, list[float]] = {variant.name: [] for variant in VARIANTS}
    work: dict[str, list[tuple[float, float]]] = {variant.name: [] for variant in VARIANTS}
    for _ in range(ROUNDS):
        for variant in VARIANTS:
            async with Rig(parts, variant) as rig:
                outcome, spent = await at_half(rig, plain / 2)
            delays[variant.name] += outcome.setup_ms
            work[variant.name].append(spent)
    told = f"of {ROUNDS * len(VARIANTS)}; where not 0, the rates above are no proof of anything"
    honest = Figure("runs in which others decided", disturbed, "", note=told)
    return [*_figures(rates, delays, plain), honest, *_work(work)]


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


def _work(work: dict[str, list[tuple[float, float]]]) -> list[Figure]:
    """CPU a call: says what a variant costs where the rates are too noisy to."""
    figures = []
    plain = median([switch for switch, _ in work["plain"]])
    for name, runs in work.items():
        switch, enforcer = (median(column) for column in zip(*runs, strict=True))
        note = f"switch {switch / plain:.2f} of plain's, enforcer {enforcer:.2f} ms"
        figures.append(Figure(f"{name}, CPU a call of the switch", switch, "ms", note=note))
    return figures


def _figures(rates: dict[str, list[float]], delays: dict[str, list[float]], plain: float) -> list[Figure]:
    note = f"runs {', '.join(f'{rate:.0f}' for rate in rates['plain'])}"
    figures = [Figure("plain Asterisk, highest clean rate", plain, "calls/s", note=note)]
    goals = {"listener attached": 0.95, "leased": 0.95, "asked over AMI": 0.75, "asked over FastAGI": 0.75}
    for name, goal in goals.items():
        ratios = [mine / theirs for mine, theirs in zip(rates[name], rates["plain"], strict=True)]
        note = "runs " + ", ".join(f"{ratio:.2f}" for ratio in ratios)
        figures.append(at_least(f"{name}, rate against plain", median(ratios), "", goal, note))
    base = percentile(delays["plain"], 0.5)
    limits = {"leased": 0.5, "asked over AMI": 3.0, "asked over FastAGI": 3.0}
    for name, limit in limits.items():
        added = percentile(delays[name], 0.5) - base
        late = [f"{percentile(delays[which], 0.99):.1f} ms" for which in (name, "plain")]
        note = f"p99 {late[0]}, plain {late[1]}"
        figures.append(at_most(f"{name}, added set-up time at half rate, p50", added, "ms", limit, note))
    return figures


def run() -> list[Figure]:
    """All figures of this page."""
    return asyncio.run(measure())
