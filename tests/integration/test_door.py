"""The FastAGI door on real sockets: one question, one answer; anything else costs a closed connection."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator

import pytest

from enforcer.domain.call import CallAttempt
from enforcer.domain.decision import Decision
from enforcer.errors import LinkError
from enforcer.switch.agi import AgiDoor, Outcome
from tests.support.at_door import SOON, Scripted, blocked, connect, counted, leave, rest

REQUEST = b"""\
agi_network: yes
agi_channel: PJSIP/acme-00000007
agi_uniqueid: lab-7.7
agi_callerid: 12025550101
agi_arg_1: acme
agi_arg_2: outbound
agi_arg_3: 12025550142
agi_arg_4: lab-7.5

"""


ANSWER = b'SET VARIABLE ENF_ANSWER "block:21:0:0:minutes:d1-2f"\n'


@pytest.fixture
def scripted() -> Scripted:
    return Scripted()


@pytest.fixture
async def door(scripted: Scripted) -> AsyncIterator[AgiDoor]:
    async with AgiDoor(scripted, "pbx1", clock=lambda: 7.5, port=0) as door:
        yield door


async def test_one_question_gets_one_answer(door: AgiDoor, scripted: Scripted) -> None:
    reader, writer = await connect(door)
    writer.write(REQUEST)
    assert await reader.readline() == ANSWER
    writer.write(b"200 result=1\n")
    assert await rest(reader) == b""
    await leave(writer)
    [attempt] = scripted.asked
    assert (attempt.call_id, attempt.account, attempt.at) == ("pbx1/lab-7.5", "acme", 7.5)
    assert door.counts == {Outcome.ANSWERED: 1}
    assert not door.open


async def test_question_may_come_in_single_bytes(door: AgiDoor) -> None:
    reader, writer = await connect(door)
    for index in range(len(REQUEST)):
        writer.write(REQUEST[index : index + 1])
        await writer.drain()
    assert await reader.readline() == ANSWER
    await leave(writer)
    await counted(door, Outcome.UNHEARD)


@pytest.mark.parametrize("word", [b"200 result=0\n", b"510 Invalid\n", b"HANGUP\n", b"\xff\n"])
async def test_answer_that_was_not_taken_is_counted_apart(door: AgiDoor, word: bytes) -> None:
    reader, writer = await connect(door)
    writer.write(REQUEST)
    await reader.readline()
    writer.write(word)
    assert await rest(reader) == b""
    await leave(writer)
    assert door.counts == {Outcome.UNHEARD: 1}


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        bytes(range(256)) * 40,
        b"\n\n",
        b"agi_network: yes\nagi_channel: x\n\n",
        REQUEST.replace(b"outbound", b"sideways"),
        b"agi_a: " + b"x" * 1_000_000,
        (b"agi_a: " + b"x" * 100 + b"\n") * 10_000,
    ],
    ids=["http", "tls", "binary", "empty", "no arguments", "direction", "megabyte line", "megabyte header"],
)
async def test_what_is_no_question_costs_a_closed_connection(
    door: AgiDoor, scripted: Scripted, garbage: bytes
) -> None:
    reader, writer = await connect(door)
    writer.write(garbage)
    assert await rest(reader) == b""
    await leave(writer)
    assert door.counts == {Outcome.MALFORMED: 1}
    assert scripted.asked == []


async def test_port_scan_costs_nothing(door: AgiDoor) -> None:
    for _ in range(50):
        _, writer = await connect(door)
        await leave(writer)
    await counted(door, Outcome.GONE, 50)
    assert not door.open


async def test_reset_in_the_middle_of_a_question_costs_nothing(door: AgiDoor) -> None:
    _, writer = await connect(door)
    writer.write(REQUEST[:100])
    await writer.drain()
    raw: socket.socket = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    await counted(door, Outcome.GONE)


@pytest.mark.parametrize("part", [b"", b"agi_", REQUEST[:-1]], ids=["nothing", "a little", "all but the end"])
async def test_silence_ends_at_the_deadline(scripted: Scripted, part: bytes) -> None:
    async with AgiDoor(scripted, "pbx1", clock=lambda: 7.5, port=0, deadline=0.02) as door:
        reader, writer = await connect(door)
        writer.write(part)
        assert await rest(reader) == b""
        await leave(writer)
        assert door.counts == {Outcome.SILENT: 1}


async def test_switch_that_never_takes_the_answer_is_left_at_the_deadline(scripted: Scripted) -> None:
    async with AgiDoor(scripted, "pbx1", clock=lambda: 7.5, port=0, deadline=0.02) as door:
        reader, writer = await connect(door)
        writer.write(REQUEST)
        assert await rest(reader) == ANSWER
        await leave(writer)
        assert door.counts == {Outcome.UNHEARD: 1}


async def test_error_in_deciding_closes_the_connection_and_is_told(scripted: Scripted) -> None:
    told: list[Exception] = []

    def broken(attempt: CallAttempt) -> Decision:
        raise ZeroDivisionError("ours")

    scripted.decide = broken
    async with AgiDoor(scripted, "pbx1", clock=lambda: 7.5, port=0, on_fault=told.append) as door:
        reader, writer = await connect(door)
        writer.write(REQUEST)
        assert await rest(reader) == b""
        await leave(writer)
        assert door.counts == {Outcome.FAULT: 1}
        assert [type(fault) for fault in told] == [ZeroDivisionError]
        scripted.decide = blocked
        reader, writer = await connect(door)
        writer.write(REQUEST)
        assert await reader.readline() == ANSWER
        await leave(writer)


async def test_stranger_is_not_listened_to(scripted: Scripted) -> None:
    async with AgiDoor(scripted, "pbx1", clock=lambda: 7.5, port=0, peers=["10.0.0.0/8", "::1/128"]) as door:
        reader, writer = await connect(door)
        assert await rest(reader) == b""
        await leave(writer)
        assert door.counts == {Outcome.FOREIGN: 1}
        assert scripted.asked == []


async def test_who_asks_nothing_makes_room_for_who_does(scripted: Scripted) -> None:
    async with AgiDoor(scripted, "pbx1", clock=lambda: 7.5, port=0, deadline=SOON, most=2) as door:
        idle = [await connect(door) for _ in range(2)]
        idle[1][1].write(REQUEST[:50])
        askers = []
        for place in range(2):
            reader, writer = await connect(door)
            askers.append((reader, writer))
            writer.write(REQUEST)
            assert await reader.readline() == ANSWER
            assert await rest(idle[place][0]) == b""
        assert door.counts == {Outcome.CROWDED: 2}
        for _, writer in (*idle, *askers):
            await leave(writer)


async def test_who_has_asked_makes_room_for_nobody(scripted: Scripted) -> None:
    async with AgiDoor(scripted, "pbx1", clock=lambda: 7.5, port=0, deadline=SOON, most=2) as door:
        served = [await connect(door) for _ in range(2)]
        for reader, writer in served:
            writer.write(REQUEST)
            assert await reader.readline() == ANSWER
        reader, writer = await connect(door)
        assert await rest(reader) == b""
        await leave(writer)
        assert door.counts == {Outcome.CROWDED: 1}
        for _, writer in served:
            writer.write(b"200 result=1\n")
            await leave(writer)
        await counted(door, Outcome.ANSWERED, 2)


async def test_strangers_take_no_room(scripted: Scripted) -> None:
    """Not even in the moment before they are gone."""
    async with AgiDoor(scripted, "pbx1", clock=lambda: 7.5, port=0, most=1) as door:
        door.allows = lambda address: address != "127.0.0.2"        # type: ignore[assignment]
        reader, writer = await connect(door)
        strangers = [await asyncio.open_connection("127.0.0.1", door.port, local_addr=("127.0.0.2", 0))
                     for _ in range(20)]
        writer.write(REQUEST)
        assert await reader.readline() == ANSWER
        assert door.counts == {Outcome.FOREIGN: 20}
        for _, one in (*strangers, (reader, writer)):
            await leave(one)


async def test_stop_finishes_the_questions_that_are_here(scripted: Scripted) -> None:
    door = AgiDoor(scripted, "pbx1", clock=lambda: 7.5, port=0)
    await door.start()
    port = door.port
    reader, writer = await connect(door)
    writer.write(REQUEST)
    assert await reader.readline() == ANSWER
    stopping = asyncio.create_task(door.stop(), name="stopping")
    await asyncio.sleep(0)
    with pytest.raises(ConnectionError):
        await asyncio.open_connection("127.0.0.1", port)
    assert not stopping.done()
    writer.write(b"200 result=1\n")
    await asyncio.wait_for(stopping, SOON)
    await leave(writer)
    assert door.counts[Outcome.ANSWERED] == 1


async def test_stop_waits_for_nobody_for_ever(scripted: Scripted) -> None:
    door = AgiDoor(scripted, "pbx1", clock=lambda: 7.5, port=0, deadline=3600)
    await door.start()
    reader, writer = await connect(door)
    writer.write(REQUEST[:20])
    await asyncio.wait_for(door.stop(), SOON)
    assert await rest(reader) == b""
    await leave(writer)
    assert door.counts == {Outcome.SILENT: 1}


async def test_port_that_is_taken_is_one_clear_line(door: AgiDoor, scripted: Scripted) -> None:
    second = AgiDoor(scripted, "pbx1", clock=lambda: 7.5, port=door.port)
    with pytest.raises(LinkError, match=rf"FastAGI door 127\.0\.0\.1:{door.port}: .*in use"):
        await second.start()
    await second.stop()
