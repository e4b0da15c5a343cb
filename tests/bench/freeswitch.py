"""A real FreeSWITCH under SIPp, with enforcement and without: the same as `switch`, on a FreeSWITCH of your
own (`ENFORCER_FREESWITCH`, or `freeswitch` in PATH). Without one nothing is measured.

Runs are interleaved, each on a fresh switch, and only their ratios mean anything: SIPp, both far ends and the
enforcer share this machine with FreeSWITCH.
"""

from __future__ import annotations

import asyncio
import socket
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from lab.enforcer import Enforcer
from lab.freeswitch import NAMED, installed
from lab.process import free_port
from lab.provision import Provisioned, provision
from lab.sipp import Call, Callee, Outcome, place
from tests.bench.clean_rate import ROUNDS, at_half, cpu_of, delays_of, highest, rates_of, say, work_of
from tests.bench.own_freeswitch import OwnFreeswitch
from tests.bench.report import Figure, median
from tests.bench.switch import ASKED, LEASED, NUMBER


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to run the switch."""

    name: str
    hook: bool = True
    policy: str = ""            # "" no enforcer at all
    http: bool = False          # how it asks


PLAIN = Variant("plain", hook=False)
VARIANTS = (
    PLAIN,
    Variant("listener attached", hook=False, policy=LEASED),
    Variant("leased", policy=LEASED),
    Variant("asked at the door", policy=ASKED),
    Variant("asked over HTTP", policy=ASKED, http=True),
)
GOALS = {"listener attached": 0.95, "leased": 0.95, "asked at the door": 0.75, "asked over HTTP": 0.75}
LIMITS = {"leased": 0.5, "asked at the door": 30.0, "asked over HTTP": 3.0}


def variant_door(variant: Variant) -> str:
    """The door that it asks at, as the settings call it."""
    return "http" if variant.http else "esl"


class Rig:
    """One variant, running."""

    def __init__(self, sipp: Provisioned, variant: Variant) -> None:
        self.sipp = sipp
        self.variant = variant
        self.disturbed = False
        self._door = free_port(socket.SOCK_STREAM)
        ask = f"http://127.0.0.1:{self._door}" if variant.http else "door"
        self.switch = OwnFreeswitch(hook=variant.hook, door=self._door, ask=ask)
        self.enforcer: Enforcer | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Rig:
        await self._stack.enter_async_context(self.switch)
        await self._stack.enter_async_context(Callee(self.sipp, self.switch.carrier_port))
        if self.variant.policy:
            directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
            self.enforcer = Enforcer(
                directory, self.switch, self.variant.policy, accounts="acme,acme,pbx,,,,\n",
                more=f'kind = "freeswitch"\noutbound_contexts = ["from-accounts"]\n'
                     f"[door.{variant_door(self.variant)}]\nenabled = true\nport = {self._door}\n",
            )
            await self._stack.enter_async_context(self.enforcer)
        await self.calls(5, 5)
        if self.variant.policy:
            await asyncio.sleep(2.5)        # a round, so that the lease is there
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def calls(self, rate: float, count: int) -> Outcome:
        """So many calls at so many a second."""
        batch = [Call("acme", NUMBER)] * count
        return await place(self.sipp, self.switch.sip_address, batch, rate=rate, within=90)

    def cpu(self) -> tuple[float, float]:
        """CPU seconds so far: of the switch, of the enforcer."""
        return cpu_of(self.switch.pid), cpu_of(self.enforcer.pid) if self.enforcer else 0.0

    async def idle(self) -> None:
        """Wait until the switch has done with what was too much for it, a minute at the most."""
        for _ in range(60):
            await asyncio.sleep(1.0)
            if "\n0 total" in await self.switch.api("show calls count"):
                return


async def rate_of(sipp: Provisioned, variant: Variant, start: float) -> tuple[float, bool]:
    """The highest clean rate of one variant on a fresh switch; whether others decided it."""
    async with Rig(sipp, variant) as rig:
        return await highest(rig, start), rig.disturbed


async def half_of(
    sipp: Provisioned, variant: Variant, rate: float
) -> tuple[Sequence[float], tuple[float, float]]:
    """Set-up times in ms at this rate, and the CPU that a call cost switch and enforcer, in ms."""
    async with Rig(sipp, variant) as rig:
        outcome, spent = await at_half(rig, rate)
    return outcome.setup_ms, spent


async def measure() -> list[Figure]:
    """All variants, interleaved."""
    sipp = provision(["sipp"])["sipp"]
    rates: dict[str, list[float]] = {variant.name: [] for variant in VARIANTS}
    start, disturbed = 40.0, 0
    for number in range(ROUNDS):
        for variant in VARIANTS:
            found, others = await rate_of(sipp, variant, start)
            disturbed += others
            rates[variant.name].append(found)
            say(f"round {number + 1}: {variant.name}: {found:.0f} calls/s")
            start = max(10.0, 0.6 * median(rates["plain"]))
    delays: dict[str, list[float]] = {variant.name: [] for variant in VARIANTS}
    work: dict[str, list[tuple[float, float]]] = {variant.name: [] for variant in VARIANTS}
    for _ in range(ROUNDS):
        for variant in VARIANTS:
            setup, spent = await half_of(sipp, variant, median(rates["plain"]) / 2)
            delays[variant.name] += setup
            work[variant.name].append(spent)
    told = f"of {ROUNDS * len(VARIANTS)}; where not 0, the rates above are no proof of anything"
    honest = Figure("runs in which others decided", disturbed, "", note=told)
    return [*rates_of(rates, GOALS, "FreeSWITCH"), *delays_of(delays, LIMITS), honest, *work_of(work)]


def run() -> list[Figure]:
    """All figures of this page; none without a FreeSWITCH."""
    if not installed():
        say(f"no FreeSWITCH: not in PATH, and {NAMED} names none")
        return []
    return asyncio.run(measure())
