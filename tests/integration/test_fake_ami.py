"""The fake managers, talked to by stock panoramisk: what it makes of them is what others would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from panoramisk import Manager

from enforcer.wire.ami import Decoder
from enforcer.wire.asterisk import WANTED_EVENTS
from lab.fake_asterisk import FakeAsterisk
from tests.support.ami_server import SECRET, ami_server

RECORDED = Path(__file__).parents[1] / "recorded" / "asterisk"
SOON = 20.0
NUMBER, RINGS, BUSY = "12025550142", "12025550180", "12025550486"


class Heard:
    """What panoramisk was told, and a way to wait for it."""

    def __init__(self, manager: Manager) -> None:
        self.manager = manager
        self.events: list[Any] = []
        self._more = asyncio.Event()
        manager.register_event("*", self._told)

    def _told(self, _: Manager, message: Any) -> None:
        self.events.append(message)
        self._more.set()

    async def event(self, name: str, where: Callable[[Any], bool] = lambda _: True) -> Any:
        """The first event of this name, also one that came before."""
        async with asyncio.timeout(SOON):
            while not (found := [e for e in self.events if e.event == name and where(e)]):
                self._more.clear()
                await self._more.wait()
        return found[0]

    async def action(self, **headers: str) -> Any:
        return await asyncio.wait_for(self.manager.send_action(headers), SOON)


@asynccontextmanager
async def panoramisk(port: int, secret: str, **more: Any) -> AsyncIterator[Heard]:
    """Stock panoramisk, logged in."""
    manager = Manager(host="127.0.0.1", port=port, username="enforcer", secret=secret, **more)
    manager.loop = asyncio.get_running_loop()
    heard = Heard(manager)
    await asyncio.wait_for(manager.connect(), SOON)     # which does not wait for its login
    try:
        if not more:
            assert (await heard.action(Action="Ping")).ping == "Pong"
        yield heard
    finally:
        manager.close()


@pytest.fixture
async def fake() -> AsyncIterator[FakeAsterisk]:
    async with FakeAsterisk(max_wait=0.2) as switch:
        yield switch


async def test_what_is_put_is_got_and_gone_when_it_is_deleted(fake: FakeAsterisk) -> None:
    async with panoramisk(fake.ami_port, fake.secret) as client:
        key = {"Family": "enforcer", "Key": "lease/acme"}
        assert (await client.action(Action="DBPut", **key, Val="17")).success
        got = await client.action(Action="DBGet", **key)
        assert [m.val for m in got if m.event == "DBGetResponse"] == ["17"]
        assert (await client.action(Action="DBDel", **key)).success
        missing = await client.action(Action="DBGet", **key)
        assert (missing.success, missing.message) == (False, "Database entry not found")


async def test_a_call_lives_rings_is_listed_answered_and_hung_up(fake: FakeAsterisk) -> None:
    async with panoramisk(fake.ami_port, fake.secret) as client:
        calling = asyncio.create_task(fake.call("acme", NUMBER, talk=60), name="calling")
        began = await client.event("Newchannel")
        assert (began.channelstatedesc, began.accountcode, began.exten) == ("Ring", "acme", NUMBER)
        up = await client.event("Newstate")
        assert (up.channelstatedesc, up.uniqueid) == ("Up", began.uniqueid)
        listed = [m async for m in rows(await client.action(Action="Status"))]
        assert [(m.channel, m.uniqueid) for m in listed] == [(began.channel, began.uniqueid)]
        assert (await client.action(Action="CoreStatus")).corecurrentcalls == "1"
        done = await client.action(Action="Hangup", Channel=began.channel, Cause="21")
        assert (done.success, done.message) == (True, "Channel Hungup")
        ended = await client.event("Hangup")
        assert (ended.uniqueid, ended.cause) == (began.uniqueid, "21")
        assert [m async for m in rows(await client.action(Action="Status"))] == []
        call = await calling
    assert (call.code, call.cause) == (200, 21)


async def rows(listing: Any) -> AsyncIterator[Any]:
    """The entries of a Status list, as panoramisk collects them."""
    for message in listing if isinstance(listing, list) else [listing]:
        if message.event == "Status":
            yield message


async def test_a_call_that_rings_is_given_up_and_one_that_is_busy_ends_by_itself(fake: FakeAsterisk) -> None:
    async with panoramisk(fake.ami_port, fake.secret) as client:
        ringing = asyncio.create_task(fake.call("acme", RINGS), name="ringing")
        began = await client.event("Newchannel")
        assert (await client.action(Action="Hangup", Channel=began.channel)).success
        assert (await ringing).code != 200
        busy = await fake.call("globex", BUSY)
        ended = await client.event("Hangup", lambda e: e.accountcode == "globex")
    assert (busy.code, ended.cause, ended.techcause) == (486, "17", "486")
    assert not [e for e in client.events if e.event == "Newstate"], "nobody answered"


async def test_variables_are_set_and_got_on_a_channel_and_for_all(fake: FakeAsterisk) -> None:
    async with panoramisk(fake.ami_port, fake.secret) as client:
        calling = asyncio.create_task(fake.call("acme", NUMBER, talk=60), name="calling")
        channel = (await client.event("Newstate")).channel
        for where in ({"Channel": channel}, {}):
            assert (await client.action(Action="Setvar", Variable="ENF_X", Value="a;b", **where)).success
            got = await client.action(Action="Getvar", Variable="ENF_X", **where)
            assert (got.variable, got.value) == ("ENF_X", "a;b")
        await client.action(Action="Hangup", Channel=channel)
        await calling
        gone = await client.action(Action="Setvar", Channel=channel, Variable="ENF_X", Value="1")
        assert (gone.success, gone.message) == (False, "No such channel")


async def test_a_wrong_secret_is_refused_and_what_is_not_known_is_an_error(fake: FakeAsterisk) -> None:
    turned_away = asyncio.Event()
    async with panoramisk(
        fake.ami_port, "wrong", on_disconnect=lambda *_: turned_away.set(), reconnect_timeout=3600
    ) as client:
        await asyncio.wait_for(turned_away.wait(), SOON)
        assert not client.manager.authenticated
    async with panoramisk(fake.ami_port, fake.secret) as client:
        assert not (await client.action(Action="Originate", Channel="PJSIP/acme")).success
        assert (await client.action(Action="Ping")).ping == "Pong"


async def test_the_manager_that_tests_script_is_one_that_panoramisk_understands() -> None:
    async with ami_server() as server, panoramisk(server.port, SECRET) as client:
        assert (await client.action(Action="Ping")).ping == "Pong"
        server.listing = ["Event: Status\nChannel: PJSIP/acme-1\nUniqueid: pbx-1.1"]
        listed = [m async for m in rows(await client.action(Action="Status"))]
        assert [m.channel for m in listed] == ["PJSIP/acme-1"]
        server.say("Event: Newchannel\nChannel: PJSIP/acme-2\nUniqueid: pbx-1.2")
        assert (await client.event("Newchannel")).channel == "PJSIP/acme-2"
        assert [a["Action"] for a in server.actions][:2] == ["Login", "Ping"]


@pytest.mark.parametrize("name", ["01_answered_caller_bye", "09_attended_xfer_by_caller", "07_blocked_403"])
async def test_panoramisk_makes_of_a_recorded_dialogue_what_we_make_of_it(name: str) -> None:
    data = (RECORDED / f"{name}.ami").read_bytes()
    ours = [m for m in Decoder().feed(data) if m.name in WANTED_EVENTS]
    shown = ("Event", "Channel", "Uniqueid", "Exten", "Cause")
    async with ami_server() as server, panoramisk(server.port, SECRET) as client:
        assert (await client.action(Action="Ping")).ping == "Pong"
        events = data[data.index(b"Event: ") :]
        server.say(events + b"Event: TheEnd\r\n\r\n")
        await client.event("TheEnd")
    theirs = [tuple(e.get(key) or None for key in shown) for e in client.events if e.event in WANTED_EVENTS]
    assert len(ours) > 2
    assert theirs == [tuple(m.get(key) or None for key in shown) for m in ours]
