"""The built-in fake switch: stock panoramisk talks to it unmodified, and its calls end as real ones would."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from panoramisk import Manager

from lab.ami import Ami
from lab.fake_ami import encode
from lab.fake_asterisk import FakeAsterisk


@pytest.fixture
async def fake() -> AsyncIterator[FakeAsterisk]:
    async with FakeAsterisk(max_wait=0.2) as switch:
        yield switch


@pytest.fixture
async def ami(fake: FakeAsterisk) -> AsyncIterator[Ami]:
    async with Ami("127.0.0.1", fake.ami_port, "enforcer", fake.secret) as session:
        yield session


async def beat(ami: Ami) -> None:
    await ami.action("DBPut", Family="enforcer", Key="hb", Val=str(int(time.time())))


async def answering(ami: Ami, line: str) -> None:
    """Answer the next question."""
    asked = await ami.event("UserEvent", UserEvent="EnfAsk")
    await ami.action("Setvar", Channel=asked["Channel"], Variable="ENF_ANSWER", Value=line)


async def test_stock_panoramisk_logs_in_listens_and_answers(fake: FakeAsterisk) -> None:
    manager = Manager(host="127.0.0.1", port=fake.ami_port, username="enforcer", secret=fake.secret)
    manager.loop = asyncio.get_running_loop()
    seen: list[tuple[str, str]] = []
    ended = asyncio.Event()

    def on_event(_: Manager, message: Any) -> None:
        seen.append((message.event, message.get("Channel", "")))
        if message.event == "UserEvent":
            manager.send_action(
                {"Action": "Setvar", "Channel": message.channel, "Variable": "ENF_ANSWER",
                 "Value": "block:21:0:0::d1-1"}
            )
        if message.event == "Hangup":
            ended.set()

    manager.register_event("*", on_event)
    await manager.connect()
    put = {"Action": "DBPut", "Family": "enforcer", "Key": "hb", "Val": str(int(time.time()))}
    assert (await manager.send_action(put)).success
    assert (await manager.send_action({"Action": "Ping"})).get("Ping") == "Pong"
    status = await manager.send_action({"Action": "CoreStatus"})
    assert status.get("CoreCurrentCalls") == "0"
    call = await fake.call("acme", "12025550142")
    async with asyncio.timeout(5):
        await ended.wait()
    manager.close()
    assert (call.code, call.cause, call.source) == (403, 21, "live")
    assert [name for name, _ in seen if name != "FullyBooted"] == ["Newchannel", "UserEvent", "Hangup"]


@pytest.mark.parametrize(
    ("number", "code", "cause"),
    [
        ("12025550142", 200, 16),
        ("1202555486", 486, 17),
        ("1202555404", 404, 1),
        ("1202555503", 503, 34),
        ("1202555603", 403, 21),
        ("1202555200", 200, 16),
    ],
)
async def test_far_end_does_as_the_number_says(
    fake: FakeAsterisk, number: str, code: int, cause: int
) -> None:
    call = await fake.call("acme", number, talk=0.01)
    assert (call.code, call.cause) == (code, cause)


@pytest.mark.parametrize(
    ("line", "code", "verdict"),
    [
        ("allow:0:0:0::d1-1", 200, "allow"),
        ("tag:0:0:0:asr.warning:d1-2", 200, "tag"),
        ("throttle:0:0.050:0:cps:d1-3", 200, "throttle"),
        ("throttle:42:0:0:cps:d1-4", 503, "throttle"),
        ("block:21:0:0::d1-5", 403, "block"),
        ("block:16:0:0::d1-6", 603, "block"),
    ],
)
async def test_answer_is_obeyed(fake: FakeAsterisk, ami: Ami, line: str, code: int, verdict: str) -> None:
    await beat(ami)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(answering(ami, line))
        placed = tasks.create_task(fake.call("acme", "12025550142", talk=0.01))
    call = placed.result()
    assert (call.code, call.source, call.variables["ENF_VERDICT"]) == (code, "live", verdict)
    assert call.waited >= (0.05 if ":0.050:" in line else 0.0)
    hangup = await ami.event("Hangup")
    assert f"ENF_VERDICT={verdict}" in hangup["ChanVariable"]


async def test_silence_costs_the_deadline_and_then_the_default_holds(fake: FakeAsterisk, ami: Ami) -> None:
    await beat(ami)
    call = await fake.call("acme", "12025550142", talk=0.01)
    assert (call.code, call.source) == (200, "default")
    assert call.waited >= 0.2


async def test_stale_heartbeat_means_nobody_is_asked(fake: FakeAsterisk, ami: Ami) -> None:
    await fake.call("acme", "12025550142", talk=0.01)
    await ami.event("Hangup")
    assert {message["Event"] for message in ami.events} == {"FullyBooted", "Newchannel", "Newstate", "Hangup"}


async def test_emergency_call_asks_nobody(fake: FakeAsterisk, ami: Ami) -> None:
    await beat(ami)
    call = await fake.call("acme", "112", talk=0.01)
    assert (call.code, call.source) == (200, "emergency")


async def test_lease_and_last_word_hold_until_they_end(fake: FakeAsterisk, ami: Ami) -> None:
    soon, past = str(int(time.time()) + 60), str(int(time.time()) - 1)
    await ami.action("DBPut", Family="enforcer", Key="lease/acme", Val=soon)
    await ami.action("DBPut", Family="enforcer", Key="lease/globex", Val=past)
    await ami.action("DBPut", Family="enforcer", Key="word/globex", Val=f"{soon}:block:21:0:0::d1-1")
    await ami.action("DBPut", Family="enforcer", Key="word/initech", Val=f"{past}:block:21:0:0::d1-1")
    calls = [await fake.call(account, "12025550142", talk=0.01) for account in ("acme", "globex", "initech")]
    assert [(call.code, call.source) for call in calls] == [(200, "lease"), (403, "word"), (200, "default")]


async def test_live_call_is_listed_and_hung_up(fake: FakeAsterisk, ami: Ami) -> None:
    placing = asyncio.create_task(fake.call("acme", "12025550142", talk=30))
    up = await ami.event("Newstate")
    [entry] = await ami.listing("Status", Variables=r"CDR(start\,u),CDR(answer\,u),CDR(dst)")
    assert entry["Channel"] == up["Channel"]
    assert "CDR(dst)=12025550142" in entry["Variable"]
    assert "CDR(start,u)=1" in entry["Variable"]
    assert (await ami.action("Hangup", Channel=up["Channel"], Cause="21"))["Response"] == "Success"
    assert (await placing).cause == 21
    assert (await ami.action("Hangup", Channel=up["Channel"]))["Message"] == "No such channel"


async def test_call_asks_at_the_fastagi_door() -> None:
    heard: list[str] = []

    async def door(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        header = await reader.readuntil(b"\n\n")
        heard.extend(header.decode().splitlines())
        writer.write(b'SET VARIABLE ENF_ANSWER "block:16:0:0::d1-9"\n')
        assert await reader.readline() == b"200 result=1\n"
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(door, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, FakeAsterisk(ask="agi", agi=f"127.0.0.1:{port}") as switch:
        switch.ami.database["enforcer/hb"] = str(int(time.time()))
        call = await switch.call("acme", "12025550142")
    assert (call.code, call.source) == (603, "live")
    assert {"agi_arg_1: acme", "agi_arg_2: outbound", "agi_arg_3: 12025550142"} <= set(heard)


async def test_what_it_does_not_know_is_an_error(ami: Ami) -> None:
    assert (await ami.action("Originate"))["Response"] == "Error"
    assert (await ami.action("DBGet", Family="enforcer", Key="none"))["Response"] == "Error"
    setvar = await ami.action("Setvar", Channel="PJSIP/none-1", Variable="ENF_ANSWER", Value="x")
    assert setvar["Message"] == "No such channel"


def test_value_with_a_line_break_never_reaches_the_wire() -> None:
    with pytest.raises(ValueError, match="line break"):
        encode([("CallerIDName", "x\r\nEvent: Hangup")])
