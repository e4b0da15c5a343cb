"""A mode changed by each door while calls come in at half the switch's highest rate: when it is in force,
and whether a call is lost over it.

A real Asterisk under SIPp, asked over AMI; a rule that every call has passed, so that the mode alone says
what becomes of it. The mode goes to and fro between `block` and `monitor`. A change is in force when the last
call was judged by the old mode; counted from when it was entered (its own time in the ledger) and from when
the order was given, which for the command line is before a Python has started. Times of calls are those of
the enforcer's log, on the same clock.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from itertools import cycle
from typing import Any, NamedTuple

import httpx

from enforcer.control.site import Site
from lab.enforcer import Enforcer
from lab.process import free_port
from lab.provision import provision
from lab.sipp import Outcome
from tests.bench.clean_rate import highest, say
from tests.bench.report import Figure, at_most, percentile
from tests.bench.switch import Rig, Variant
from tests.support.broker import PASSWORDS, Broker

SECONDS = float(os.environ.get("ENFORCER_BENCH_TOGGLE_SECONDS", "20"))      # of calls, for each door
RATE = float(os.environ.get("ENFORCER_BENCH_RATE", "0"))                    # 0: half the highest, measured
EVERY = 0.4             # s between an order that was accepted and the next
LIMIT = 100.0           # ms
SECRET = "ENFORCER_MQTT_SECRET"
HTTP_PORT = free_port(socket.SOCK_STREAM)
PASSED = """
[pack]
name = "bench"
revision = "1"
[[rule]]
id = "passed"
kind = "attempts"
clause = "bench"
critical = { at = 1, verdict = "block" }
"""
VERDICTS = {"block": "block", "monitor": "allow"}


class Given(NamedTuple):
    """One order: the mode, when it was given and when it was accepted (Unix seconds)."""

    mode: str
    at: float
    accepted: float


Give = Callable[[str], Awaitable[None]]


@asynccontextmanager
async def command_line(enforcer: Enforcer, _broker: Broker) -> AsyncIterator[Give]:
    """`enforcer mode set`, a process each."""
    async def give(mode: str) -> None:
        await enforcer.command("mode", "set", mode, "--reason", "bench")

    yield give


@asynccontextmanager
async def mqtt(_enforcer: Enforcer, broker: Broker) -> AsyncIterator[Give]:
    """A message to the broker, and the answer."""
    async with broker.client() as client:
        await client.subscribe("enforcer/lab/reply")

        async def give(mode: str) -> None:
            await client.publish("enforcer/lab/mode/set", json.dumps({"mode": mode, "reason": "bench"}), 1)
            async for message in client.messages:
                ack = json.loads(message.payload)
                if not ack["accepted"]:
                    raise RuntimeError(ack["said"])
                return

        yield give


@asynccontextmanager
async def http(enforcer: Enforcer, _broker: Broker) -> AsyncIterator[Give]:
    """A request, and its answer."""
    token = (await enforcer.command("token", "create", "bench", "--role", "operator")).split()[-1]
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{HTTP_PORT}", headers=headers) as client:
        async def give(mode: str) -> None:
            answer = await client.put("/v1/mode", json={"mode": mode, "reason": "bench"})
            answer.raise_for_status()

        yield give


DOORS: dict[str, Callable[[Enforcer, Broker], Any]] = {
    "command line": command_line, "MQTT": mqtt, "HTTP": http,
}


async def orders(give: Give, modes: Any, calls: asyncio.Task[Outcome]) -> list[Given]:
    """To and fro, for as long as calls come."""
    given = []
    while not calls.done():
        await asyncio.wait((calls,), timeout=EVERY)
        mode, at = next(modes), time.time()
        await give(mode)
        given.append(Given(mode, at, time.time()))
    return given


def delays(
    given: list[Given], entered: list[float], decided: list[tuple[float, str]]
) -> list[tuple[float, float]]:
    """For each order with calls after it: milliseconds from when it was given, and from when it was entered,
    until the last call that was judged by the mode before; 0 where the very next was by the new one."""
    found = []
    ends = [*(one.at for one in given[1:]), float("inf")]
    for one, written, end in zip(given, entered, ends, strict=True):
        after = [(at, verdict) for at, verdict in decided if one.at <= at < end]
        if not any(at > one.accepted for at, _ in after):
            continue
        last = max((at for at, verdict in after if verdict != VERDICTS[one.mode]), default=0.0)
        found.append((1000 * max(0.0, last - one.at), 1000 * max(0.0, last - written)))
    return found


def entered_in(enforcer: Enforcer) -> list[float]:
    """When each of our orders was entered, in their order."""
    with Site(enforcer.config).ledger() as ledger:
        return [setting.at for setting in ledger.modes() if setting.why == "bench"]


def lost(outcome: Outcome, decided: list[tuple[float, str]]) -> int:
    """Calls that ended otherwise than answered or refused by us, or that nobody decided on."""
    told = outcome.codes[200] + outcome.codes[403]
    return outcome.placed - min(told, len(decided)) + outcome.failed


async def measure() -> list[Figure]:
    """All doors, one after the other, on one switch."""
    parts = provision(["asterisk", "sipp", "mosquitto"])
    figures = []
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(Broker(parts))
        table = (
            f'[http]\nlisten = "127.0.0.1:{HTTP_PORT}"\n[mqtt]\n'
            f'url = "mqtt://enforcer@127.0.0.1:{broker.port}"\nsecret_env = "{SECRET}"\n'
        )
        os.environ[SECRET] = PASSWORDS["enforcer"]
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)     # what is installed is compiled once
        variant = Variant("toggled", policy=PASSED, more=table)
        rig = await stack.enter_async_context(Rig(parts, variant))
        assert rig.enforcer is not None
        await rig.enforcer.command("mode", "set", "monitor")
        rate = RATE
        if not rate:
            found = await highest(rig, 150.0)
            rate = found / 2
            figures.append(Figure("asked over AMI, highest clean rate", found, "calls/s"))
        await rig.enforcer.line(lambda line: line.get("event") == "mqtt connected")
        for name, door in DOORS.items():
            await rig.idle()
            figures += await one_door(rig, name, door, broker, rate)
    return figures


async def one_door(rig: Rig, name: str, door: Any, broker: Broker, rate: float) -> list[Figure]:
    """Orders by one door while calls come."""
    assert rig.enforcer is not None
    before, orders_before = len(rig.enforcer.decisions()), len(entered_in(rig.enforcer))
    calls = asyncio.create_task(rig.calls(rate, int(rate * SECONDS)))
    async with door(rig.enforcer, broker) as give:
        given = await orders(give, cycle(("block", "monitor")), calls)
    outcome = await calls
    lines = rig.enforcer.decisions()[before:]
    decided = [(datetime.fromisoformat(line["timestamp"]).timestamp(), line["verdict"]) for line in lines]
    waited = delays(given, entered_in(rig.enforcer)[orders_before:], decided)
    late = [ms for _, ms in waited]
    say(f"{name}: {len(waited)} orders at {rate:.0f} calls/s, {outcome.placed} calls")
    whole = [ms for ms, _ in waited]
    note = f"{len(waited)} orders at {rate:.0f} calls/s, p50 {percentile(late, 0.5):.0f} ms"
    begun = f"p50 {percentile(whole, 0.5):.0f} ms" + (
        ", a process of its own that has to start first" if name == "command line" else ""
    )
    told = f"of {outcome.placed}, {outcome.codes[403]} of them refused as ordered"
    return [
        at_most(f"by {name}, longest from its entry until in force", max(late), "ms", LIMIT, note),
        Figure(f"by {name}, longest from giving the order until in force", max(whole), "ms", note=begun),
        at_most(f"by {name}, calls lost", lost(outcome, decided), "", 0, told),
    ]


def run() -> list[Figure]:
    """All figures of this page."""
    return asyncio.run(measure())
