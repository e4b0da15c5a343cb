"""One account over two switches at once: a real Asterisk, the small FreeSWITCH, one enforcer for both."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from enforcer.domain.call import Direction
from lab.asterisk import Asterisk
from lab.fake_freeswitch import FakeFreeswitch
from lab.process import free_port
from lab.provision import Provisioned
from lab.sipp import Callee
from tests.support.players import OnAsterisk, OnFakeFreeswitch, on_asterisk
from tests.support.scenario import Placed
from tests.support.sites import freeswitch_contexts
from tests.support.stage import Stage, raised

SECRET = "ENFORCER_TEST_SECRET"
TALKS, BUSY = "13125551142", "13125551486"
POLICY = """
[pack]
name = "one"
revision = "1"
[[rule]]
id = "few"
kind = "attempts"
clause = "1"
accounts = ["a1"]
critical = { at = 4, verdict = "block" }
[[rule]]
id = "channels"
kind = "concurrent_calls"
clause = "2"
accounts = ["a2"]
critical = { at = 3, verdict = "throttle" }
[[rule]]
id = "pace"
kind = "cps"
clause = "3"
accounts = ["a3"]
critical = { at = 2, verdict = "throttle" }
pace = { max_hold = 0 }
[[rule]]
id = "ratio"
kind = "asr"
clause = "4"
accounts = ["a4"]
min_attempts = 4
critical = { at = 4, verdict = "block" }
[[rule]]
id = "roomy"
kind = "attempts"
clause = "5"
accounts = ["a5"]
critical = { at = 54, verdict = "block" }
[[rule]]
id = "near"
kind = "attempts"
clause = "6"
accounts = ["a6"]
critical = { at = 45, verdict = "block" }
"""
NAMES = [f"a{n}" for n in range(1, 7)]
TABLES = """
[door.esl]
enabled = true
port = {door}
[[switch]]
name = "pbx1"
port = {ami}
secret_env = "ENFORCER_TEST_SECRET"
[[switch]]
name = "fs1"
kind = "freeswitch"
port = {esl}
secret_env = "ENFORCER_TEST_SECRET"
outbound_contexts = ["from-accounts"]
"""


Place = OnAsterisk | OnFakeFreeswitch


@dataclass(slots=True)
class Both:
    """The enforcer and its two switches."""

    stage: Stage
    asterisk: OnAsterisk
    freeswitch: OnFakeFreeswitch

    async def open(self, where: Place, account: str, number: str = TALKS) -> tuple[int, Placed]:
        """A call, left as it is once it was answered and the enforcer knows."""
        before = len(self.mine(account))
        placed = await where.place(account, number, Direction.OUTBOUND)
        code = await placed.final()
        call = await self.stage.until(lambda: self.mine(account)[before:], "call")
        heard = self.stage.answered if code == 200 else self.stage.ended
        await self.stage.until(lambda: heard(call[0]), "news of the call")
        return code, placed

    async def call(self, where: Place, account: str, number: str = TALKS) -> int:
        """A call, from its beginning to its end."""
        code, placed = await self.open(where, account, number)
        if code == 200:
            await self.close(placed, account)
        return code

    async def close(self, placed: Placed, account: str) -> None:
        over = sum(self.stage.ended(call) is not None for call in self.mine(account))
        await placed.hang_up()
        await self.stage.until(
            lambda: sum(self.stage.ended(call) is not None for call in self.mine(account)) > over, "end"
        )

    def mine(self, account: str) -> list[str]:
        return [call for call, (caller, _) in self.stage.calls().items() if caller == account]

    def counted(self, account: str) -> list[str]:
        """The switch of each call on record, each counted once."""
        calls = [record.call_id for record in self.stage.house.ledger.calls(account)]
        assert len(calls) == len(set(calls))
        return [call.partition("/")[0] for call in calls]


@pytest.fixture
async def both(
    lab_parts: Mapping[str, Provisioned], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Both]:
    asterisk = Asterisk(lab_parts["asterisk"], accounts=NAMES, variables={"ENF_MAXWAIT": "5"})
    monkeypatch.setenv(SECRET, asterisk.secret)
    door = free_port(socket.SOCK_STREAM)
    async with (
        asterisk,
        Callee(lab_parts["sipp"], asterisk.carrier_port, messages=True) as carrier,
        FakeFreeswitch([freeswitch_contexts()], door=f"127.0.0.1:{door}") as freeswitch,
    ):
        freeswitch.socket.password = asterisk.secret
        accounts = "".join(f"{name},{name}-co,pbx,,,,\n" for name in NAMES)
        tables = TABLES.format(door=door, ami=asterisk.ami_port, esl=freeswitch.socket.port)
        async with (
            raised(tmp_path, POLICY, accounts, tables) as stage,
            on_asterisk(asterisk, [carrier]) as player,
        ):
            yield Both(stage, player, OnFakeFreeswitch(freeswitch))


async def test_one_account_is_one_account_over_both_switches(both: Both) -> None:
    """One house for all of it: each part has an account of its own."""
    async with asyncio.TaskGroup() as tasks:
        for part in (attempts, calls_in_progress, pace, ratio, leases, suspension):
            tasks.create_task(part(both), name=part.__name__)
    assert both.stage.house.ledger.verify() == []
    placed = Counter(fact.attempt.call_id for fact in both.stage.facts if fact.phase == 1)
    assert set(placed.values()) == {1}
    decided = Counter(decision.call_id for decision in both.stage.decisions)
    assert set(decided.values()) == {1}


async def attempts(both: Both) -> None:
    """Two here and two there are four, and the fifth is refused wherever it comes."""
    codes = [await both.call(where, "a1") for where in (both.asterisk, both.freeswitch) * 3]
    assert codes == [200, 200, 200, 200, 403, 403]
    assert Counter(both.counted("a1")) == {"pbx1": 3, "fs1": 3}
    assert [d.switch for d in both.stage.decisions if d.account == "a1" and d.refused] == ["pbx1", "fs1"]


async def calls_in_progress(both: Both) -> None:
    """Two that talk here and one there leave no room on either, until one of them is over."""
    opened = [await both.open(where, "a2") for where in (both.asterisk, both.freeswitch, both.asterisk)]
    assert [code for code, _ in opened] == [200] * 3
    assert [await both.call(where, "a2") for where in (both.freeswitch, both.asterisk)] == [503, 503]
    await both.close(opened[0][1], "a2")            # on the one,
    assert await both.call(both.freeswitch, "a2") == 200        # and there is room on the other
    for _, placed in opened[1:]:
        await both.close(placed, "a2")


async def pace(both: Both) -> None:
    """Three here and three there at once: two go, whichever those are."""
    places = [both.asterisk, both.freeswitch] * 3
    placed = [await where.place("a3", TALKS, Direction.OUTBOUND) for where in places]
    codes = await asyncio.gather(*(call.final() for call in placed))
    assert Counter(codes) == {200: 2, 503: 4}
    for call, code in zip(placed, codes, strict=True):
        if code == 200:
            await both.stage.until(
                lambda: sum(bool(both.stage.answered(one)) for one in both.mine("a3")) == 2, "answers"
            )
            await call.hang_up()


async def ratio(both: Both) -> None:
    """Four that fail, two on each switch, are four attempts of one account."""
    codes = [await both.call(where, "a4", BUSY) for where in (both.asterisk, both.freeswitch) * 3]
    assert codes == [486, 486, 486, 486, 403, 403]


async def leases(both: Both) -> None:
    """Calls on the one bring the account near its limit: its lease ends on both."""
    await both.call(both.asterisk, "a5")
    await both.call(both.freeswitch, "a5")
    for where in (both.asterisk, both.freeswitch):
        await leased(both, where, "a5", True)
    asked = sum(d.account == "a5" for d in both.stage.decisions)
    assert [await both.call(both.freeswitch, "a5") for _ in range(2)] == [200] * 2
    assert sum(d.account == "a5" for d in both.stage.decisions) == asked
    assert await both.call(both.freeswitch, "a5") == 200        # the one that comes too near
    for where in (both.asterisk, both.freeswitch):
        await leased(both, where, "a5", False)
    assert len(both.counted("a5")) == 5


async def suspension(both: Both) -> None:
    """It holds on both as soon as the enforcer has taken it over, and so does its end."""
    places = (both.asterisk, both.freeswitch)
    assert [await both.call(where, "a6") for where in places] == [200, 200]
    await both.stage.run("account", "suspend", "a6", "--reason", "unpaid")
    assert [await both.call(where, "a6") for where in places] == [403, 403]
    assert [await both.call(where, "a6", "911") for where in places] == [200, 200]
    await both.stage.run("account", "resume", "a6")
    assert [await both.call(where, "a6") for where in places] == [200, 200]


async def leased(both: Both, where: Place, account: str, wanted: bool) -> None:
    """Wait until the switch holds a lease, or none."""
    async with asyncio.timeout(30):
        while await where.leased(account) is not wanted:    # noqa: ASYNC110 - a switch is asked
            await asyncio.sleep(0.02)
