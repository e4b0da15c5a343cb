"""A whole enforcer beside the small FreeSWITCH: link and door, rules and dialplan, one call counted once."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from enforcer.app import House, build
from enforcer.errors import BadInput
from enforcer.settings import load
from enforcer.telemetry import Telemetry
from lab.fake_freeswitch import FakeFreeswitch
from lab.process import free_port
from tests.support.house import one_rule
from tests.support.running import running, until

NUMBER = "12025550142"
PACK = one_rule('at = 3, verdict = "block", sip_code = 403', name="p", clause="c")
CONFIG = """
site = "lab"
[breaker]
enabled = false
[ledger]
url = "sqlite:///enforcer.db"
[policy]
packs = ["pack.toml"]
mode = "block"
[lease]
seconds = 0
[door.esl]
enabled = true
port = {door}
"""


@pytest.fixture
async def switch() -> AsyncIterator[FakeFreeswitch]:
    async with FakeFreeswitch(second=0.05) as switch:
        yield switch


@pytest.fixture
async def house(
    switch: FakeFreeswitch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[House]:
    monkeypatch.setenv("ENFORCER_TEST_SECRET", switch.socket.password)
    (tmp_path / "pack.toml").write_text(PACK)
    config = tmp_path / "enforcer.toml"
    config.write_text(
        f'{CONFIG.format(door=free_port(socket.SOCK_STREAM))}[[switch]]\nname = "fs1"\nkind = "freeswitch"\n'
        f'port = {switch.socket.port}\nsecret_env = "ENFORCER_TEST_SECRET"\n'
    )
    async with running(config, lambda house: "enf_hb" in switch.hash) as house:
        switch.globals["enf_door"] = f"127.0.0.1:{house.doors[0].port}"
        yield house


async def test_calls_are_asked_about_counted_once_and_blocked_at_the_limit(
    house: House, switch: FakeFreeswitch
) -> None:
    calls = [await switch.call("acme", NUMBER, talk=0.5) for _ in range(4)]
    assert [call.code for call in calls] == [200, 200, 200, 403]
    assert [len(call.legs) for call in calls] == [1, 1, 1, 0]
    assert {call.variables["userfield"].partition(";")[0] for call in calls} == {"live"}
    await until(lambda: not house.ledger.live("fs1"))
    records = [house.ledger.call(f"fs1/{call.uuid}") for call in calls]
    assert [(record.account, record.number) for record in records if record] == [("acme", NUMBER)] * 4
    assert switch.socket.commands.count("exit") == 0


async def test_emergency_call_is_never_asked_about_and_always_goes(
    house: House, switch: FakeFreeswitch
) -> None:
    for _ in range(4):
        await switch.call("acme", NUMBER, talk=0)
    assert (await switch.call("acme", "911", talk=0)).code == 200


async def test_a_door_that_no_switch_would_ask_at_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "pack.toml").write_text(PACK)
    config = tmp_path / "enforcer.toml"
    config.write_text(CONFIG.format(door=free_port(socket.SOCK_STREAM)))
    with pytest.raises(BadInput, match=r"door\.esl: no .*kind = 'freeswitch' asks there"):
        build(load(config), Telemetry(CollectorRegistry()), lambda act: None)


async def test_calls_asked_about_while_nobody_hears_of_them_do_not_go_on_for_ever(
    house: House, switch: FakeFreeswitch
) -> None:
    await switch.socket.stop()
    await until(lambda: not house.links[0].state().connected)
    first, second = (
        asyncio.create_task(switch.call("acme", NUMBER, talk=talk), name="unheard") for talk in (0.5, 3600)
    )
    ended = await first
    await until(lambda: any(channel.answered for channel in switch.channels.values()))
    assert len(house.ledger.live("fs1")) == 2, "the door counts, and nobody tells of the end"
    await switch.socket.start()
    await until(lambda: house.links[0].state().level)
    [still] = house.ledger.live("fs1")
    assert still.call_id != f"fs1/{ended.uuid}"
    [channel] = [one for one in switch.channels.values() if one.direction == "inbound"]
    switch.hang_up(channel.uuid, 16)
    await second
    await until(lambda: not house.ledger.live("fs1"))
