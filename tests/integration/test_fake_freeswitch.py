"""The fake FreeSWITCH, heard by stock greenswitch and by us: both have to make the same of it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from enforcer.domain.call import CallEvent, Phase
from enforcer.wire.channel import Identity
from enforcer.wire.esl import EVENT, Decoder
from enforcer.wire.freeswitch import CallBook
from enforcer.wire.freeswitch_causes import CAUSES
from lab import fs_causes
from lab.fake_esl import Replay
from lab.fake_freeswitch import FakeFreeswitch
from tests.support.esl import DIALOGUES, recorded

SOON = 25.0
SHOWN = ("Event-Name", "Unique-ID", "Caller-Destination-Number", "variable_accountcode", "Hangup-Cause")


@asynccontextmanager
async def greenswitch(*arguments: object) -> AsyncIterator[asyncio.subprocess.Process]:
    """Stock greenswitch, in a process of its own."""
    client = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.greenswitch_client", *map(str, arguments),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield client
    finally:
        if client.returncode is None:
            client.kill()
        await client.communicate()


async def said(client: asyncio.subprocess.Process) -> Any:
    assert client.stdout is not None
    line = await asyncio.wait_for(client.stdout.readline(), SOON)
    return json.loads(line)


async def heard_by_greenswitch(data: bytes, count: int) -> list[list[str | None]]:
    """So many events of a recording, as it tells them."""
    async with Replay(data, stays=True) as replay, greenswitch("listen", replay.port, "x", count) as client:
        assert client.stdout is not None
        lines = await asyncio.wait_for(client.stdout.read(), SOON)
    return [json.loads(line) for line in lines.splitlines()]


@pytest.mark.parametrize("name", ["answered3", "attended_xfer", "blocked_door", "injection", "sms"])
async def test_a_replayed_dialogue_is_heard_byte_for_byte(name: str) -> None:
    data = recorded(name)
    async with Replay(data) as replay:
        reader, writer = await asyncio.open_connection("127.0.0.1", replay.port)
        writer.write(b"auth x\n\nevent plain ALL\n\n")
        assert await asyncio.wait_for(reader.read(-1), SOON) == data
        writer.close()
        await writer.wait_closed()
    assert replay.commands == [b"auth x\n\n", b"event plain ALL\n\n"]


async def test_every_recording_needs_the_two_commands_that_it_answers() -> None:
    for name in DIALOGUES:
        parts = Replay(recorded(name)).parts
        assert b"".join(parts) == recorded(name)
        assert len(parts) == 3


async def test_greenswitch_makes_of_a_replayed_dialogue_what_we_make_of_it() -> None:
    data = recorded("blind_xfer_by_caller")
    ours = [[m.get(key) for key in SHOWN] for m in Decoder().feed(data) if m.kind == EVENT]
    assert len(ours) > 50
    assert await heard_by_greenswitch(data, len(ours)) == ours


async def test_greenswitch_is_told_lies_by_a_caller_where_we_are_not() -> None:
    """Why our own decoder reads what greenswitch receives: a caller's line breaks become headers there."""
    data = recorded("injection")
    ours = [m.variable("accountcode") for m in Decoder().feed(data) if m.kind == EVENT]
    theirs = [row[3] for row in await heard_by_greenswitch(data, len(ours))]
    assert "victim4" in theirs
    assert set(ours) <= {None, "", "acct1"}


async def test_greenswitch_kills_a_call_of_the_small_switch() -> None:
    async with FakeFreeswitch() as switch:
        async with greenswitch("kill", switch.socket.port, switch.socket.password) as client:
            assert [await said(client) for _ in range(3)] == ["+OK\n", "17", "ready"]
            call = await switch.call("acme", "12025550142", talk=60)
            listed = await said(client)
            assert await said(client) == "+OK\n"
            assert await said(client) == [
                "CHANNEL_HANGUP_COMPLETE", call.uuid, "12025550142", "acme", "CALL_REJECTED"
            ]  # fmt: skip
        assert sorted(row["direction"] for row in listed["rows"]) == ["inbound", "outbound"]
        assert (call.code, call.cause) == (200, 21)


async def test_wrong_password_is_refused() -> None:
    async with FakeFreeswitch() as switch:
        reader, writer = await asyncio.open_connection("127.0.0.1", switch.socket.port)
        writer.write(b"auth wrong\n\n")
        heard = Decoder().feed(await asyncio.wait_for(reader.read(-1), SOON))
        assert [(m.kind, m.get("Reply-Text")) for m in heard][:2] == [
            ("auth/request", None), ("command/reply", "-ERR invalid"),
        ]  # fmt: skip
        writer.close()
        await writer.wait_closed()


async def test_greenswitch_answers_a_call_at_a_door_of_its_own() -> None:
    """So the fake's `socket` application is one that others understand as well."""
    async with greenswitch("door") as client:
        port = await said(client)
        async with FakeFreeswitch(door=f"127.0.0.1:{port}") as switch:
            switch.api("hash", f"insert/enf/hb/{int(switch.clock()) + 60}")
            call = await switch.call("acme", "12025550142")
        assert (await said(client)) == [call.uuid, "12025550142"]
    assert (call.code, call.variables["userfield"]) == (403, "live;block:21:0:0:minutes:d1-2f")


@pytest.mark.parametrize(
    ("number", "phases", "sip_code"),
    [
        ("12025550142", [Phase.STARTED, Phase.ANSWERED, Phase.ENDED], None),
        ("12025550486", [Phase.STARTED, Phase.ENDED], 486),
        ("911", [Phase.STARTED, Phase.ANSWERED, Phase.ENDED], None),
    ],
)  # fmt: skip
async def test_our_book_reads_the_calls_of_the_small_switch(
    number: str, phases: list[Phase], sip_code: int | None
) -> None:
    async with FakeFreeswitch() as switch:
        reader, writer = await asyncio.open_connection("127.0.0.1", switch.socket.port)
        writer.write(f"auth {switch.socket.password}\n\nevent plain ALL\n\n".encode())
        decoder, book, told = Decoder(), CallBook(Identity("fs1", outbound_contexts=("default",))), []
        while b"event listener" not in (data := await asyncio.wait_for(reader.read(4096), SOON)):
            decoder.feed(data)
        call = await switch.call("acme", number)
    for message in decoder.feed(await asyncio.wait_for(reader.read(-1), SOON)):
        told += [fact for fact in book.read(message, 0.0) if isinstance(fact, CallEvent)]
    writer.close()
    assert [fact.phase for fact in told] == phases
    assert {(fact.attempt.account, fact.attempt.number) for fact in told} == {("acme", number)}
    assert told[-1].attempt.call_id == f"fs1/{call.uuid}"
    assert (told[-1].sip_code, len(told[-1].legs.split())) == (sip_code, 1)


def test_the_fake_knows_the_causes_that_we_know() -> None:
    # The lab imports nothing of ours, so it has a table of its own.
    assert fs_causes.CAUSES == CAUSES
