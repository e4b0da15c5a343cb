"""A real Asterisk under SIPp, with enforcement and without: the highest rate at which every call still
goes through at once, and what enforcement adds to the set-up of a call.

Runs are interleaved (one of each variant, then again), each on a fresh switch, and only their ratios
mean anything: SIPp, both far ends and the enforcer share this machine with Asterisk.

ENFORCER_BENCH_SLICE=0,2 runs only these variants, once, and keeps their rates in switch.json, for machines
that have to be asked for in slices; ENFORCER_BENCH_START is the rate to begin with, one that surely goes.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from lab.asterisk import Asterisk
from lab.enforcer import Enforcer
from lab.process import free_port
from lab.provision import Provisioned, provision
from lab.sipp import Call, Callee, Outcome, place
from tests.bench.clean_rate import ROUNDS, at_half, cpu_of, delays_of, highest, rates_of, say, work_of
from tests.bench.report import Figure, median

NUMBER = "12025550142"
KEPT = Path("switch.json")
START = float(os.environ.get("ENFORCER_BENCH_START", "200"))

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
    more: str = ""              # tables for the enforcer's configuration


PLAIN = Variant("plain", hook=False)
VARIANTS = (
    PLAIN,
    Variant("listener attached", hook=False, policy=LEASED),
    Variant("leased", policy=LEASED),
    Variant("asked over AMI", policy=ASKED),
    Variant("asked over FastAGI", policy=ASKED, ask="agi"),
)


GOALS = {"listener attached": 0.95, "leased": 0.95, "asked over AMI": 0.75, "asked over FastAGI": 0.75}


class Rig:
    """One variant, running."""

    def __init__(self, parts: dict[str, Provisioned], variant: Variant) -> None:
        self.parts = parts
        self.variant = variant
        self._stack = AsyncExitStack()
        self.switch: Asterisk | None = None
        self.enforcer: Enforcer | None = None
        self.placed = 0             # calls
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
            more += self.variant.more
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
        self.placed += count
        return await place(self.parts["sipp"], self.switch.sip_address, batch, rate=rate, within=90)

    def cpu(self) -> tuple[float, float]:
        """CPU seconds so far: of the switch, of the enforcer."""
        assert self.switch is not None
        return cpu_of(self.switch.pid), cpu_of(self.enforcer.pid) if self.enforcer else 0.0

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


async def measure() -> list[Figure]:
    """All variants, interleaved."""
    parts = dict(provision(["asterisk", "sipp"]))
    rates: dict[str, list[float]] = {variant.name: [] for variant in VARIANTS}
    start, disturbed = START, 0
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
    limits = {"leased": 0.5, "asked over AMI": 3.0, "asked over FastAGI": 3.0}
    return [*rates_of(rates, GOALS, "Asterisk"), *delays_of(delays, limits), honest, *work_of(work)]


def _known() -> dict[str, list[float]]:
    found: dict[str, list[float]] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    return found


def _keep(rates: dict[str, list[float]]) -> None:
    KEPT.write_text(json.dumps(rates) + "\n")


async def measure_slice(numbers: list[int]) -> list[Figure]:
    """These variants once, on top of what was kept before: the rates only."""
    parts = dict(provision(["asterisk", "sipp"]))
    kept = _known()
    for variant in (VARIANTS[number] for number in numbers):
        async with Rig(parts, variant) as rig:
            found = await highest(rig, START)
            work = [1000 * seconds / rig.placed for seconds in rig.cpu()]
            others = ", disturbed" if rig.disturbed else ""
            say(f"{variant.name}: {found:.0f} calls/s{others}; CPU a call, with the start: switch "
                f"{work[0]:.2f} ms, enforcer {work[1]:.2f} ms")
        kept.setdefault(variant.name, []).append(found)
        _keep(kept)
    if PLAIN.name not in kept:
        return []
    rounds = min(len(rates) for rates in kept.values())
    whole = {name: rates[:rounds] for name, rates in kept.items()}
    return rates_of(whole, {name: goal for name, goal in GOALS.items() if name in kept}, "Asterisk")


def run() -> list[Figure]:
    """All figures of this page."""
    places = os.environ.get("ENFORCER_BENCH_SLICE", "")
    return asyncio.run(measure_slice([int(one) for one in places.split(",")]) if places else measure())
