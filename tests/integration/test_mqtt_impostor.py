"""Whoever answers in the place of a broker: it costs a fault and a pause, and nothing is left of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import selectors
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from enforcer.control import mqtt
from enforcer.control.feed import Feed
from enforcer.control.mqtt import Mqtt
from enforcer.settings_mqtt import MqttSettings

SOON = 30.0
WELCOME = b"\x20\x03\x00\x00\x00"           # CONNACK of MQTT 5: come in
PINGS = b"\xc0\x00" * 10_000                # PINGREQ, which a broker has no business to send
HUGE = b"\x30\xff\xff\xff\x7f"              # the beginning of a PUBLISH of 268,435,455 bytes
Act = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def says(first: bytes, again: bytes = b"") -> Act:
    """Say that, and something else for as long as anybody listens; then be silent."""
    async def act(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while again:
            writer.write(again)
            await writer.drain()
    return act


async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(WELCOME)


def unfinished() -> bytes:
    """Messages of which the end is never said (QoS 2)."""
    one = b"\x00\x01x%b\x00" + b"y" * 100      # topic, number, no properties, text
    return b"".join(bytes([0x34, len(one) - 1]) + one.replace(b"%b", nth.to_bytes(2, "big"))
                    for nth in range(1, 2000))


def messages(flags: int) -> bytes:
    body = b"\x00\x01x\x00" + b"y" * 100
    return (bytes([0x30 | flags, len(body)]) + body) * 1000


def suback() -> bytes:
    return b"\x90\x04\x12\x34\x00\x00" * 1000


IMPOSTORS: dict[str, Act] = {
    "silent": says(b""),
    "garbage": says(os.urandom(4096)),
    "endless garbage": says(b"", os.urandom(65_536)),
    "endless letters": says(b"", b"A" * 65_536),
    "endless zeros": says(b"", bytes(65_536)),
    "half a welcome": says(WELCOME[:3]),
    "a welcome that is none": says(b"\x20\x08\x00\x00\x05\xff\xff\xff\xff\xff"),
    "an empty welcome": says(b"\x20\x00" * 3),
    "a refusal": says(b"\x20\x03\x00\x87\x00"),
    "HTTP": says(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
    "TLS": says(b"\x15\x03\x03\x00\x02\x02\x28"),
    "SSH": says(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "a length without end": says(b"\x30" + b"\xff" * 64),
    "a huge message first": says(HUGE, bytes(65_536)),
    "pings first": says(b"", PINGS),
    "messages first": says(b"", messages(0)),
    "hangs up": hangs_up,
    "welcome, then silence": says(WELCOME),
    "welcome for ever": says(b"\x20\x06\x00\x00\x03\x13\x00\x00"),
    "welcome, then garbage": says(WELCOME + b"\x32\x03\x00\x09\xff" * 50),
    "welcome, then endless garbage": says(WELCOME, b"A" * 65_536),
    "welcome, then a huge message": says(WELCOME + HUGE, bytes(65_536)),
    "welcome, then pings": says(WELCOME, PINGS),
    "welcome, then messages": says(WELCOME, messages(0)),
    "welcome, then messages without end": says(WELCOME, unfinished()),
    "welcome, then answers to nothing": says(WELCOME, suback()),
    "welcome, then a topic that is no text": says(WELCOME + b"\x30\x06\x00\x02\xff\xfe\x00y" * 20),
}  # fmt: skip


class Impostor:
    """Answers at a port of its own, and knows when it was let go of."""

    def __init__(self, act: Act) -> None:
        self._act = act
        self.came = 0
        self.sent = 0
        self.left: asyncio.Queue[int] = asyncio.Queue()
        self.inside: set[asyncio.Task[None]] = set()
        self.port = 0

    async def start(self) -> asyncio.Server:
        server = await asyncio.start_server(self._answer, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.came += 1
        mine = asyncio.current_task()
        assert mine is not None
        self.inside.add(mine)
        try:
            await self._act(reader, writer)
            if self._act is not hangs_up:
                while await reader.read(65_536):
                    pass
        except OSError:
            pass
        finally:
            writer.transport.abort()
            self.inside.discard(mine)
            self.left.put_nowait(self.came)


class Side:
    """The enforcer's side: what it told, and how long it would have waited before it tried again."""

    def __init__(self, port: int, **more: Any) -> None:
        self.faults: list[dict[str, Any]] = []
        self.waits: asyncio.Queue[float] = asyncio.Queue()
        self.registry = CollectorRegistry()
        self.client = Mqtt(
            MqttSettings(url=f"mqtt://127.0.0.1:{port}", **more), "lab", None,  # type: ignore[arg-type]
            Feed(), list, lambda _topics: {}, time.time, self.registry, lambda *_, **__: None,
            lambda kind, **about: self.faults.append({"kind": kind} | about), self._sleep,
        )

    async def _sleep(self, seconds: float) -> None:
        self.waits.put_nowait(seconds)
        await asyncio.sleep(0.01)


@asynccontextmanager
async def running(side: Side) -> AsyncIterator[None]:
    task = asyncio.ensure_future(side.client.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def watched() -> int:
    """What the event loop looks at."""
    selector: selectors.BaseSelector = asyncio.get_running_loop()._selector  # type: ignore[attr-defined]
    return len(selector.get_map())


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "PATIENCE", 0.2)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
@pytest.mark.parametrize("name", IMPOSTORS)
async def test_nothing_is_left_of_an_impostor_and_it_is_tried_again(name: str, protocol: str) -> None:
    impostor = Impostor(IMPOSTORS[name])
    async with await impostor.start(), asyncio.timeout(SOON):
        before = watched()
        side = Side(impostor.port, protocol=protocol)
        async with running(side):
            first = await side.waits.get()
            second = await side.waits.get()
            assert first < second
            assert side.faults
            assert side.registry.get_sample_value("enforcer_mqtt_up") == 0
        for _ in range(impostor.came):
            await impostor.left.get()           # each connection was let go of, on our side first
        assert not impostor.inside
        assert watched() == before
