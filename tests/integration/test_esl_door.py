"""The event socket door on real sockets, and ten thousand of its dialogues in every order there is."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from enforcer.domain.call import CallAttempt
from enforcer.domain.decision import Decision
from enforcer.switch.esl_door import EslDoor, Outcome
from lab.fake_esl import goodbye, reply
from tests.support.at_door import Scripted, connect, counted, leave, rest
from tests.support.esl import RECORDED, event_bytes

ASKS = event_bytes({
    "variable_enforcer_account": "acme", "variable_enforcer_direction": "outbound",
    "variable_enforcer_number": "12025550142",
})[:-1]  # fmt: skip
OK, BYE = reply("+OK"), reply("+OK bye")
ANSWER = (
    b"sendmsg\ncall-command: execute\nexecute-app-name: multiset\n"
    b"execute-app-arg: ^^;ENF_ANSWER=block:21:0:0:minutes:d1-2f\n\nexit\n\n"
)


def channel() -> bytes:
    """The answer of a real FreeSWITCH to `connect`, with what our dialplan has set."""
    data = (RECORDED / "resync.api.txt").read_bytes()
    start = data.index(b"Event-Name: CHANNEL_DATA")
    told = data[start : data.index(b"\n\n", start) + 1]
    return told + ASKS + reply("%2BOK%0A", Socket_Mode="async", Control="limited")


CHANNEL = channel()


@pytest.fixture
def scripted() -> Scripted:
    return Scripted()


@pytest.fixture
async def door(scripted: Scripted) -> AsyncIterator[EslDoor]:
    async with EslDoor(scripted, "fs1", clock=lambda: 7.5, port=0) as door:
        yield door


async def test_a_call_asks_in_two_round_trips(door: EslDoor, scripted: Scripted) -> None:
    reader, writer = await connect(door)
    assert await reader.readuntil(b"\n\n") == b"connect\n\n"
    writer.write(CHANNEL)
    assert await reader.readexactly(len(ANSWER)) == ANSWER
    writer.write(OK + BYE + goodbye("u"))
    await leave(writer)
    await counted(door, Outcome.ANSWERED)
    [attempt] = scripted.asked
    assert (attempt.account, attempt.number) == ("acme", "12025550142")
    assert (attempt.at, attempt.switch) == (7.5, "fs1")
    assert not door.open


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (reply("-ERR no such application") + BYE, Outcome.UNHEARD), (b"", Outcome.UNHEARD),
        (goodbye("u"), Outcome.UNHEARD), (OK, Outcome.ANSWERED), (goodbye("u") + OK, Outcome.ANSWERED),
        (b"GET / HTTP/1.1\n\n", Outcome.UNHEARD),
    ],
)  # fmt: skip
async def test_what_the_switch_said_of_the_answer_is_what_is_counted(
    door: EslDoor, said: bytes, outcome: Outcome
) -> None:
    reader, writer = await connect(door)
    writer.write(CHANNEL)
    await reader.readexactly(len(ANSWER) + 9)
    writer.write(said)
    await writer.drain()
    writer.write_eof()
    await counted(door, outcome)
    await leave(writer)


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n\n\n", b"\x16\x03\x01\x02\x00\x01\x00\n\n", b"\n" * 3_000_000, OK,
        CHANNEL.replace(b"outbound", b"sideways"), CHANNEL.replace(b"12025550142", b"1202%0A"),
    ],
    ids=["http", "tls", "nothing but lines", "no channel", "direction", "number"],
)  # fmt: skip
async def test_what_is_no_question_costs_a_closed_connection(
    door: EslDoor, scripted: Scripted, garbage: bytes
) -> None:
    reader, writer = await connect(door)
    writer.write(garbage)
    assert await rest(reader) in (b"connect\n\n", b"")
    await leave(writer)
    assert door.counts == {Outcome.MALFORMED: 1}
    assert scripted.asked == []


async def test_a_channel_that_is_gone_is_not_asked_about(door: EslDoor, scripted: Scripted) -> None:
    reader, writer = await connect(door)
    writer.write(reply("-ERR no channel"))
    assert await rest(reader) in (b"connect\n\n", b"")
    await leave(writer)
    assert door.counts == {Outcome.GONE: 1}
    assert scripted.asked == []


@pytest.mark.parametrize("part", [b"", b"Event-Na", CHANNEL[:-1]], ids=["nothing", "a little", "most"])
async def test_silence_ends_at_the_deadline(scripted: Scripted, part: bytes) -> None:
    async with EslDoor(scripted, "fs1", clock=lambda: 7.5, port=0, deadline=0.02) as door:
        reader, writer = await connect(door)
        writer.write(part)
        assert await rest(reader) == b"connect\n\n"
        await leave(writer)
        assert door.counts == {Outcome.SILENT: 1}


async def test_strangers_and_crowds_are_not_asked(scripted: Scripted) -> None:
    async with EslDoor(scripted, "fs1", clock=lambda: 7.5, port=0, peers=["10.0.0.0/8"]) as door:
        reader, writer = await connect(door)
        assert await rest(reader) == b""
        await leave(writer)
        assert door.counts == {Outcome.FOREIGN: 1}
    async with EslDoor(scripted, "fs1", clock=lambda: 7.5, port=0, most=1) as door:
        reader, writer = await connect(door)
        assert await reader.readuntil(b"\n\n") == b"connect\n\n"
        writer.write(CHANNEL[:100])
        late_reader, late_writer = await connect(door)      # and the one that says nothing has to go
        assert await rest(reader) == b""
        await leave(writer)
        assert door.counts == {Outcome.CROWDED: 1}
        assert await late_reader.readuntil(b"\n\n") == b"connect\n\n"
        late_writer.write(CHANNEL)
        assert await late_reader.readexactly(len(ANSWER)) == ANSWER
        third_reader, third_writer = await connect(door)    # one that has asked does not
        assert await rest(third_reader) == b""
        await leave(third_writer)
        assert door.counts == {Outcome.CROWDED: 2}
        await leave(late_writer)


async def test_an_error_in_deciding_gives_the_call_back_and_is_told(scripted: Scripted) -> None:
    told: list[Exception] = []

    def broken(attempt: CallAttempt) -> Decision:
        raise ZeroDivisionError("ours")

    scripted.decide = broken
    async with EslDoor(scripted, "fs1", clock=lambda: 7.5, port=0, on_fault=told.append) as door:
        reader, writer = await connect(door)
        writer.write(CHANNEL)
        assert await rest(reader) in (b"connect\n\n", b"")
        await leave(writer)
        assert door.counts == {Outcome.FAULT: 1}
        assert [type(fault) for fault in told] == [ZeroDivisionError]


async def test_the_link_hears_of_the_question_after_the_answer_is_written(scripted: Scripted) -> None:
    told: list[CallAttempt] = []
    faults: list[Exception] = []

    def asked(attempt: CallAttempt) -> None:
        told.append(attempt)
        raise ZeroDivisionError("the link's own")

    async with EslDoor(
        scripted, "fs1", clock=lambda: 7.5, port=0, asked=asked, on_fault=faults.append
    ) as door:
        reader, writer = await connect(door)
        writer.write(CHANNEL)
        assert await reader.readexactly(len(ANSWER) + 9) == b"connect\n\n" + ANSWER
        writer.write(OK)
        await leave(writer)
        await counted(door, Outcome.ANSWERED)
    assert told == scripted.asked
    assert [type(fault) for fault in faults] == [ZeroDivisionError]


# --- ten thousand dialogues, without sockets: only the orders differ, and there are many


class Wire(asyncio.Transport):
    """A connection in memory: what the door wrote, and whether it closed."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 4)})
        self.written = b""
        self.closed = False

    def write(self, data: Any) -> None:
        assert not self.closed, "nothing is written on a closed connection"
        self.written += bytes(data)

    def abort(self) -> None:
        self.closed = True

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


class Timers:
    """As much of an event loop as a connection uses."""

    def __init__(self) -> None:
        self.due: list[Callable[[], object]] = []

    def call_later(self, _seconds: float, act: Callable[[], object]) -> asyncio.TimerHandle:
        self.due.append(act)
        due = self.due

        class Handle:
            def cancel(self) -> None:
                due.clear()

        return Handle()  # type: ignore[return-value]


def test_no_call_of_ten_thousand_is_stuck_whatever_comes_in_which_order() -> None:
    """A call is stuck whose switch has neither the way out nor a closed connection at the deadline."""
    dice = random.Random(4)
    scripted = Scripted()
    door = EslDoor(scripted, "fs1", clock=lambda: 7.5)
    stuck, ends = 0, Counter[str]()
    pieces = {
        "channel": CHANNEL, "gone": reply("-ERR no channel"), "ok": OK, "err": reply("-ERR not now"),
        "bye": BYE, "notice": goodbye("u"), "half": CHANNEL[:3000], "garbage": b"\0\0\n\n",
        "hang-up": b"Content-Length: 28\nContent-Type: text/event-plain\n\nEvent-Name: CHANNEL_HANGUP\n\n",
    }  # fmt: skip
    usual = ["channel", "ok", "bye", "notice"]
    for number in range(10_000):
        script = list(usual)
        for _ in range(dice.choice((0, 0, 1, 2))):
            script.insert(dice.randrange(len(script) + 1), dice.choice(list(pieces)))
        if number % 3 == 0:
            dice.shuffle(script)
        script = script[: dice.randrange(len(script) + 1)]
        timers = Timers()
        visit: Any = door.visitor(timers)  # type: ignore[arg-type]
        wire = Wire()
        visit.connection_made(wire)
        data = b"".join(pieces[name] for name in script)
        size = dice.choice((len(data) or 1, 1448, 700))
        for start in range(0, len(data), size):
            if not wire.closed:
                visit.data_received(data[start : start + size])
        closed_by_switch = dice.random() < 0.5
        for act in list(timers.due) if not (closed_by_switch or wire.closed) else []:
            act()
        way_out = wire.written.endswith(b"exit\n\n")
        stuck += not (way_out or wire.closed or closed_by_switch)
        assert wire.written in (b"connect\n\n", b"connect\n\n" + ANSWER), "once, and whole"
        visit.connection_lost(None)
        assert not timers.due, "no timer outlives its connection"
        ends["asked" if way_out else "closed"] += 1
    assert stuck == 0
    assert not door.open
    assert sum(door.counts.values()) == 10_000
    assert len(scripted.asked) == ends["asked"], "counted once each"
    assert set(door.counts) == set(Outcome) - {Outcome.FAULT, Outcome.FOREIGN, Outcome.CROWDED}
