"""Whoever answers in the place of a broker: it costs a fault and a pause, and nothing is left of it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import selectors
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from enforcer.control import mqtt
from enforcer.control.feed import Feed
from enforcer.control.mqtt import Mqtt
from enforcer.settings_mqtt import MqttSettings
from tests.support.certificates import certificate

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

    async def start(self, tls: ssl.SSLContext | None = None) -> asyncio.Server:
        server = await asyncio.start_server(self._answer, "127.0.0.1", self.port, ssl=tls)
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

    def __init__(self, port: int, scheme: str = "mqtt", **more: Any) -> None:
        self.faults: list[dict[str, Any]] = []
        self.waits: asyncio.Queue[float] = asyncio.Queue()
        self.registry = CollectorRegistry()
        self.client = Mqtt(
            MqttSettings(url=f"{scheme}://127.0.0.1:{port}", **more), "lab", None,  # type: ignore[arg-type]
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


TLS = ["silent", "endless letters", "half a welcome", "welcome, then pings", "welcome, then messages",
       "welcome, then a huge message"]


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", [*TLS, "silent in the handshake"])
async def test_nor_is_anything_left_of_one_who_proved_to_be_the_broker(name: str, tmp_path: Path) -> None:
    """The warnings: paho leaves the socket of a handshake that failed to the garbage collector."""
    mine = certificate("127.0.0.1")
    for file, text in (("public.pem", mine.public), ("private.pem", mine.private)):
        (tmp_path / file).write_text(text)
    proof = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    proof.load_cert_chain(tmp_path / "public.pem", tmp_path / "private.pem")
    impostor = Impostor(IMPOSTORS[name if name in TLS else "silent"])
    async with await impostor.start(proof if name in TLS else None), asyncio.timeout(SOON):
        before = watched()
        side = Side(impostor.port, "mqtts", ca_file=str(tmp_path / "public.pem"))
        async with running(side):
            await side.waits.get()
            await side.waits.get()
            assert not any("certificate" in fault["problem"] for fault in side.faults)
            assert side.faults
        gc.collect()
        for _ in range(impostor.came):
            await impostor.left.get()
        assert watched() == before


async def packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """One that the enforcer sends: its kind, and what follows its length."""
    (kind,) = await reader.readexactly(1)
    length, shift = 0, 0
    while True:
        (byte,) = await reader.readexactly(1)
        length |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return kind, await reader.readexactly(length)


def retained(topic: str) -> bytes:
    body = len(topic).to_bytes(2, "big") + topic.encode() + b"\x00nonsense"
    return bytes([0x31, len(body)]) + body


async def keeps_modes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A broker in all that matters here, which keeps modes that nobody set, and more than modes."""
    with contextlib.suppress(asyncio.IncompleteReadError):
        await packet(reader)
        writer.write(WELCOME)
        while True:
            kind, body = await packet(reader)
            if kind == 0x82:
                writer.write(b"\x90\x04" + body[:2] + b"\x00\x01")
            elif kind == 0xA2:
                writer.write(b"\xb0\x04" + body[:2] + b"\x00\x00")
            elif kind & 0xF6 == 0x32:
                long = int.from_bytes(body[:2], "big")
                writer.write(b"\x40\x02" + body[2 + long:4 + long])
                if body[2:2 + long].endswith(b"/sync"):
                    for nth in range(200):
                        writer.write(retained(f"enforcer/lab/account/a{nth}/mode") + retained(f"else/{nth}"))
                    writer.write(bytes([0x30, len(body) - 2]) + body[:2 + long] + body[4 + long:])


async def test_of_modes_kept_at_a_broker_so_many_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "MOST_RETAINED", 50)
    monkeypatch.setattr(mqtt, "PATIENCE", SOON)
    impostor = Impostor(keeps_modes)
    async with await impostor.start(), asyncio.timeout(SOON):
        side = Side(impostor.port)
        most = 0
        async with running(side):
            while side.registry.get_sample_value("enforcer_mqtt_up") != 1:
                most = max(most, len(side.client._retained))
                assert all(one.startswith("enforcer/lab/account/") for one in side.client._retained)
                await asyncio.sleep(0)
        assert most == 50
        assert len(side.faults) == mqtt.TOLD_ONE_BY_ONE + 1
        assert "50" in side.faults[-1]["problem"]
