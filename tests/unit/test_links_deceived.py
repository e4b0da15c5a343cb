"""Something else listens where the switch should be: the link waits longer each time, grows by nothing, and
says once a try what it found."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from enforcer.switch import ami_session, esl_session
from enforcer.switch.ami import AmiLink
from enforcer.switch.esl import EslLink
from enforcer.switch.link import Deadlines, worth_a_line
from enforcer.wire.channel import Identity

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
TRIES = 4


class Nobody:
    """Is never asked anything: no link comes as far as that."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"nobody asks for {name} here")


async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Closed at once by `serving`."""


def saying(data: bytes, times: int = 1) -> Serve:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(times):
            writer.write(data)
            await writer.drain()
        await reader.read()

    return say


BANNER = b"Asterisk Call Manager/11.0.0\r\n"
AUTH = b"Content-Type: auth/request\n\n"
IMPOSTORS: dict[str, Serve] = {
    "mute": mute, "gone": gone,
    "http": saying(b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\n\r\n<html>"),
    "ssh": saying(b"SSH-2.0-OpenSSH_9.2\r\n"), "tls alert": saying(bytes.fromhex("15030300020228")),
    "garbage": saying(bytes(range(256)) * 256, 100), "endless line": saying(b"x" * 65_536, 100),
    "zeros": saying(bytes(65_536), 100), "greeting, then mute": saying(BANNER + AUTH),
    "greeting, then an endless message": saying(BANNER + b"Event: X\r\n" + b"A: b\r\n" * 100_000),
    "greeting, then empty lines": saying(BANNER + b"\r\n" * 1_000_000),
    "asks for a password for ever": saying(AUTH * 1000, 20),
    "answers what nobody asked": saying(AUTH + b"Content-Type: command/reply\nReply-Text: +OK\n\n" * 50),
    "huge frame": saying(b"Content-Type: log/data\nContent-Length: 99999999\n\n" + b"x" * 65_536, 20),
    "manager that refuses": saying(BANNER + b"Response: Error\r\nActionID: 1\r\nMessage: no\r\n\r\n"),
    "rejects us": saying(b"Content-Type: text/rude-rejection\nContent-Length: 19\n\nAccess denied, go.\n"),
}  # fmt: skip


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[tuple[int, list[int]]]:
    """A server that behaves like that; its port, and a number for each connection."""
    came: list[int] = []
    here: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(len(came))
        task = asyncio.current_task()
        assert task is not None
        here.add(task)
        with contextlib.suppress(ConnectionError):
            await serve(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        here.discard(task)

    server = await asyncio.start_server(one, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], came
    finally:
        server.close()
        while here:  # noqa: ASYNC110
            await asyncio.sleep(0)
        await server.wait_closed()


def ami_link(port: int, sleep: Callable[[float], Awaitable[object]]) -> AmiLink:
    peer = ami_session.Peer("127.0.0.1", port, "enforcer", "s3cret")
    return AmiLink(
        peer, Identity("pbx1"), Nobody(), deadlines=Deadlines(login=0.05), clock=lambda: 7.0, sleep=sleep,
        jitter=lambda: 1.0,
    )


def esl_link(port: int, sleep: Callable[[float], Awaitable[object]]) -> EslLink:
    peer = esl_session.Peer("127.0.0.1", port, "s3cret")
    return EslLink(
        peer, Identity("fs1"), Nobody(), deadlines=Deadlines(login=0.05), clock=lambda: 7.0, sleep=sleep,
        jitter=lambda: 1.0,
    )


@pytest.mark.parametrize("make", [ami_link, esl_link], ids=["ami", "esl"])
@pytest.mark.parametrize("impostor", IMPOSTORS)
async def test_what_is_no_switch_is_tried_less_and_less_often_and_costs_nothing(
    impostor: str, make: Callable[..., AmiLink | EslLink]
) -> None:
    pauses: list[float] = []
    enough = asyncio.Event()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == TRIES:
            enough.set()
            await asyncio.Event().wait()

    async with asyncio.timeout(20), serving(IMPOSTORS[impostor]) as (port, came):
        tasks = len(asyncio.all_tasks())
        link = make(port, sleep)
        with capture_logs() as lines:
            running = asyncio.create_task(link.run(), name="link")
            await enough.wait()
        assert pauses == [0.5, 1.0, 2.0, 4.0]
        assert len(came) == TRIES
        state = link.state()
        assert (state.failed, state.connected, state.faults) == (TRIES, False, 0)
        down = [line for line in lines if line["event"] == "link down"]
        assert len(down) == len(lines) == TRIES
        for line in down:
            assert line["problem"].isprintable()
            assert len(line["problem"]) < 250
            assert "s3cret" not in line["problem"]
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        assert link.book.legs == 0
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            if task.get_name().startswith("link"):
                await task
        assert len(asyncio.all_tasks()) <= tasks + TRIES


def test_a_flood_of_one_kind_is_a_few_lines() -> None:
    lines = [times for times in range(1, 1_000_001) if worth_a_line(times)]
    assert lines[:10] == list(range(1, 11))
    assert len(lines) == 10 + 16
