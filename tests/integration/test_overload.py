"""Overload: more calls than the switch can set up, the enforcer attached, and somebody dials 911."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path

import pytest

from lab.ami import Ami
from lab.asterisk import Asterisk
from lab.enforcer import Enforcer
from lab.provision import Provisioned
from lab.sipp import Call, Callee, Outcome, place

# Calls a second, each rung half as much again: the first that does not go through clean is 1.5 times the
# clean rate of whatever machine this is. The last is more than two cores have ever done.
RUNGS = (100, 150, 225, 340, 510)
SECONDS = 2.5
MANAGER_QUEUE = "stasis/m:manager:core"
# Far from every limit: after the first round the account holds a lease, as accounts do on most days, and the
# enforcer listens.
POLICY = """
[pack]
name = "overload"
revision = "1"
[[rule]]
id = "many"
kind = "attempts"
clause = "none"
critical = { at = 100000000, verdict = "block" }
"""


async def queue(session: Ami) -> tuple[int, int]:
    """How deep the manager's queue ever was, and the depth at which PJSIP begins to drop INVITEs."""
    for line in (await session.command("core show taskprocessors")).splitlines():
        name, *numbers = line.split()[:6] or [""]
        if name.startswith(MANAGER_QUEUE):
            _processed, _waiting, deepest, _low_water, high_water = map(int, numbers)
            return deepest, high_water
    raise AssertionError(f"no taskprocessor called {MANAGER_QUEUE}")


async def climb(parts: Mapping[str, Provisioned], directory: Path) -> tuple[int, int, str]:
    """Up all rungs, on a switch of its own, 911 being called all the way. How deep the manager's queue ever
    was, from which depth it is too deep, and what the switch complained of."""
    sipp = parts["sipp"]

    async def calls(rung: int) -> tuple[Outcome | None, list[Outcome]]:
        """What became of the calls of a rung (None: they were not over in time), and of those to 911
        that were placed meanwhile, one after the other."""
        many = [Call("acme", "12025550142")] * int(rung * SECONDS)
        load = asyncio.create_task(place(sipp, switch.sip_address, many, rate=rung), name=f"{rung} a second")
        # Callers who are not answered try for half a minute; nobody waits for them here.
        enough = asyncio.get_running_loop().time() + 2 * SECONDS
        emergencies = []
        try:
            while not load.done() and asyncio.get_running_loop().time() < enough:
                emergencies.append(await place(sipp, switch.sip_address, [Call("globex", "911")], within=20))
            return (load.result() if load.done() else None), emergencies
        finally:
            load.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await load

    async with (
        Asterisk(parts["asterisk"]) as switch,
        Callee(sipp, switch.carrier_port),
        Enforcer(directory, switch, POLICY, accounts="acme,acme,pbx,,,,\n") as enforcer,
        switch.ami() as session,
    ):
        await session.action("Events", EventMask="off")     # one reader of events: the enforcer
        for rung in RUNGS:
            found, emergencies = await calls(rung)
            assert [each.codes for each in emergencies] == [{200: 1}] * len(emergencies), rung
            if found is None or found.failed or found.retransmissions:
                break
        assert not any(line.get("event") == "link down" for line in enforcer.lines())
        return *await queue(session), switch.log_text()


async def test_overload_never_fills_the_managers_queue_and_every_emergency_call_is_answered(
    lab_parts: Mapping[str, Provisioned], tmp_path_factory: pytest.TempPathFactory
) -> None:
    deepest, high_water, complaints = await climb(lab_parts, tmp_path_factory.mktemp("first"))
    if deepest >= high_water:
        # A seventh of a second in which other programs had both cores: 3000 messages are no more than that.
        deepest, high_water, complaints = await climb(lab_parts, tmp_path_factory.mktemp("second"))
    assert deepest < high_water
    assert f"{MANAGER_QUEUE}' queue reached" not in complaints
