"""Every door under attack while calls ask: they are answered, nothing grows, each connection is counted."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import resource
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from enforcer.domain.call import CallAttempt
from enforcer.domain.decision import Decision, Verdict
from enforcer.doors import make_room
from enforcer.settings_http import HttpSettings
from enforcer.switch import door as doors
from enforcer.switch.agi import AgiDoor
from enforcer.switch.door import BACKLOG, Door, Outcome
from enforcer.switch.esl_door import EslDoor
from enforcer.switch.http_door import HttpDoor
from enforcer.switch.message_door import PIECE, MessageDoor
from tests.fuzz.asterisk import REQUEST
from tests.fuzz.doors import ASKED, posted
from tests.fuzz.freeswitch import CHANNEL

SOON = 20.0
LINE = json.dumps({"id": "sms-1", "account": "acme", "to": "12025550142"}).encode() + b"\n"
TLS = bytes.fromhex("1603010200010001fc0303") + bytes(range(200))
HTTP = b"GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: y\r\n\r\n"
AMI = b"Action: Login\r\nUsername: a\r\nSecret: b\r\n\r\n"
ESL = b"Content-Type: auth/request\n\nauth ClueCon\n\n"
SIP = b"OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP y\r\n\r\n"
GARBAGE = {
    "tls": TLS, "http": HTTP, "ami": AMI, "esl": ESL, "sip": SIP, "binary": bytes(range(256)) * 64,
    "zeros": bytes(100_000), "megabyte line": b"agi_a: " + b"x" * 1_000_000,
    "megabyte header": (b"agi_a: " + b"x" * 100 + b"\n") * 10_000,
    "endless head": b"Event-Name: CHANNEL_DATA\n" + b"variable_x: y\n" * 200_000,
    "huge body": b"Content-Type: command/reply\nContent-Length: 999999999\n\n" + b"x" * 100_000,
    "json bomb": b"[" * 4000 + b"\n",
}  # fmt: skip


class Deciding:
    """Allows everything; hears nothing."""

    def admit(self, attempt: CallAttempt) -> Decision:
        return Decision(
            "d1-1", attempt.at, attempt.call_id, attempt.switch, attempt.account, attempt.number,
            attempt.direction, Verdict.ALLOW, Verdict.ALLOW,
        )

    def heard(self, attempt: CallAttempt, words: str, at: float) -> None:
        """Nobody says anything here."""


async def call(port: int) -> None:
    """A call asks over FastAGI, and is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(REQUEST)
    assert await reader.readline() == b'SET VARIABLE ENF_ANSWER "allow:0:0:0::d1-1"\n'
    writer.write(b"200 result=1\n")
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()


async def socket_call(port: int) -> None:
    """A call asks over FreeSWITCH's socket application, and is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    assert await reader.readuntil(b"\n\n") == b"connect\n\n"
    writer.write(CHANNEL)
    assert b"ENF_ANSWER=allow:0:0:0::d1-1" in await reader.readuntil(b"exit\n\n")
    writer.close()
    await writer.wait_closed()


async def web_call(port: int) -> None:
    """A call asks over FreeSWITCH's mod_curl, and is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(posted(ASKED))
    assert (await reader.read()).endswith(b"\r\n\r\nallow:0:0:0::d1-1")
    writer.close()
    await writer.wait_closed()


async def message(port: int) -> None:
    """A message asks, and is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(LINE)
    assert json.loads(await reader.readline())["verdict"] == "allow"
    writer.close()
    await writer.wait_closed()


Ask = Callable[[int], Awaitable[None]]
KINDS: dict[str, tuple[Callable[..., Door], Ask]] = {
    "agi": (lambda **more: AgiDoor(Deciding(), "pbx1", clock=lambda: 7.5, port=0, **more), call),
    "esl": (lambda **more: EslDoor(Deciding(), "fs1", clock=lambda: 7.5, port=0, **more), socket_call),
    "http": (lambda **more: HttpDoor(Deciding(), "fs1", clock=lambda: 7.5, port=0, **more), web_call),
    "messages": (lambda **more: MessageDoor(Deciding(), clock=lambda: 7.5, port=0, **more), message),
}
each_door = pytest.mark.parametrize("kind", KINDS)


@asynccontextmanager
async def opened(kind: str, **more: object) -> AsyncIterator[tuple[Door, Ask]]:
    make, ask = KINDS[kind]
    async with asyncio.timeout(SOON), make(**more) as door:
        yield door, ask
        assert not door._unasked
        assert door._held == 0
        assert not door.inside


def files() -> int:
    return len(os.listdir("/proc/self/fd"))


async def empty(door: Door, came: int) -> None:
    """Wait until so many have come since the door was opened, and everybody has gone."""
    while door.open or door.counts.total() < came:  # noqa: ASYNC110
        await asyncio.sleep(0)
    assert door.counts.total() == came


@asynccontextmanager
async def crowd(door: Door, many: int, said: bytes = b"") -> AsyncIterator[list[socket.socket]]:
    """So many connections that say this, and then nothing."""
    here = []
    came = door.counts.total() + len(door.open) + many
    try:
        for _ in range(many):
            one = socket.create_connection(("127.0.0.1", door.port))
            if said:
                one.sendall(said)
            here.append(one)
        while door.counts.total() + len(door.open) < came:  # noqa: ASYNC110
            await asyncio.sleep(0)
        yield here
    finally:
        for one in here:
            one.close()


def reset(one: socket.socket) -> None:
    """Close so that the other side sees a reset."""
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    one.close()


@each_door
@pytest.mark.parametrize("garbage", GARBAGE)
async def test_wrong_protocol_costs_its_connection_and_nobody_else(kind: str, garbage: str) -> None:
    async with opened(kind, deadline=1.0) as (door, ask):
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(GARBAGE[garbage])
        await ask(door.port)
        with contextlib.suppress(ConnectionError):      # closed while we still wrote
            assert await reader.read() in (b"", b"connect\n\n")
        writer.close()
        await empty(door, 2)
        assert door.counts[Outcome.MALFORMED] + door.counts[Outcome.SILENT] == 1
        assert door.counts[Outcome.FAULT] == 0


@each_door
async def test_calls_are_answered_past_idle_connections_to_the_cap_and_beyond(kind: str) -> None:
    async with opened(kind, most=50, deadline=SOON) as (door, ask):
        before, came = files(), 0
        for said in (b"", b"agi_"):
            async with crowd(door, 120, said if kind == "agi" else b""):
                for _ in range(20):
                    await ask(door.port)
                assert len(door.inside) <= 50
            came += 140
            await empty(door, came)
        assert door.counts[Outcome.CROWDED] >= 140
        assert door.counts[Outcome.FAULT] == 0
        assert files() == before


@each_door
async def test_slowloris_ends_at_the_deadline_and_holds_nobody_up(kind: str) -> None:
    async with opened(kind, most=30, deadline=0.3) as (door, ask):
        part = {
            "agi": b"agi_network: yes\n", "esl": CHANNEL[:200], "http": b"POST / HTTP/1.1\r\n",
            "messages": LINE[:20],
        }[kind]
        async with crowd(door, 25, part) as slow:
            while door.counts[Outcome.SILENT] + door.counts[Outcome.MALFORMED] < 25:
                for one in slow:
                    try:
                        one.send(b"a")
                    except OSError:
                        continue
                await ask(door.port)
        await empty(door, door.counts.total() + len(door.open))
        assert set(door.counts) <= set(Outcome) - {Outcome.FAULT, Outcome.FOREIGN, Outcome.CROWDED}


@each_door
async def test_flood_of_connections_that_close_at_once_leaves_nothing_behind(kind: str) -> None:
    async with opened(kind, most=100) as (door, ask):
        await ask(door.port)
        await empty(door, 1)
        gc.collect()
        before, tasks = files(), len(asyncio.all_tasks())
        for number in range(600):
            one = socket.create_connection(("127.0.0.1", door.port))
            one.close() if number % 2 else reset(one)
            if number % 30 == 0:
                await ask(door.port)
        await empty(door, 600 + 1 + 20)
        gc.collect()
        assert (files(), len(asyncio.all_tasks())) == (before, tasks)
        assert door.counts[Outcome.ANSWERED] + door.counts[Outcome.UNHEARD] == 21


async def test_half_questions_of_all_together_are_no_more_than_the_door_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doors, "MOST_HELD", 1_000_000)
    async with opened("esl", most=100, deadline=SOON) as (door, ask):
        async with crowd(door, 10) as greedy:
            writing = [
                asyncio.create_task(asyncio.to_thread(_fill, one), name="greedy") for one in greedy
            ]
            for _ in range(20):
                await ask(door.port)
                assert door._held <= 1_000_000
            for one in greedy:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            await asyncio.gather(*writing)
        await empty(door, 30)
        assert door.counts[Outcome.UNHEARD] + door.counts[Outcome.ANSWERED] == 20
        assert door.counts[Outcome.CROWDED] >= 5


def _fill(one: socket.socket) -> None:
    try:
        for _ in range(100):
            one.sendall(b"variable_x: " + b"y" * 5000 + b"\n")
    except OSError:
        return


async def test_a_peer_with_many_questions_keeps_no_call_waiting() -> None:
    """A batch of questions is read a piece at a time; others have their turn after each."""
    turns: list[int] = []
    async with opened("messages", deadline=SOON) as (door, _):
        admit = door._admission.admit       # type: ignore[attr-defined]

        def counting(attempt: CallAttempt) -> Decision:
            turns[-1] += 1
            return admit(attempt)

        def turn() -> None:
            turns.append(0)
            if len(turns) < 5000 and door.counts.total() == 0:
                asyncio.get_running_loop().call_soon(turn)

        door._admission.admit = counting    # type: ignore[attr-defined]
        turn()
        many = b"".join(LINE.replace(b"sms-1", b"s%d" % number) for number in range(2000))
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(many)
        for _ in range(2000):
            await reader.readline()
        writer.close()
        await empty(door, 1)
    assert sum(turns) == 2000
    assert max(turns) <= PIECE // (len(LINE) - 3) + 1


def test_there_is_a_file_for_every_connection_that_may_come_at_once() -> None:
    """In a process of its own: a limit that is raised stays so."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (300, 5000))
            told: list[object] = []

            class Silent:
                def fault(self, kind: str, **about: object) -> None:
                    told.append((kind, about))

            door = AgiDoor(Deciding(), "pbx1", clock=lambda: 7.5, most=1000)
            make_room([door], Silent())     # type: ignore[arg-type]
            assert resource.getrlimit(resource.RLIMIT_NOFILE) == (1000 + BACKLOG + 256, 5000)
            assert not told
            make_room([door], Silent(), HttpSettings().files)   # type: ignore[arg-type]
            assert resource.getrlimit(resource.RLIMIT_NOFILE) == (1000 + BACKLOG + 256, 5000)
            http = HttpSettings(listen="127.0.0.1:8080", max_connections=2000)
            make_room([door], Silent(), http.files)     # type: ignore[arg-type]
            assert resource.getrlimit(resource.RLIMIT_NOFILE) == (1000 + BACKLOG + 2000 + 128 + 256, 5000)
            assert not told
            door.most = 10_000
            make_room([door], Silent())     # type: ignore[arg-type]
            assert resource.getrlimit(resource.RLIMIT_NOFILE) == (5000, 5000)
            assert told == [("too few files", {"allowed": 5000, "needed": 10_000 + BACKLOG + 256})]
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
