"""A running enforcer learns what people put on record on the command line, and acts on it at once."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from enforcer.app import House, build, serve
from enforcer.domain.actions import GrantLease, WithdrawLease
from enforcer.domain.call import CallAttempt, Direction
from enforcer.domain.decision import Verdict
from enforcer.settings import load
from enforcer.telemetry import Telemetry
from tests.support.house import House as Desk

PACK = """
[pack]
name = "p"
revision = "1"
[[rule]]
id = "stop"
kind = "opt_out"
clause = "3. Unsolicited Communications"
critical = { at = 0, verdict = "block" }
[[rule]]
id = "repeat"
kind = "strikes"
clause = "7. Copyrighted Material"
window = "3650d"
critical = { at = 1, verdict = "block" }
"""
NUMBER = "2025550123"


class Ears(Telemetry):
    """Hears what the enforcer notes."""

    def __init__(self) -> None:
        super().__init__(CollectorRegistry())
        self.noted: list[tuple[str, dict[str, object]]] = []
        self.took_over = asyncio.Event()

    def note(self, what: str, **about: object) -> None:
        self.noted.append((what, about))
        if what == "took over changes":
            self.took_over.set()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, PACK)


def house_of(desk: Desk, ears: Ears) -> House:
    house = build(load(desk.config), ears, lambda job: job())
    while house.ledger.changed_elsewhere():
        pass
    return house


def attempt(account: str = "acme", number: str = NUMBER, name: str = "1") -> CallAttempt:
    return CallAttempt(f"pbx1/{name}", "pbx1", account, Direction.OUTBOUND, number, "100", time.time())


@pytest.mark.parametrize(("command", "withdrawn"), [
    (("optout", "add", NUMBER, "--account", "acme"), {"acme", "apex"}),     # each call has to be seen now
    (("strike", "add", "--account", "acme", "--kind", "copyright"), {"acme"}),
])
async def test_what_goes_on_record_withdraws_leases_at_once(
    desk: Desk, command: tuple[str, ...], withdrawn: set[str]
) -> None:
    ears = Ears()
    house = house_of(desk, ears)
    admission = house.admission
    for name, account in enumerate(("acme", "apex", "solo")):
        admission.admit(attempt(account, "2025550199", str(name)))
    granted = admission.round("pbx1", time.time())
    assert {one.account for one in granted if isinstance(one, GrantLease)} == {"acme", "apex", "solo"}

    stop = asyncio.Event()
    hurried: list[bool] = []
    admission.hurry = lambda: hurried.append(True)
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        tasks.create_task(serve(house, stop), name="enforcer")
        await asyncio.to_thread(desk.ok, *command)
        await ears.took_over.wait()
        done = admission.urgent("pbx1", time.time())
        stop.set()
    assert hurried      # the links do not wait for their next round
    assert {one.account for one in done if isinstance(one, WithdrawLease)} == withdrawn


async def test_a_call_to_a_number_that_opted_out_is_refused_from_then_on(desk: Desk) -> None:
    desk.ok("mode", "set", "block")
    house = house_of(desk, Ears())
    assert house.admission.admit(attempt(name="1")).verdict is Verdict.ALLOW
    desk.ok("optout", "add", f"+1 {NUMBER}", "--account", "acme")
    assert house.ledger.changed_elsewhere()
    assert house.admission.admit(attempt(name="2")).verdict is Verdict.BLOCK        # however it is dialled
    assert house.admission.admit(attempt("apex", name="3")).verdict is Verdict.ALLOW
    assert house.admission.admit(attempt(number="911", name="4")).exempt == "emergency call"
    desk.ok("optout", "remove", NUMBER, "--account", "acme")
    assert house.ledger.changed_elsewhere()
    assert house.admission.admit(attempt(name="5")).verdict is Verdict.ALLOW
    house.ledger.close()


async def test_the_head_of_the_chain_is_logged_as_it_starts_and_stops(desk: Desk) -> None:
    ears = Ears()
    house = house_of(desk, ears)
    stop = asyncio.Event()
    house.admission.admit(attempt())
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        tasks.create_task(serve(house, stop), name="enforcer")
        await asyncio.to_thread(desk.ok, "optout", "add", NUMBER, "--account", "acme")
        await ears.took_over.wait()
        stop.set()
    heads = [str(about["head"]) for what, about in ears.noted if what == "head of the chain"]
    assert len(heads) == 2
    assert all(re.fullmatch(r"\d+:[0-9a-f]{64}", head) for head in heads)
    assert int(heads[1].partition(":")[0]) == 3 + 1 + 1 + 1     # accounts, pack, decision, opt-out
    for head in heads:
        desk.ok("verify", "--head", head)
